import type { AnyAggregate } from '../aggregates/aggregate'
import type { Marks } from './marks'
import { NONE, type Pane, type Panes } from './panes'

/** In place of a combination: one of its panes has changed since. */
export const STALE = Symbol('stale')

/**
 * For each key the combination of the panes in a window that slides over them.
 *
 * With a `deduct` that works there is one running accumulator: panes are added at one end and taken out at the other. Else
 * there are two (`Suffixes`). Either way a pane is combined a fixed number of times, however many windows it is in.
 */
export class RunningWindow<K> {
  /** How many panes of the window have something of the key at a place. */
  private readonly counts: number[] = []
  /** By place: with `deduct` the accumulator, else `Suffixes`; or NONE or STALE. */
  readonly totals: unknown[] = []
  start = Number.NEGATIVE_INFINITY
  end = Number.NEGATIVE_INFINITY
  exact: boolean
  /** In jobs: the places whose combinations the next checkpoint has to write. */
  marks: Marks | undefined

  constructor(
    private readonly panes: Panes<K>,
    private readonly aggregate: AnyAggregate<unknown, unknown>,
  ) {
    this.exact = aggregate.deduct !== undefined
  }

  /** Whether a pane that starts at `start` would be in the window by now. */
  covers(start: number): boolean {
    return start >= this.start && start < this.end
  }

  has(place: number): boolean {
    return this.counts[place]! > 0
  }

  /** A pane inside has changed at a place; `added`: it had nothing there before. */
  changed(place: number, added: boolean): void {
    this.reach(place)
    if (added) this.counts[place]!++
    this.totals[place] = STALE
    this.marks?.add(place)
  }

  /** Moves the window on. */
  slideTo(start: number, end: number): void {
    const { all } = this.panes
    for (let i = 0; i < all.length && all[i]!.start < start; i++) if (all[i]!.inside) this.leave(all[i]!)
    for (let i = this.panes.indexFrom(start); i < all.length && all[i]!.start < end; i++) {
      if (!all[i]!.inside) this.enter(all[i]!)
    }
    this.start = start
    this.end = end
    if (this.panes.names.length > 0) this.reach(this.panes.names.length - 1)
  }

  /** The combination for a place that has one. It must not be changed. */
  total(place: number): unknown {
    const total = this.totals[place]
    if (!this.exact || total === STALE) this.marks?.add(place)
    if (!this.exact) return this.fromSuffixes(place, total)
    if (total !== STALE) return total
    const renewed = this.panes.combined(place, this.start, this.end, this.aggregate)
    this.totals[place] = renewed
    return renewed
  }

  private readonly enter = (pane: Pane): void => {
    pane.inside = true
    const { aggregate, counts, totals } = this
    pane.each((place, accumulator) => {
      if (place >= counts.length) this.reach(place)
      counts[place]!++
      this.marks?.add(place)
      const total = totals[place]
      if (!this.exact || total === STALE) return
      totals[place] = aggregate.combine(total === NONE ? aggregate.create() : total, accumulator)
    })
  }

  /** Takes a pane out, before it is dropped or because the window has left it behind. */
  readonly leave = (pane: Pane): void => {
    pane.inside = false
    const { aggregate, counts, totals } = this
    pane.each((place, accumulator) => {
      this.marks?.add(place)
      if (--counts[place]! === 0) totals[place] = NONE
      else if (this.exact && totals[place] !== STALE) {
        const left = aggregate.deduct!(totals[place], accumulator)
        if (left === undefined) this.giveUp()
        else totals[place] = left
      }
    })
  }

  /** What cannot be taken out exactly is combined anew, from now on. */
  private giveUp(): void {
    this.exact = false
    for (let place = 0; place < this.totals.length; place++) {
      if (this.totals[place] === NONE) continue
      this.totals[place] = STALE
      this.marks?.add(place)
    }
  }

  private fromSuffixes(place: number, total: unknown): unknown {
    const { panes, aggregate, start, end } = this
    if (total instanceof Suffixes) {
      const slid = total.slideTo(panes, place, start, end, aggregate)
      if (slid !== NONE) return slid
    }
    const suffixes = new Suffixes(panes, place, start, end, aggregate)
    this.totals[place] = suffixes
    return suffixes.whole
  }

