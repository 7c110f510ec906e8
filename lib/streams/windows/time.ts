import type { Subscriber } from 'rxjs'
import { type Change, Changes, type Saved, type StatePart, type Value } from '../../checkpoint/part'
import { registerPart } from '../../checkpoint/scope'
import { StateFullError } from '../../errors'
import type { AnyAggregate } from '../aggregates/aggregate'
import type { Item, StreamEvent, Watermark } from '../event'
import type { TimeWindows } from './definition'
import { Grid } from './grid'
import { Marks } from './marks'
import { NONE, type Pane, Panes } from './panes'
import { loadPanes, type PanesHead, savePanes } from './panesForm'
import { type WindowResult, type WindowSettings, WindowStage } from './result'
import { RunningWindow } from './running'

/** Tumbling and sliding windows: an item costs one `accumulate`, whatever the number of windows that it is in. */
export class TimeWindowStage<T, R, K> extends WindowStage<T, R, K> implements StatePart {
  private readonly grid: Grid
  private readonly panes: Panes<K>
  /** Undefined: windows of one pane each. */
  private readonly running: RunningWindow<K> | undefined
  /** By place: the starts of panes that have changed since the last early result. */
  private readonly fresh: Map<number, Set<number>> | undefined
  /** The end of the first window that has items and is not due yet. */
  private nextEnd = Number.POSITIVE_INFINITY
  /** When panes can next be dropped. */
  private nextDrop = Number.POSITIVE_INFINITY

  constructor(
    definition: TimeWindows,
    aggregate: AnyAggregate<T, R>,
    settings: WindowSettings<T, K>,
    out: Subscriber<StreamEvent<WindowResult<R, K>, K>>,
  ) {
    super(aggregate, settings, out)
    this.grid = new Grid(definition)
    this.panes = new Panes((place) => {
      this.running?.forget(place)
      this.fresh?.delete(place)
    })
    if (this.grid.slice < this.grid.size) this.running = new RunningWindow(this.panes, aggregate)
    if (settings.early !== undefined) this.fresh = new Map()
    if (registerPart('inWindows', this)) {
      this.panes.changes = new Changes()
      if (this.running !== undefined) this.running.marks = new Marks()
    }
  }

  protected onItem(item: Item<T, K>): void {
    const { grid, aggregate, watermark, panes } = this
    const start = grid.sliceOf(item.time)
    const closed = watermark >= start + grid.slice
    if (closed && grid.lastEnd(start) + this.settings.lateness <= watermark) {
      this.setAside(item)
      return
    }
    const place = panes.keys.get(item.key) ?? this.open(item.key)
    const pane = panes.at(start) ?? this.openPane(start)
    const before = pane.get(place)
    if (before === NONE) panes.holds(place)
    const accumulator = aggregate.accumulate(before === NONE ? aggregate.create() : before, item.value)
    if (accumulator !== before) pane.set(place, accumulator, panes.names.length)
    else pane.marks?.add(place)
    if (pane.inside) this.running!.changed(place, before === NONE)
    if (this.fresh !== undefined) this.expectEarlyOf(this.fresh, place, start)
    if (closed) this.correct(item.key, place, start)
  }

  protected override onWatermark(watermark: Watermark): void {
    this.watermark = watermark.time
    while (this.nextEnd <= watermark.time && this.nextEnd !== Number.POSITIVE_INFINITY) this.close(this.nextEnd)
    if (this.nextDrop <= watermark.time) this.drop(this.watermark - this.settings.lateness)
    this.out.next(watermark)
  }

  protected sendEarly(): void {
    const { grid, aggregate, panes, fresh } = this
    if (fresh === undefined) return
    for (const [place, starts] of [...fresh]) {
      fresh.delete(place)
      const key = panes.names[place] as K
      let sent = Number.NEGATIVE_INFINITY
      for (const { start: slice } of [...panes.all]) {
        if (!starts.has(slice)) continue
        const last = grid.lastEnd(slice)
        const from = Math.max(grid.firstEnd(slice), sent + grid.slide)
        for (let end = Math.max(from, this.firstOpenEnd()); end <= last; end += grid.slide) {
          const start = end - grid.size
          const total = panes.combined(place, start, end, aggregate)
          if (total !== NONE) this.send({ key, start, end, value: aggregate.finish(total), kind: 'early' }, end - 1)
          sent = end
        }
      }
    }
  }

