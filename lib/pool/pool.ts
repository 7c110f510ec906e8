import { EventEmitter } from 'node:events'
import { resolve } from 'node:path'
import { allocate, type TypedArray, type TypedArrayConstructor } from '../codec/binary'
import { PoolClosedError, PythonError, PythonStartError } from '../errors'
import { native, type PoolCounters } from '../native'
import {
  type CompletePoolOptions,
  type HandlerModeOptions,
  type HandlerOptions,
  type OnCrash,
  type PoolOptions,
  validateHandler,
  validatePoolOptions,
} from '../options'
import { pythonRoot } from '../package-root'
import { PoolCalls } from './calls'
import { threadChannel } from './channel'
import { workerEnvironment } from './environment'
import { type GilNotice, type GilState, GilWatch } from './gil'
import { type ArrayHandler, type Handler, type HandlerSpec, PythonHandler } from './handler'
import { chooseIsolation, fallback, type IsolationChoice, type IsolationMode } from './isolation'
import { locatePython, noLibraryError, type PythonInfo } from './locate'
import { lockByFlock } from './lock'
import { ensureEnvironment } from './requirements'

/** A record of Python's `logging` that no handler of the user's took. */
export interface LogRecord {
  level: string
  logger: string
  message: string
  /** Milliseconds since 1970. */
  time: number
  traceback?: string
}

/** What a pool is and does, as of now. */
export interface PoolInfo extends PoolCounters {
  name: string
  python: PythonInfo
  /** The isolation in use, and why where `auto` chose it. */
  isolation: IsolationMode
  reason: string
  /**
   * Whether Python has a GIL: `enabled` where it does, `disabled` where it does not (free-threaded builds), `reenabled`
   * where the import of an extension module has switched it on since.
   */
  gil: GilState
  /** The extension modules whose import did that; mostly one. */
  gilImports: readonly string[]
  size: number
  /** Calls without a result, those that run included. */
  pending: number
  /** Calls that no interpreter has taken yet. */
  waiting: number
  closed: boolean
}

interface PoolEvents {
  stdout: [text: string]
  stderr: [text: string]
  log: [record: LogRecord]
}

/**
 * Interpreters in native threads of this process, and the calls to them.
 *
 * Events: `stdout` and `stderr` with what Python writes, `log` with records of its `logging`. Where nobody listens, they
 * go to the process's own.
 */
export class PythonPool extends EventEmitter<PoolEvents> implements AsyncDisposable {
  /** Folders that joined sys.path. */
  readonly path: readonly string[]
  /** @internal */
  readonly calls: PoolCalls
  private readonly channel = threadChannel()
  private readonly id: number
  private readonly gil: GilWatch
  private isClosed = false
  private closing: Promise<void> | undefined
  private stopped: Promise<void> | undefined

  private constructor(
    private readonly options: CompletePoolOptions,
    private readonly python: PythonInfo,
    private readonly isolation: IsolationChoice,
  ) {
    super()
    this.gil = new GilWatch(options.name, python)
    this.path = options.path.map((folder) => resolve(folder))
    this.id = this.channel.register({
      output: (stream, text) => this.onOutput(stream === 2 ? 'stderr' : 'stdout', text),
      log: (record) => this.onLog(record),
      notice: (text) => this.gil.take(JSON.parse(text) as GilNotice),
    })
    const handle = new (native().NativePool)(this.channel.native, {
      id: this.id,
      library: python.library ?? '',
      executable: python.executable,
      pythonDir: pythonRoot,
      isolation: isolation.mode,
      environment: workerEnvironment(process.env, options.env),
      grace: options.grace,
      host: JSON.stringify({ path: this.path, name: options.name }),
    })
    this.calls = new PoolCalls(handle, this.channel, [], [])
  }

  /**
   * Finds Python, makes the environment where `requirements` asks for one, and starts the interpreters.
   *
   * @throws OptionError, PythonNotFoundError, PythonUnusableError, PythonStartError, RequirementsError, NativeLoadError
   */
  static async open(options: PoolOptions = {}): Promise<PythonPool> {
    const complete = validatePoolOptions(options)
    native()
    let python = await locatePython(complete.python)
    if (complete.requirements !== undefined) {
      const { onProgress } = complete
      python = await ensureEnvironment({
        requirements: complete.requirements,
        python,
        lock: lockByFlock,
        ...(onProgress === undefined ? {} : { onProgress: (step) => onProgress(step.message) }),
      })
    }
    let choice: IsolationChoice | undefined = chooseIsolation(complete, python)
    if (choice.mode !== 'process' && python.library === null) throw noLibraryError(python)
    for (;;) {
      try {
        return await PythonPool.started(complete, python, choice)
      } catch (error) {
        choice = complete.isolation === 'auto' ? fallback(choice, error) : undefined
        if (choice === undefined) throw error
      }
    }
  }

