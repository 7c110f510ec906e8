import type { Subscriber } from 'rxjs'
import type { Clock } from '../../clock'
import type { AnyAggregate } from '../aggregates/aggregate'
import { type EventStream, Item, type StreamEvent } from '../event'
import { EventStage } from '../stage'

/**
 * Why a result comes:
 * - `'final'`: the watermark has passed the end of the window, or a count window is full;
 * - `'early'`: the window is still open, and this is what it has so far;
 * - `'late'`: an item came after the end, but within the lateness: takes the place of the result before, if there was one.
 */
export type ResultKind = 'final' | 'early' | 'late'

/** What a window gives. */
export interface WindowResult<R, K = undefined> {
  key: K
  /** The first millisecond of the window; of count windows the number of its first item among those of its key. */
  start: number
  /** The first millisecond after the window; of count windows the number of the first item after it. */
  end: number
  value: R
  kind: ResultKind
  /** Sessions: the results before, by start and end, that this one takes the place of. */
  replaces?: readonly { start: number; end: number }[]
}

export type ResultStream<R, K> = EventStream<WindowResult<R, K>, K>

/** Options of `inWindows`, checked. */
export interface WindowSettings<T, K> {
  lateness: number
  late: ((item: Item<T, K>) => void) | undefined
  early: number | undefined
  maxKeys: number
  clock: Clock
}

/** What window stages of all kinds share: results out, late items aside, a timer for early results. */
export abstract class WindowStage<T, R, K> extends EventStage<T, WindowResult<R, K>, K, K> {
  protected watermark = Number.NEGATIVE_INFINITY
  private timer: unknown

  constructor(
    protected readonly aggregate: AnyAggregate<T, R>,
    protected readonly settings: WindowSettings<T, K>,
    out: Subscriber<StreamEvent<WindowResult<R, K>, K>>,
  ) {
    super(out)
  }

  protected abstract sendEarly(): void

  /** `time` is the result's event time; what it has by then is in time for what comes behind. */
  protected send(result: WindowResult<R, K>, time: number): void {
    this.out.next(new Item(result, time, result.key))
  }

  protected setAside(item: Item<T, K>): void {
    this.settings.late?.(item)
  }

  /** Something has changed that an early result should tell. */
  protected expectEarly(): void {
    const { early, clock } = this.settings
    if (early === undefined || this.timer !== undefined) return
    this.timer = clock.setTimeout(() => {
      this.timer = undefined
      this.guarded(() => this.sendEarly())
    }, early)
  }

  protected override dispose(): void {
    if (this.timer !== undefined) this.settings.clock.clearTimeout(this.timer)
  }
}