  get size(): number {
    const { panes, running } = this
    return panes.keys.size + panes.size + (running?.totals.length ?? 0)
  }

  save(all: boolean): Saved {
    const { watermark, nextEnd, nextDrop, panes, running, aggregate } = this
    const { head, entries } = savePanes(panes, running, aggregate, all)
    return { head: { watermark, nextEnd, nextDrop, panes: head }, entries }
  }

  load(head: unknown, entries: Iterable<readonly [unknown, Change, unknown]>, migrate?: Value): void {
    const { panes: saved, ...times } = head as { panes: PanesHead }
    Object.assign(this, times)
    const { panes, running, aggregate, fresh } = this
    loadPanes(panes, running, aggregate, saved, entries, migrate)
    if (fresh === undefined) return
    for (const pane of panes.all) pane.each((place) => this.expectEarlyOf(fresh, place, pane.start))
  }

  private expectEarlyOf(fresh: Map<number, Set<number>>, place: number, start: number): void {
    const starts = fresh.get(place)
    if (starts === undefined) fresh.set(place, new Set([start]))
    else starts.add(start)
    this.expectEarly()
  }

  private open(key: K): number {
    const { maxKeys } = this.settings
    if (this.panes.keys.size >= maxKeys) {
      throw new StateFullError(`inWindows: more than ${maxKeys} keys have open windows ('maxKeys')`)
    }
    return this.panes.open(key)
  }

  /** A new pane: its windows will have to close, and it will have to go. */
  private openPane(start: number): Pane {
    const { grid } = this
    const pane = this.panes.insert(start)
    if (this.running?.covers(start)) pane.inside = true
    const end = Math.max(grid.firstEnd(start), this.firstOpenEnd())
    const last = grid.lastEnd(start)
    if (end <= last && end < this.nextEnd) this.nextEnd = end
    this.nextDrop = Math.min(this.nextDrop, last + this.settings.lateness)
    return pane
  }

  private firstOpenEnd(): number {
    return this.watermark === Number.NEGATIVE_INFINITY ? this.watermark : this.grid.endAfter(this.watermark)
  }

  /** Sends the results of the windows that end at `end`, finds the end that is next, and drops what is of no more use. */
  private close(end: number): void {
    const { grid, panes, running } = this
    const start = end - grid.size
    if (running !== undefined) this.sendRunning(running, start, end)
    else this.sendPane(panes.at(start), start, end)
    const next = panes.all[panes.indexFrom(start + grid.slide)]?.start ?? Number.POSITIVE_INFINITY
    this.nextEnd = Math.max(end + grid.slide, grid.firstEnd(next))
    this.drop(Math.min(end, this.watermark - this.settings.lateness))
  }

  private sendRunning(running: RunningWindow<K>, start: number, end: number): void {
    const { aggregate } = this
    const { names } = this.panes
    running.slideTo(start, end)
    for (let place = 0; place < names.length; place++) {
      if (!running.has(place)) continue
      const value = aggregate.finish(running.total(place))
      this.send({ key: names[place] as K, start, end, value, kind: 'final' }, end - 1)
    }
  }

  private sendPane(pane: Pane | undefined, start: number, end: number): void {
    const { aggregate, panes } = this
    pane?.eachInOrder((place, accumulator) => {
      const value = aggregate.finish(accumulator)
      this.send({ key: panes.names[place] as K, start, end, value, kind: 'final' }, end - 1)
    })
  }

  /** A late item, but not too late: the windows that had closed without it are told again. */
  private correct(key: K, place: number, slice: number): void {
    const { grid, watermark, aggregate } = this
    const { lateness } = this.settings
    const last = Math.min(grid.lastEnd(slice), watermark)
    for (let end = grid.firstEnd(slice); end <= last; end += grid.slide) {
      if (end + lateness <= watermark) continue
      const start = end - grid.size
      const total = this.panes.combined(place, start, end, aggregate)
      if (total !== NONE) this.send({ key, start, end, value: aggregate.finish(total), kind: 'late' }, end - 1)
    }
  }

  /** Drops the panes whose windows are all over at `time`. */
  private drop(time: number): void {
    this.panes.dropBefore(this.grid.firstOpen(time), (pane) => this.running?.leave(pane))
    const oldest = this.panes.all[0]?.start ?? Number.POSITIVE_INFINITY
    this.nextDrop = this.grid.lastEnd(oldest) + this.settings.lateness
  }

  protected override dispose(): void {
    super.dispose()
    this.panes.clear()
  }
}
