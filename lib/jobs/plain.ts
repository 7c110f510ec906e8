import { config, map, Observable, type OperatorFunction } from 'rxjs'
import { subscribeWithin } from '../sources/gate'
import { StreamChecker } from '../streams/check'
import type { Sink } from './sinks'
import { itemsOfSource, type Source } from './sources'
import { SinkWriter } from './writer'

export interface FromSourceOptions<P> {
  /** Where to begin; default: where the source begins by itself. */
  from?: P
  /**
   * Commits the positions of items that were given, so the outside forgets them, whether or not anybody has worked them off
   * (default false: nothing is acknowledged, and a queue that lets only so much be on its way then stops).
   */
  acknowledge?: boolean
  /** Milliseconds from one commit to the next, with `acknowledge` (default 1000). */
  every?: number
  /** Ends the stream. */
  signal?: AbortSignal
}

/**
 * A source as an Observable, outside of a job: pulled as stages downstream have room. Each subscription reads anew. `runJob` is
 * what acknowledges items when their results are safe.
 */
export function fromSource<T, P>(source: Source<T, P>, options: FromSourceOptions<P> = {}): Observable<T> {
  const check = new StreamChecker('fromSource', options, ['from', 'acknowledge', 'every', 'signal'])
  if (typeof source?.read !== 'function') check.problem("'source' must have read(position)", source)
  const acknowledge = check.flag('acknowledge', options.acknowledge) ?? false
  const every = check.time('every', options.every, false) ?? 1000
  const outer = check.signal('signal', options.signal)
  check.done()
  return new Observable<T>((out) => {
    const over = new AbortController()
    const acknowledger = new Acknowledger(source, acknowledge, every, (error) => out.error(error))
    out.add(() => over.abort())
    out.add(() => void acknowledger.end().catch(report))
    const abort = () => out.complete()
    if (outer?.aborted) {
      abort()
      return
    }
    outer?.addEventListener('abort', abort, { once: true })
    out.add(() => outer?.removeEventListener('abort', abort))
    const from = () => options.from
    const items = itemsOfSource(source, undefined, from, over.signal, () => acknowledger.now()).pipe(
      map(([value, position]) => {
        acknowledger.given(position)
        return value
      }),
    )
    const reading = items.subscribe({
      next: (value) => out.next(value),
      error: (error) => out.error(error),
      // The last commit belongs to the stream: whoever hears its end knows that it is done.
      complete: () => {
        acknowledger.end().then(
          () => out.complete(),
          (error) => out.error(error),
        )
      },
    })
    out.add(reading)
  })
}

/** Commits what was given: by and by, when asked, and at the end; then the source is closed. */
class Acknowledger<P> {
  private position: P | undefined
  private committed: P | undefined
  private timer: NodeJS.Timeout | undefined
  private queue: Promise<void> = Promise.resolve()
  private ending: Promise<void> | undefined

  constructor(
    private readonly source: Source<unknown, P>,
    private readonly acknowledge: boolean,
    every: number,
    private readonly failed: (error: unknown) => void,
  ) {
    if (acknowledge && source.commit !== undefined) this.timer = setInterval(() => this.now(), every).unref()
  }

  given(position: P): void {
    this.position = position
  }

  now(): void {
    // The item whose position is known is still on its way downstream at this moment.
    if (this.ending === undefined) queueMicrotask(() => this.commit().catch(this.failed))
  }

  end(): Promise<void> {
    this.ending ??= (async () => {
      clearInterval(this.timer)
      await this.commit().finally(() => this.source.close?.())
    })()
    return this.ending
  }

  private commit(): Promise<void> {
    if (!this.acknowledge || this.source.commit === undefined) return Promise.resolve()
    const result = this.queue.then(async () => {
      const { position } = this
      if (position === undefined || position === this.committed) return
      await this.source.commit?.(position)
      this.committed = position
    })
    this.queue = result.catch(() => {})
    return result
  }
}

