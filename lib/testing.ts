import { Observable, Subject, type Subscriber, takeUntil } from 'rxjs'
import type { Clock } from './clock'

export type { Clock } from './clock'
export * from './conformance'
export { EmbeddedKafka, type EmbeddedKafkaOptions, type TestRecord } from './testing/embeddedKafka'

interface Timer {
  at: number
  order: number
  run: () => void
}

/** Time that passes only when the test says so. For every option named `clock`. */
export class VirtualClock implements Clock {
  private readonly timers = new Set<Timer>()
  private order = 0

  constructor(private time = 0) {}

  now(): number {
    return this.time
  }

  setTimeout(run: () => void, delay: number): unknown {
    const timer = { at: this.time + Math.max(0, delay), order: this.order++, run }
    this.timers.add(timer)
    return timer
  }

  clearTimeout(timer: unknown): void {
    this.timers.delete(timer as Timer)
  }

  /** How many timers are set. */
  get pending(): number {
    return this.timers.size
  }

  /** Lets `milliseconds` pass: timers that are due run in their order, each followed by what promises have to do. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.time + milliseconds
    await settled()
    for (let timer = this.next(end); timer !== undefined; timer = this.next(end)) {
      this.timers.delete(timer)
      this.time = Math.max(this.time, timer.at)
      timer.run()
      await settled()
    }
    this.time = end
  }

  /** The same where nothing waits for promises. */
  advanceSync(milliseconds: number): void {
    const end = this.time + milliseconds
    for (let timer = this.next(end); timer !== undefined; timer = this.next(end)) {
      this.timers.delete(timer)
      this.time = Math.max(this.time, timer.at)
      timer.run()
    }
    this.time = end
  }

  private next(end: number): Timer | undefined {
    let first: Timer | undefined
    for (const timer of this.timers) {
      if (timer.at > end) continue
      if (first === undefined || timer.at < first.at || (timer.at === first.at && timer.order < first.order))
        first = timer
    }
    return first
  }
}

/** Promises that are settled have told everybody afterwards. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** One step of a `TestSource`'s script. */
export type Step<T> =
  | { items: readonly T[] }
  /** Milliseconds by the source's clock. */
  | { pause: number }
  /** The stream errors; a source that is subscribed again (`retry`) goes on with the step after it. */
  | { abort: unknown }
  /** Runs in the middle of the script, such as to pull a plug. */
  | { run: () => void }

/**
 * A source that plays a script: items, pauses, aborts. After its last step it completes. Each subscription begins at the
 * first step, or behind an abort: at the step after that one.
 */
export class TestSource<T> extends Observable<T> {
  /** How many subscriptions there have been. */
  subscriptions = 0
  /** How many of them are over. */
  unsubscriptions = 0
  private from = 0

  constructor(
    private readonly script: readonly Step<T>[],
    private readonly clock: Clock = {
      now: Date.now,
      setTimeout,
      clearTimeout: (timer) => clearTimeout(timer as never),
    },
  ) {
    super((subscriber) => this.play(subscriber))
  }

  private play(subscriber: Subscriber<T>): () => void {
    this.subscriptions++
    let timer: unknown
    const go = (from: number): void => {
      for (let at = from; at < this.script.length && !subscriber.closed; at++) {
        const step = this.script[at]!
        if ('items' in step) {
          for (const item of step.items) subscriber.next(item)
        } else if ('run' in step) {
          step.run()
        } else if ('abort' in step) {
          this.from = at + 1
          subscriber.error(step.abort)
          return
        } else {
          timer = this.clock.setTimeout(() => go(at + 1), step.pause)
          return
        }
      }
      subscriber.complete()
    }
    go(this.from)
    return () => {
      this.unsubscriptions++
      this.clock.clearTimeout(timer)
    }
  }
}

/** An observer that keeps what it gets, for a test to look at and wait for. */
export class TestSink<T> {
  readonly items: T[] = []
  error: unknown
  state: 'open' | 'completed' | 'failed' = 'open'
  private readonly waiting = new Set<() => void>()

  /** `accept` is called with each item first; what it throws is thrown to the stream, as by a sink that fails. */
  constructor(private readonly accept?: (item: T) => void) {}

  next(item: T): void {
    this.accept?.(item)
    this.items.push(item)
    this.changed()
  }

  fail(error: unknown): void {
    if (this.state !== 'open') return
    this.state = 'failed'
    this.error = error
    this.changed()
  }

  complete(): void {
    if (this.state !== 'open') return
    this.state = 'completed'
    this.changed()
  }

  /** Subscribes this sink to a stream. */
  drain(stream: Observable<T>): this {
    const over = new Subject<void>()
    stream.pipe(takeUntil(over)).subscribe({
      next: (item) => {
        try {
          this.next(item)
        } catch (error) {
          this.fail(error)
          over.next()
        }
      },
      error: (error) => this.fail(error),
      complete: () => this.complete(),
    })
    return this
  }

  /** The first `count` items, as soon as they are there. Rejects where the stream ends before. */
  take(count: number): Promise<T[]> {
    return this.until(() => (this.items.length >= count ? this.items.slice(0, count) : undefined), `${count} items`)
  }

  /** All items, at the end of the stream. Rejects where it failed. */
  all(): Promise<T[]> {
    return this.until(() => (this.state === 'completed' ? [...this.items] : undefined), 'the end')
  }

  private until<R>(look: () => R | undefined, what: string): Promise<R> {
    return new Promise((resolve, reject) => {
      const check = () => {
        const found = look()
        if (found === undefined && this.state === 'open') return
        this.waiting.delete(check)
        if (found !== undefined) resolve(found)
        else if (this.state === 'failed') reject(this.error)
        else reject(new Error(`the stream completed with ${this.items.length} items, before ${what}`))
      }
      this.waiting.add(check)
      check()
    })
  }

  private changed(): void {
    for (const check of [...this.waiting]) check()
  }
}