  private static async started(
    options: CompletePoolOptions,
    python: PythonInfo,
    isolation: IsolationChoice,
  ): Promise<PythonPool> {
    const pool = new PythonPool(options, python, isolation)
    await pool.start()
    return pool
  }

  get name(): string {
    return this.options.name
  }

  /** The number of interpreters. */
  get size(): number {
    return this.calls.seats.length
  }

  /** @internal Whether a batch runs again whose worker process crashed. */
  retriesCrashes(onCrash: OnCrash = this.options.onCrash): boolean {
    return onCrash === 'retry' && this.isolation.mode === 'process'
  }

  get closed(): boolean {
    return this.isClosed
  }

  /**
   * A handler for a Python function. It loads in the background; a function that cannot be loaded fails its calls.
   *
   * @throws OptionError, PoolClosedError
   */
  handler<I extends TypedArray = TypedArray, O extends TypedArray = TypedArray>(
    spec: HandlerSpec,
    options: HandlerOptions & { codec: 'array' },
  ): ArrayHandler<I, O>
  handler<I = unknown, O = unknown>(spec: HandlerSpec, options?: HandlerOptions): Handler<I, O>
  /** @internal */
  handler<I = unknown, O = unknown>(spec: HandlerSpec, options?: HandlerModeOptions): Handler<I, O>
  handler<I, O>(spec: HandlerSpec, options: HandlerModeOptions = {}): Handler<I, O> {
    const complete = validateHandler(spec, options)
    if (this.isClosed) throw new PoolClosedError()
    return new PythonHandler<I, O>(this, spec, complete)
  }

  /**
   * A typed array in memory that both sides may hold: codecs `buffer` and `array` carry it without a copy, and what one
   * side writes the other sees.
   *
   * @param length elements
   * @throws RangeError when there is not enough memory
   */
  allocate<T extends TypedArray>(type: TypedArrayConstructor<T>, length: number): T {
    return allocate(type, length, this.isolation.mode === 'process')
  }

  info(): PoolInfo {
    return {
      name: this.name,
      python: { ...this.python },
      isolation: this.isolation.mode,
      reason: this.isolation.reason,
      ...this.gil.info(),
      size: this.size,
      pending: this.calls.pending,
      waiting: this.isClosed ? 0 : this.calls.native.waiting(),
      closed: this.isClosed,
      ...this.calls.native.counters(),
    }
  }

  /** Takes no further calls, waits for those that were made, then lets the interpreters go. */
  close(): Promise<void> {
    this.closing ??= this.leave()
    return this.closing
  }

  /** Fails all calls now, interrupts what runs, and does not wait for it. */
  async destroy(): Promise<void> {
    const error = new PoolClosedError('the pool was destroyed before the call had a result')
    this.shut()
    this.calls.cancelAll(error)
    this.closing ??= Promise.resolve()
    this.release()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  private async start(): Promise<void> {
    const count = this.options.size.max
    try {
      for (let i = 0; i < count; i++) await this.calls.start()
    } catch (error) {
      this.shut()
      this.release()
      throw startError(error)
    }
    this.calls.hosts.push(...(this.isolation.mode === 'shared' ? this.calls.seats.slice(0, 1) : this.calls.seats))
  }

  private async leave(): Promise<void> {
    this.shut()
    await this.calls.drained()
    const stopped = this.release()
    this.channel.await()
    try {
      await stopped
    } finally {
      this.channel.unawait()
    }
  }

  /** Refuses further calls. */
  private shut(): void {
    this.isClosed = true
    this.calls.close(new PoolClosedError())
  }

  private release(): Promise<void> {
    this.stopped ??= Promise.all(this.calls.seats.map((seat) => this.calls.stop(seat))).then(() => {
      this.channel.unregister(this.id)
    })
    return this.stopped
  }

  private onOutput(stream: 'stdout' | 'stderr', text: string): void {
    if (!this.emit(stream, text)) process[stream].write(text)
  }

  private onLog(text: string): void {
    const record = JSON.parse(text) as LogRecord
    if (this.emit('log', record)) return
    this.onOutput('stderr', `${record.message}\n${record.traceback ? `${record.traceback}\n` : ''}`)
  }
}

const START_CODES = ['ERR_PYTHON_START', 'ERR_PYTHON_CONFLICT', 'ERR_NAMESPACE'] as const

function startError(error: unknown): unknown {
  if (!(error instanceof PythonError)) return error
  const code = START_CODES.find((known) => known === error.code) ?? 'ERR_PYTHON_START'
  return new PythonStartError(code, error.pythonMessage, { cause: error.pythonTraceback ? error : undefined })
}