/** What fails after everybody has left: to the handler that RxJS has for such errors, or a warning. */
function report(error: unknown): void {
  if (config.onUnhandledError) config.onUnhandledError(error)
  else process.emitWarning(`closing a source failed: ${error instanceof Error ? error.stack : String(error)}`)
}

export interface ToSinkOptions {
  /** Milliseconds from one epoch to the next (default 1000): what was written is safe, and seen outside, then. */
  every?: number
}

/**
 * Writes a stream into a sink, outside of a job, and gives the number of values that are safe each time that there are more. While
 * the sink is busy, sources upstream that can be stopped are. After a crash nothing is known of what was written: that is what
 * `runJob` is for.
 */
export function toSink<T>(sink: Sink<T>, options: ToSinkOptions = {}): OperatorFunction<T, number> {
  const check = new StreamChecker('toSink', options, ['every'])
  if (typeof sink?.write !== 'function') check.problem("'sink' must be a sink", sink)
  const every = check.time('every', options.every, false) ?? 1000
  check.done()
  return (source) =>
    new Observable<number>((out) => {
      const writing = new Writing(sink, every, out)
      subscribeWithin(writing.gate, () => writing.subscribe(source))
      void writing.run()
      return () => void writing.close().catch(report)
    })
}

interface Out {
  next(count: number): void
  error(error: unknown): void
  complete(): void
}

class Writing<T> {
  private readonly writer: SinkWriter<T>
  private readonly stopping = new AbortController()
  private readonly subscription: { unsubscribe(): void }[] = []
  /** What hot sources send before the sink is open. */
  private early: T[] | undefined = []
  private written = 0
  private ended = false
  private wake = () => {}
  private closing: Promise<void> | undefined

  constructor(
    private readonly sink: Sink<T>,
    private readonly every: number,
    private readonly out: Out,
  ) {
    this.writer = new SinkWriter(sink, (error) => this.fail(error))
    this.writer.hold()
  }

  get gate() {
    return this.writer.gate
  }

  subscribe(source: Observable<T>): void {
    const subscription = source.subscribe({
      next: (value) => {
        if (this.early === undefined) this.write(value)
        else this.early.push(value)
      },
      error: (error) => this.fail(error),
      complete: () => {
        this.ended = true
        this.wake()
      },
    })
    this.subscription.push(subscription)
  }

  /** Epoch after epoch, until the stream has ended and everything is safe. */
  async run(): Promise<void> {
    try {
      await this.sink.open(undefined, this.stopping.signal)
      for (const value of this.takeEarly()) this.write(value)
      this.writer.release()
      let safe = 0
      for (let epoch = 1; !this.stopping.signal.aborted; epoch++) {
        await this.pause()
        const last = this.ended
        // Written, and taken by the sink: both hold only as long as no more comes.
        this.writer.hold()
        await this.writer.whenIdle()
        if (this.stopping.signal.aborted) return
        const { written } = this
        const prepared = this.sink.prepare(epoch)
        this.writer.release()
        await prepared
        await this.sink.commit(epoch)
        if (written > safe) this.out.next(written)
        safe = written
        if (!last) continue
        await this.close()
        this.out.complete()
        return
      }
    } catch (error) {
      this.fail(error)
    }
  }

  close(): Promise<void> {
    this.closing ??= (async () => {
      this.stopping.abort()
      for (const one of this.subscription) one.unsubscribe()
      this.wake()
      this.writer.dispose()
      await this.sink.close()
    })()
    return this.closing
  }

  private write(value: T): void {
    this.written++
    this.writer.write(value)
  }

  private takeEarly(): T[] {
    const early = this.early ?? []
    this.early = undefined
    return early
  }

  private pause(): Promise<void> {
    if (this.ended || this.stopping.signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.every)
      this.wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  private fail(error: unknown): void {
    if (this.closing !== undefined) return
    this.close().then(
      () => this.out.error(error),
      () => this.out.error(error),
    )
  }
}
