import { EventEmitter } from 'node:events'
import { resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { allocate } from '../codec/binary'
import type { NdArray } from '../codec/ndarray'
import type { TypedArray, TypedArrayConstructor } from '../codec/typed'
import { PoolClosedError } from '../errors'
import { native } from '../native'
import {
  type Callback,
  type CompletePoolOptions,
  type HandlerModeOptions,
  type HandlerOptions,
  type OnCrash,
  type PoolOptions,
  validateCallback,
  validateHandler,
  validatePoolOptions,
} from '../options'
import { pythonRoot } from '../package-root'
import { placeOf } from './affinity'
import { Callbacks, type ExposedCallback } from './callbacks'
import { PoolCalls } from './calls'
import { threadChannel } from './channel'
import { type DebugInfo, type DebugNotice, DebugWatch, isDebugNotice } from './debug'
import { workerEnvironment } from './environment'
import { type GilNotice, GilWatch, isGilNotice } from './gil'
import { type ArrayHandler, type Handler, type HandlerSpec, PythonHandler } from './handler'
import { isLogRecord, type LogRecord, type PoolInfo } from './info'
import { chooseIsolation, fallback, type IsolationChoice } from './isolation'
import { LocalHandler } from './local-handler'
import { locatePython, noLibraryError, type PythonInfo } from './locate'
import { lockByFlock } from './lock'
import { Recycler } from './recycling'
import { ensureEnvironment } from './requirements'
import { type ResizeEvent, Scaler } from './scaler'
import { type SignalOptions, validateSignalOptions } from './signal-options'
import { leaveOnSignal } from './signals'
import { type OpenStream, Streams } from './streams'

interface PoolEvents {
  stdout: [text: string]
  stderr: [text: string]
  log: [record: LogRecord]
  resize: [event: ResizeEvent]
  debug: [info: DebugInfo]
}

/**
 * Interpreters in native threads of this process, and the calls to them.
 *
 * Events: `stdout` and `stderr` with what Python writes, `log` with records of its `logging`. Where nobody listens, they
 * go to the process's own. `resize` when the number of interpreters has changed by itself. `debug` when a handler with that
 * option can be debugged, waits for a debugger, or has one.
 */
export class PythonPool extends EventEmitter<PoolEvents> implements AsyncDisposable {
  /** Folders that joined sys.path. */
  readonly path: readonly string[]
  /** @internal */
  readonly calls: PoolCalls
  /** @internal */
  readonly callbacks: Callbacks
  private readonly channel = threadChannel()
  private readonly id: number
  private readonly scaler: Scaler | undefined
  private readonly recycler: Recycler | undefined
  private resizes = 0
  private readonly gil: GilWatch
  /** @internal */
  readonly debugged: DebugWatch
  private readonly locals = new Set<LocalHandler<never, unknown>>()
  private isClosed = false
  private closing: Promise<void> | undefined
  private draining: Promise<void> | undefined
  private readonly streams = new Streams()
  private unlisten: (() => void) | undefined
  private stopped: Promise<void> | undefined

  private constructor(
    private readonly options: CompletePoolOptions,
    private readonly python: PythonInfo,
    private readonly isolation: IsolationChoice,
  ) {
    super()
    this.gil = new GilWatch(options.name, python)
    this.debugged = new DebugWatch(options.name, (info) => this.emit('debug', info))
    this.path = options.path.map((folder) => resolve(folder))
    this.id = this.channel.register({
      output: (stream, text) => this.onOutput(stream === 2 ? 'stderr' : 'stdout', text),
      log: (record) => this.onLog(record),
      callback: (number, request, specials) => this.callbacks.run(number, request, specials),
      notice: (text) => this.onNotice(text),
    })
    const handle = new (native().NativePool)(this.channel.native, {
      id: this.id,
      library: python.library ?? '',
      executable: python.executable,
      pythonDir: pythonRoot,
      isolation: isolation.mode,
      environment: workerEnvironment(process.env, options.env),
      grace: options.grace,
      host: JSON.stringify({ path: this.path, name: options.name, key: this.debugged.key }),
    })
    this.calls = new PoolCalls(handle, this.channel, isolation.mode, options.grace)
    this.callbacks = new Callbacks(this.calls)
    for (const [name, fn] of Object.entries(options.callbacks)) this.callbacks.expose(name, fn)
    const { size, idleAfter, recycleAfter } = options
    // Threads that take turns at one GIL would only wait for each other.
    if (size.min < size.max && (isolation.mode !== 'shared' || (python.freeThreaded && !python.gil))) {
      this.scaler = new Scaler(this.calls, { ...size, idleAfter }, (event) => this.resized(event))
    }
    if (recycleAfter !== undefined) this.recycler = new Recycler(this.calls.seats, handle, recycleAfter)
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

  /** @internal Whether its size follows the load, which it sees by batches that wait. */
  get scales(): boolean {
    return this.scaler !== undefined
  }

  /** The number of interpreters. */
  get size(): number {
    return this.calls.seats.all.length - this.calls.stuck.missing
  }

  /**
   * Which interpreter calls with this key go to, as a number: keys with the same one share an interpreter, so items with
   * such keys may go in one batch, with any of their keys. It may change when the size of the pool does.
   */
  placeOf(key: string | number): number {
    return placeOf(key, this.calls.seats.places)
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
  handler<
    I extends TypedArray | NdArray = TypedArray,
    O extends TypedArray | NdArray = I extends NdArray ? NdArray : TypedArray,
  >(spec: HandlerSpec, options: HandlerOptions & { codec: 'array' }): ArrayHandler<I, O>
  handler<I = unknown, O = unknown>(spec: HandlerSpec, options?: HandlerOptions): Handler<I, O>
  /** @internal */
  handler<I = unknown, O = unknown>(spec: HandlerSpec, options?: HandlerModeOptions): Handler<I, O>
  handler<I, O>(spec: HandlerSpec, options: HandlerModeOptions = {}): Handler<I, O> {
    const complete = validateHandler(spec, options)
    if (this.isClosed) throw new PoolClosedError()
    const { debug = this.options.debug } = complete
    if (debug === undefined || debug === false || !debug.local)
      return new PythonHandler<I, O>(this, spec, { ...complete, debug })
    const handler = new LocalHandler<I, O>(this, spec, { ...complete, debug })
    this.locals.add(handler)
    return handler
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

  /**
   * Lets Python call a function of yours: `host.call('name', …)`. It may be async. What it gets and gives is data, as with
   * the codec `json`. It may call handlers of this pool; that works with one interpreter, too.
   *
   * @throws OptionError where the name is taken or the function is none
   */
  expose(name: string, callback: Callback): ExposedCallback {
    validateCallback(name, callback)
    return this.callbacks.expose(name, callback)
  }

  info(): PoolInfo {
    return {
      name: this.name,
      python: { ...this.python },
      isolation: this.isolation.mode,
      reason: this.isolation.reason,
      ...this.gil.info(),
      size: this.size,
      ...this.options.size,
      resizes: this.resizes,
      recycled: this.recycler?.count ?? 0,
      pending: this.calls.pending,
      waiting: this.isClosed ? 0 : this.calls.native.waiting(),
      blocked: this.calls.stuck.blockedBy?.pythonMessage ?? null,
      debug: this.debugged.info,
      closed: this.isClosed,
      ...this.calls.native.counters(),
    }
  }

  /**
   * Closes the pool when its streams have gone through: their sources are unsubscribed, as if they had completed, and what
   * was taken from them still comes out before they complete. Streams that begin after this fail with `ERR_POOL_CLOSED`.
   * Where one stage of Python feeds another, the first one's source ends and the others follow.
   */
  drain(): Promise<void> {
    this.draining ??= this.streams.finish().then(() => this.close())
    return this.draining
  }

  /**
   * Drains the pool on SIGINT and SIGTERM, then leaves the process with 128 and the signal's number. Where several pools
   * have asked for this, the process leaves when all have drained. A second signal ends it at once. Returns a function
   * that takes it back; closing the pool does so, too.
   *
   * @throws OptionError, also in a Worker, which signals do not reach
   */
  closeOnSignal(options?: SignalOptions): () => void {
    const complete = validateSignalOptions(options)
    if (this.isClosed) throw new PoolClosedError()
    this.unlisten = leaveOnSignal(this, complete)
    return this.unlisten
  }

  /** @internal A handler that another process served has been closed. */
  left(handler: LocalHandler<never, unknown>): void {
    this.locals.delete(handler)
    this.debugged.forget(handler.name)
  }

  /** @internal A stream through this pool has begun. Returns a function to be called when it has ended. */
  join(stream: OpenStream): () => void {
    return this.streams.add(stream)
  }

  /**
   * Takes no further calls, waits for those that were made, then lets the interpreters go. It does not wait for one that
   * is stuck in a call that was asked to stop.
   */
  close(): Promise<void> {
    this.closing ??= this.leave()
    return this.closing
  }

  /** Fails all calls now, interrupts what runs, and does not wait for it. */
  async destroy(): Promise<void> {
    const error = new PoolClosedError('the pool was destroyed before the call had a result')
    this.shut()
    this.calls.cancelAll(error)
    this.debugged.cancel(error)
    for (const handler of this.locals) handler.destroy(error)
    this.closing ??= Promise.resolve()
    this.release()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  private async start(): Promise<void> {
    const { min } = this.options.size
    try {
      for (let i = 0; i < min; i++) await this.calls.seats.add()
    } catch (error) {
      this.shut()
      this.release()
      throw error
    }
    this.calls.watch = {
      ...(this.scaler === undefined ? {} : { begun: () => this.scaler?.wake() }),
      ...(this.recycler === undefined ? {} : { settled: () => this.recycler?.settled() }),
    }
  }

  private async leave(): Promise<void> {
    this.shut()
    await this.calls.drained()
    await Promise.all([...this.locals].map((handler) => handler.close()))
    await this.channel.holding(this.release())
  }

  /** Refuses further calls. */
  private shut(): void {
    this.isClosed = true
    this.scaler?.close()
    this.recycler?.close()
    this.unlisten?.()
    this.calls.close(new PoolClosedError())
  }

  private release(): Promise<void> {
    this.stopped ??= this.stopAll().finally(() => this.channel.unregister(this.id))
    return this.stopped
  }

  private async stopAll(): Promise<void> {
    const stops = this.calls.seats.stopAll()
    if (this.isolation.mode === 'process') await stops
    else await Promise.race([stops, pause(this.options.grace, undefined, { ref: false })])
  }

  private resized(event: ResizeEvent): void {
    this.resizes++
    this.emit('resize', event)
  }

  private onOutput(stream: 'stdout' | 'stderr', text: string): void {
    if (!this.emit(stream, text)) process[stream].write(text)
  }

  private onNotice(text: string): void {
    const notice = readObject<GilNotice & DebugNotice>(text)
    if (isDebugNotice(notice)) this.debugged.take(notice)
    else if (isGilNotice(notice)) this.gil.take(notice)
  }

  private onLog(text: string): void {
    const record = readObject<LogRecord>(text)
    if (!isLogRecord(record) || this.emit('log', record)) return
    this.onOutput('stderr', `${record.message}\n${record.traceback ? `${record.traceback}\n` : ''}`)
  }
}

/** What Python says of itself: maybe nothing of it, where a handler has written over its worker process's memory. */
function readObject<T extends object>(text: string): Partial<T> {
  try {
    return Object(JSON.parse(text)) as Partial<T>
  } catch {
    return {}
  }
}
