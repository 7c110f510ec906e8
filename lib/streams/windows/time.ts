import type { Subscriber } from 'rxjs'
import { StateFullError } from '../../errors'
import type { AnyAggregate } from '../aggregates/aggregate'
import type { Item, StreamEvent, Watermark } from '../event'
import type { TimeWindows } from './definition'
import { Grid } from './grid'
import { type WindowResult, type WindowSettings, WindowStage } from './result'
import { KeySlices, NOTHING } from './slices'

/** Tumbling and sliding windows: an item costs one `accumulate`, whatever the number of windows that it is in. */
export class TimeWindowStage<T, R, K> extends WindowStage<T, R, K> {
  private readonly grid: Grid
  private readonly keys = new Map<K, KeySlices<K>>()
  private readonly tellsEarly: boolean
  /** The end of the first window that has items and is not due yet. */
  private nextEnd = Number.POSITIVE_INFINITY
  /** When slices can next be dropped. */
  private nextDrop = Number.POSITIVE_INFINITY

  constructor(
    definition: TimeWindows,
    aggregate: AnyAggregate<T, R>,
    settings: WindowSettings<T, K>,
    out: Subscriber<StreamEvent<WindowResult<R, K>, K>>,
  ) {
    super(aggregate, settings, out)
    this.grid = new Grid(definition)
    this.tellsEarly = settings.early !== undefined
  }

  protected onItem(item: Item<T, K>): void {
    const { grid, aggregate, watermark } = this
    const start = grid.sliceOf(item.time)
    if (watermark >= start + grid.slice && grid.lastEnd(start) + this.settings.lateness <= watermark) {
      this.setAside(item)
      return
    }
    let state = this.keys.get(item.key)
    if (state === undefined) state = this.open(item.key)
    let at = state.find(start)
    if (at < 0) {
      at = state.insert(start, aggregate.create())
      this.expect(start)
    }
    const { accumulators } = state
    accumulators[at] = aggregate.accumulate(accumulators[at], item.value)
    state.changed(start)
    if (this.tellsEarly) {
      state.fresh ??= new Set()
      state.fresh.add(start)
      this.expectEarly()
    }
    if (watermark >= start + grid.slice) this.correct(state, start)
  }

  protected override onWatermark(watermark: Watermark): void {
    this.watermark = watermark.time
    while (this.nextEnd <= watermark.time && this.nextEnd !== Number.POSITIVE_INFINITY) this.close(this.nextEnd)
    if (this.nextDrop <= watermark.time) this.drop()
    this.out.next(watermark)
  }

  protected sendEarly(): void {
    const { grid, aggregate } = this
    for (const state of this.keys.values()) {
      const { fresh } = state
      if (fresh === undefined) continue
      state.fresh = undefined
      let sent = Number.NEGATIVE_INFINITY
      for (const slice of state.starts) {
        if (!fresh.has(slice)) continue
        const last = grid.lastEnd(slice)
        const from = Math.max(grid.firstEnd(slice), sent + grid.slide)
        for (let end = Math.max(from, this.firstOpenEnd()); end <= last; end += grid.slide) {
          const start = end - grid.size
          const result = state.combined(start, end, aggregate)
          if (result !== NOTHING) this.send({ key: state.key, start, end, value: result, kind: 'early' }, end - 1)
          sent = end
        }
      }
    }
  }

  private open(key: K): KeySlices<K> {
    const { maxKeys } = this.settings
    if (this.keys.size >= maxKeys) {
      throw new StateFullError(`inWindows: more than ${maxKeys} keys have open windows ('maxKeys')`)
    }
    const state = new KeySlices(key)
    this.keys.set(key, state)
    return state
  }

  /** A new slice: its windows will have to close, and it will have to go. */
  private expect(start: number): void {
    const { grid } = this
    const end = Math.max(grid.firstEnd(start), this.firstOpenEnd())
    const last = grid.lastEnd(start)
    if (end <= last && end < this.nextEnd) this.nextEnd = end
    this.nextDrop = Math.min(this.nextDrop, last + this.settings.lateness)
  }

  private firstOpenEnd(): number {
    return this.watermark === Number.NEGATIVE_INFINITY ? this.watermark : this.grid.endAfter(this.watermark)
  }

  /** Sends the results of the windows that end at `end`, finds the end that is next, and drops what is of no more use. */
  private close(end: number): void {
    const { grid, aggregate } = this
    const { lateness } = this.settings
    const start = end - grid.size
    const nextStart = start + grid.slide
    const open = grid.firstOpen(Math.min(end, this.watermark - lateness))
    let next = Number.POSITIVE_INFINITY
    let oldest = Number.POSITIVE_INFINITY
    for (const state of this.keys.values()) {
      const result = state.slideTo(start, end, aggregate)
      if (result !== NOTHING) this.send({ key: state.key, start, end, value: result, kind: 'final' }, end - 1)
      const { starts } = state
      const at = state.indexFrom(nextStart)
      if (at < starts.length && starts[at]! < next) next = starts[at]!
      const first = this.trim(state, open === nextStart ? at : state.indexFrom(open))
      if (first < oldest) oldest = first
    }
    this.nextEnd = Math.max(end + grid.slide, grid.firstEnd(next))
    this.nextDrop = grid.lastEnd(oldest) + lateness
  }

  /** A late item, but not too late: the windows that had closed without it are told again. */
  private correct(state: KeySlices<K>, slice: number): void {
    const { grid, watermark, aggregate } = this
    const { lateness } = this.settings
    const last = Math.min(grid.lastEnd(slice), watermark)
    for (let end = grid.firstEnd(slice); end <= last; end += grid.slide) {
      if (end + lateness <= watermark) continue
      const start = end - grid.size
      const result = state.combined(start, end, aggregate)
      if (result !== NOTHING) this.send({ key: state.key, start, end, value: result, kind: 'late' }, end - 1)
    }
  }

  private drop(): void {
    const { lateness } = this.settings
    const open = this.grid.firstOpen(this.watermark - lateness)
    let oldest = Number.POSITIVE_INFINITY
    for (const state of this.keys.values()) {
      oldest = Math.min(oldest, this.trim(state, state.indexFrom(open)))
    }
    this.nextDrop = this.grid.lastEnd(oldest) + lateness
  }

  /** Drops the first `count` slices, or the key where it has no others; returns the start of the oldest that is left. */
  private trim(state: KeySlices<K>, count: number): number {
    const { starts } = state
    if (count === starts.length) {
      this.keys.delete(state.key)
      return Number.POSITIVE_INFINITY
    }
    if (count > 0) state.drop(count, this.aggregate)
    return starts[0]!
  }

  protected override dispose(): void {
    super.dispose()
    this.keys.clear()
  }
}
