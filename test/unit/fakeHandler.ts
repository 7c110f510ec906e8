import { PythonAbortError } from '../../lib/errors'
import type { CallOptions, CodecName, Handler, HandlerMode } from '../../lib/pool/handler'
import type { PythonPool } from '../../lib/pool/pool'
import { type OpenStream, Streams } from '../../lib/pool/streams'

/** A call that waits for the test to answer it. */
export interface FakeCall {
  items: readonly unknown[]
  options: CallOptions
  resolve(values: readonly unknown[]): void
  reject(error: unknown): void
}

export interface FakeOptions {
  mode?: HandlerMode
  codec?: CodecName
  size?: number
  /** Answers a call by itself; without it the test answers `calls`. */
  answer?: (items: readonly unknown[], options: CallOptions) => unknown
}

/** A Handler without Python: a test answers its calls, or a function does, some time later. */
export class FakeHandler implements Handler<unknown, unknown> {
  readonly name = 'fake:handle'
  readonly mode: HandlerMode
  readonly codec: CodecName
  readonly pool: PythonPool
  /** Calls that wait for an answer, and those that were answered. */
  readonly calls: FakeCall[] = []
  readonly variants: FakeHandler[] = []
  readonly seeds: unknown[] = []
  /** The streams that use it. */
  readonly streams = new Streams()
  running = 0
  mostRunning = 0
  measured = 0
  closed = 0

  constructor(readonly given: FakeOptions = {}) {
    this.mode = given.mode ?? 'map'
    this.codec = given.codec ?? 'string'
    this.pool = {
      size: given.size ?? 1,
      join: (stream: OpenStream) => this.streams.add(stream),
    } as unknown as PythonPool
  }

  callSync(): unknown[] {
    throw new Error('a test that waits for itself would never end')
  }

  call(items: readonly unknown[], options: CallOptions = {}): Promise<unknown[]> {
    this.mostRunning = Math.max(this.mostRunning, ++this.running)
    return new Promise<unknown[]>((resolve, reject) => {
      const { answer } = this.given
      const end = () => {
        this.running--
        options.signal?.removeEventListener('abort', abort)
      }
      const call: FakeCall = {
        items,
        options,
        resolve: (values) => {
          end()
          resolve(values as unknown[])
        },
        reject: (error) => {
          end()
          reject(error)
        },
      }
      const abort = () => call.reject(new PythonAbortError(options.signal?.reason))
      options.signal?.addEventListener('abort', abort)
      this.calls.push(call)
      if (answer === undefined) return
      setImmediate(() => {
        if (options.signal?.aborted) return
        try {
          call.resolve(answer(items, options) as unknown[])
        } catch (error) {
          call.reject(error)
        }
      })
    })
  }

  sizeOf(item: unknown): number {
    this.measured++
    return JSON.stringify(item).length
  }

  variant<R>(mode: HandlerMode, options?: { seed?: unknown }): Handler<unknown, R> {
    const variant = new FakeHandler({ ...this.given, mode })
    this.variants.push(variant)
    this.seeds.push(options?.seed)
    return variant as unknown as Handler<unknown, R>
  }

  async close(): Promise<void> {
    this.closed++
  }

  /** The items of all calls so far. */
  get batches(): unknown[][] {
    return this.calls.map((call) => [...call.items])
  }

  /** As the operators take it, for items and results of the test's types. */
  typed<I, O>(): Handler<I, O> {
    return this as unknown as Handler<I, O>
  }
}

/** A pool without Python that makes fake handlers. */
export class FakePool {
  readonly size = 1
  readonly made: { spec: unknown; options: unknown; handler: FakeHandler }[] = []

  constructor(private readonly given: FakeOptions = {}) {}

  handler(spec: unknown, options: { mode?: HandlerMode } = {}): FakeHandler {
    const handler = new FakeHandler({ ...this.given, mode: options.mode ?? 'map' })
    this.made.push({ spec, options, handler })
    return handler
  }

  get typed(): PythonPool {
    return this as unknown as PythonPool
  }
}

/** Everything that was emitted, and how it ended. */
export class Recorder<T> {
  readonly values: T[] = []
  error: unknown
  state: 'open' | 'completed' | 'failed' = 'open'
  private wake: (() => void) | undefined
  readonly ended = new Promise<void>((resolve) => {
    this.wake = resolve
  })

  next(value: T): void {
    this.values.push(value)
  }

  error_(error: unknown): void {
    this.error = error
    this.state = 'failed'
    this.wake?.()
  }

  complete(): void {
    this.state = 'completed'
    this.wake?.()
  }

  get observer() {
    return {
      next: (value: T) => this.next(value),
      error: (error: unknown) => this.error_(error),
      complete: () => this.complete(),
    }
  }
}

/** Lets everything that is ready now happen: microtasks, immediates, and timers of 0 ms. */
export async function settle(turns = 3): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
}

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
