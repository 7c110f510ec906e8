import type { Subscriber } from 'rxjs'
import { type Change, Changes, replay, type Saved, type StatePart, type Value } from '../../checkpoint/part'
import { registerPart } from '../../checkpoint/scope'
import { StateFullError } from '../../errors'
import type { AnyAggregate } from '../aggregates/aggregate'
import { END_OF_TIME, type Item, type StreamEvent, type Watermark } from '../event'
import type { CountWindows } from './definition'
import { Grid } from './grid'
import { type WindowResult, type WindowSettings, WindowStage } from './result'
import { KeySlices, NOTHING } from './slices'
import { SlicesForm } from './slicesForm'

interface Counted<K> extends KeySlices<K> {
  /** How many items the key has had. */
  count: number
  /** The time of the latest of them. */
  time: number
  touched: boolean
}

function counted<K>(key: K): Counted<K> {
  return Object.assign(new KeySlices(key), { count: 0, time: 0, touched: false })
}

/** Count windows: slices as in time windows, with an item's number in place of its time. */
export class CountWindowStage<T, R, K> extends WindowStage<T, R, K> implements StatePart {
  private readonly grid: Grid
  private readonly keys = new Map<K, Counted<K>>()
  private readonly changes: Changes<K> | undefined

  constructor(
    private readonly definition: CountWindows,
    aggregate: AnyAggregate<T, R>,
    settings: WindowSettings<T, K>,
    out: Subscriber<StreamEvent<WindowResult<R, K>, K>>,
  ) {
    super(aggregate, settings, out)
    this.grid = new Grid({ type: 'time', size: definition.size, slide: definition.slide, offset: 0 })
    if (registerPart('inWindows', this)) this.changes = new Changes()
  }

  protected onItem(item: Item<T, K>): void {
    const { grid, aggregate } = this
    const state = this.keys.get(item.key) ?? this.open(item.key)
    this.changes?.changed(item.key)
    const start = grid.sliceOf(state.count)
    let at = state.find(start)
    if (at < 0) at = state.insert(start, aggregate.create())
    const { accumulators } = state
    accumulators[at] = aggregate.accumulate(accumulators[at], item.value)
    state.count++
    state.time = item.time
    const end = state.count
    // Windows that would have begun before the first item are none.
    if (end >= grid.size && grid.endFrom(end) === end) this.close(state, end)
    else if (this.settings.early !== undefined) {
      state.touched = true
      this.expectEarly()
    }
  }

  protected override onWatermark(watermark: Watermark): void {
    if (this.definition.partial && watermark.time === END_OF_TIME) this.sendPartial()
    this.out.next(watermark)
  }

  private sendPartial(): void {
    for (const state of this.keys.values()) {
      const start = this.openStart(state)
      // What the last full window had is no reason for a smaller one.
      const begun =
        state.count > start && (state.count < this.grid.size || state.count > start + this.grid.size - this.grid.slide)
      if (!begun) continue
      const value = state.combined(start, state.count, this.aggregate)
      if (value === NOTHING) continue
      this.send({ key: state.key, start, end: state.count, value, kind: 'final' }, state.time)
    }
  }

  protected sendEarly(): void {
    for (const state of this.keys.values()) {
      if (!state.touched) continue
      state.touched = false
      const start = this.openStart(state)
      const result = state.combined(start, state.count, this.aggregate)
      if (result === NOTHING) continue
      this.send({ key: state.key, start, end: state.count, value: result, kind: 'early' }, state.time)
    }
  }

  get size(): number {
    return this.keys.size
  }

  save(all: boolean): Saved {
    const form = new SlicesForm(this.aggregate)
    return { entries: this.changes!.take(this.keys, all, (state) => form.save(state)) }
  }

  load(_head: unknown, entries: Iterable<readonly [unknown, Change, unknown]>, migrate?: Value): void {
    const form = new SlicesForm(this.aggregate, migrate)
    replay<K, Counted<K>>(this.keys, entries, (saved, key) => form.load(counted(key), saved))
    this.expectEarly()
  }

  private open(key: K): Counted<K> {
    const { maxKeys } = this.settings
    if (this.keys.size >= maxKeys) throw new StateFullError(`inWindows: more than ${maxKeys} keys ('maxKeys')`)
    const state = counted(key)
    this.keys.set(key, state)
    this.changes?.added(key)
    return state
  }

  /** The start of the oldest window that is not full. */
  private openStart(state: Counted<K>): number {
    return Math.max(0, this.grid.endAfter(state.count) - this.grid.size)
  }

  private close(state: Counted<K>, end: number): void {
    const { grid } = this
    const start = end - grid.size
    const value = state.slideTo(start, end, this.aggregate)
    state.touched = false
    state.drop(state.indexFrom(start + grid.slide), this.aggregate)
    if (value !== NOTHING) this.send({ key: state.key, start, end, value, kind: 'final' }, state.time)
  }

  protected override dispose(): void {
    super.dispose()
    if (this.changes !== undefined) for (const key of this.keys.keys()) this.changes.removed(key)
    this.keys.clear()
  }
}