  /** The key at a place is no more. */
  readonly forget = (place: number): void => {
    this.marks?.add(place)
    if (place >= this.counts.length) return
    this.counts[place] = 0
    this.totals[place] = NONE
    this.counts.length = this.totals.length = Math.min(this.counts.length, this.panes.names.length)
  }

  /** Puts the window of a checkpoint back over panes that are there. */
  restore(start: number, end: number, exact: boolean, totals: Iterable<readonly [number, unknown]>): void {
    Object.assign(this, { start, end, exact: exact && this.exact })
    this.reach(this.panes.names.length - 1)
    for (const pane of this.panes.all) {
      pane.inside = this.covers(pane.start)
      if (pane.inside) pane.each((place) => this.counts[place]!++)
    }
    for (const [place, total] of totals) this.totals[place] = total
  }

  private reach(place: number): void {
    while (this.counts.length <= place) {
      this.counts.push(0)
      this.totals.push(NONE)
    }
  }
}

/**
 * The panes of one key in two parts: for those up to a border each entry combines a pane with all after it, and `recent`
 * combines those behind the border. The oldest pane leaves by dropping an entry.
 */
export class Suffixes {
  private readonly starts: number[] = []
  private readonly accumulators: unknown[] = []
  private recent: unknown = NONE
  /** What starts before it is in one of the parts. */
  private end: number

  /** What `save` gave, as it was. */
  static load({ starts, accumulators, recent, end }: SavedSuffixes, load: (saved: unknown) => unknown): Suffixes {
    return Object.assign(Object.create(Suffixes.prototype) as Suffixes, {
      starts,
      accumulators: accumulators.map(load),
      recent: recent.length === 0 ? NONE : load(recent[0]),
      end,
    })
  }

  constructor(
    panes: Panes<unknown>,
    place: number,
    start: number,
    end: number,
    aggregate: AnyAggregate<unknown, unknown>,
  ) {
    this.end = end
    const { all } = panes
    for (let i = panes.indexFrom(end) - 1; i >= 0 && all[i]!.start >= start; i--) {
      const one = all[i]!.get(place)
      if (one === NONE) continue
      const total = aggregate.combine(aggregate.create(), one)
      this.accumulators.push(this.starts.length === 0 ? total : aggregate.combine(total, this.whole))
      this.starts.push(all[i]!.start)
    }
  }

  save(save: (accumulator: unknown) => unknown): SavedSuffixes {
    const { starts, accumulators, recent, end } = this
    return { starts, accumulators: accumulators.map(save), recent: recent === NONE ? [] : [save(recent)], end }
  }

  /** All panes up to the border that are left. */
  get whole(): unknown {
    return this.accumulators[this.accumulators.length - 1]
  }

  /** The combination from `start` to `end`, or NONE: all up to the border are used up. */
  slideTo(
    panes: Panes<unknown>,
    place: number,
    start: number,
    end: number,
    aggregate: AnyAggregate<unknown, unknown>,
  ): unknown {
    const { starts, accumulators } = this
    while (starts.length > 0 && starts[starts.length - 1]! < start) {
      starts.pop()
      accumulators.pop()
    }
    if (starts.length === 0) return NONE
    const { all } = panes
    for (let i = panes.indexFrom(this.end); i < all.length && all[i]!.start < end; i++) {
      const one = all[i]!.get(place)
      if (one === NONE) continue
      this.recent = aggregate.combine(this.recent === NONE ? aggregate.create() : this.recent, one)
    }
    this.end = end
    if (this.recent === NONE) return this.whole
    return aggregate.combine(aggregate.combine(aggregate.create(), this.whole), this.recent)
  }
}

/** `Suffixes` in a checkpoint; `recent` is a list of one or none. */
export interface SavedSuffixes {
  readonly starts: number[]
  readonly accumulators: unknown[]
  readonly recent: unknown[]
  readonly end: number
}
