import type { OperatorFunction, Subscriber } from 'rxjs'
import { Subscriber as RxSubscriber } from 'rxjs'
import type { Saved, StatePart } from '../checkpoint/part'
import { registerPart } from '../checkpoint/scope'
import { type Clock, systemClock } from '../clock'
import { TimestampError } from '../errors'
import { StreamChecker } from './check'
import { END_OF_TIME, Item, type StreamEvent, Watermark } from './event'
import { stageOperator } from './stage'
import { type SavedWatermarks, WatermarkMaker } from './watermarks'

export interface TimeOptions<T> {
  /**
   * How far items may be out of order, in milliseconds of event time (default 0): the watermark stays so far behind the
   * latest item. What comes later still is late.
   */
  disorder?: number
  /** Which partition an item came from. Each has a watermark of its own; the slowest decides for the stream. */
  partition?: (value: T) => unknown
  /** Partitions that are known beforehand: the watermark waits for the first item of each (or for `idle`). */
  partitions?: readonly unknown[]
  /**
   * Milliseconds of silence after which a partition no longer holds the others back. While all are silent, event time
   * goes on as the clock does, so that windows close without a further item. Default: never.
   */
  idle?: number
  /** The least step between two watermarks, in milliseconds of event time (default: every one that is higher). */
  every?: number
  /** Where `idle`, and the time of items without a selector, come from; default: the system. */
  clock?: Clock
}

const KNOWN = ['disorder', 'partition', 'partitions', 'idle', 'every', 'clock']

/**
 * Gives each value its event time, and the stream its watermarks. `selector` returns milliseconds or a `Date`; anything
 * else ends the stream with a `TimestampError`. When the source completes, a last watermark makes everything due.
 */
export function timestampBy<T>(
  selector: (value: T) => number | Date,
  options?: TimeOptions<T>,
): OperatorFunction<T, StreamEvent<T>> {
  return timestamps('timestampBy', options, selector)
}

/** Like `timestampBy`, where the time of an item is that of its arrival. */
export function withTimestamps<T>(options?: TimeOptions<T>): OperatorFunction<T, StreamEvent<T>> {
  return timestamps('withTimestamps', options)
}

interface Complete<T> {
  disorder: number
  partition: ((value: T) => unknown) | undefined
  partitions: readonly unknown[]
  idle: number | undefined
  every: number
  clock: Clock
}

function timestamps<T>(
  where: string,
  options: TimeOptions<T> | undefined,
  selector?: (value: T) => number | Date,
): OperatorFunction<T, StreamEvent<T>> {
  const check = new StreamChecker(where, options, KNOWN)
  if (where === 'timestampBy') check.fn('selector', selector, true)
  check.fn('partition', options?.partition)
  const partitions = options?.partitions
  if (partitions !== undefined && !Array.isArray(partitions)) {
    check.problem("'partitions' must be a list of what 'partition' returns", partitions)
  }
  if (partitions !== undefined && options?.partition === undefined) {
    check.problem("'partitions' is of no use without 'partition'")
  }
  const complete: Complete<T> = {
    disorder: check.time('disorder', options?.disorder, true) ?? 0,
    partition: options?.partition,
    partitions: [...(Array.isArray(partitions) ? partitions : [])],
    idle: check.time('idle', options?.idle, false),
    every: check.time('every', options?.every, true) ?? 0,
    clock: check.clock(options?.clock) ?? systemClock,
  }
  check.done()
  return stageOperator<T, StreamEvent<T>>((out) => new Stamper(complete, selector, out))
}

class Stamper<T> extends RxSubscriber<T> implements StatePart {
  private readonly maker: WatermarkMaker
  private sent = Number.NEGATIVE_INFINITY
  private timer: unknown

  constructor(
    private readonly options: Complete<T>,
    private readonly selector: ((value: T) => number | Date) | undefined,
    private readonly out: Subscriber<StreamEvent<T>>,
  ) {
    super(out)
    const now = options.clock.now()
    this.maker = new WatermarkMaker(options.disorder, options.idle, options.partitions, now)
    this.add(() => this.stopTimer())
    registerPart('timestampBy', this)
    this.schedule(now)
  }

  protected override _next(value: T): void {
    const { options, selector, out } = this
    try {
      const now = selector === undefined || options.idle !== undefined ? options.clock.now() : 0
      const time = selector === undefined ? now : millisecondsOf(selector(value))
      const partition = options.partition?.(value)
      out.next(new Item(value, time, undefined))
      if (this.maker.observe(partition, time, now)) this.tell(options.every)
      if (options.idle !== undefined && this.timer === undefined) this.schedule(now)
    } catch (error) {
      out.error(error)
    }
  }

  protected override _complete(): void {
    this.out.next(new Watermark(END_OF_TIME))
    super._complete()
  }

  get size(): number {
    return 0
  }

  save(): Saved {
    return { head: { sent: this.sent, maker: this.maker.save() }, entries: [] }
  }

  load(head: unknown): void {
    const { sent, maker } = head as { sent: number; maker: SavedWatermarks }
    const now = this.options.clock.now()
    this.sent = sent
    this.maker.load(maker, now)
    this.stopTimer()
    this.schedule(now)
  }

  private tell(every: number): void {
    const { current } = this.maker
    if (current - this.sent < every || current === this.sent) return
    this.sent = current
    this.out.next(new Watermark(current))
  }

  private schedule(now: number): void {
    const next = this.closed ? undefined : this.maker.nextLook(now)
    this.timer =
      next === undefined ? undefined : this.options.clock.setTimeout(this.onTimer, Math.max(1, Math.ceil(next - now)))
  }

  private readonly onTimer = (): void => {
    this.timer = undefined
    const now = this.options.clock.now()
    try {
      // What a larger step held back goes out as well: nothing else may come to push it.
      this.maker.lookForIdle(now)
      this.tell(0)
    } catch (error) {
      this.out.error(error)
    }
    this.schedule(now)
  }

  private stopTimer(): void {
    if (this.timer !== undefined) this.options.clock.clearTimeout(this.timer)
    this.timer = undefined
  }
}

function millisecondsOf(time: number | Date): number {
  const milliseconds = time instanceof Date ? time.getTime() : time
  if (typeof milliseconds === 'number' && Number.isFinite(milliseconds)) return milliseconds
  throw new TimestampError(time)
}
