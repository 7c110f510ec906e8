import type { Changes } from '../../checkpoint/part'
import type { AnyAggregate } from '../aggregates/aggregate'
import { Free } from './free'
import { Marks } from './marks'

/** In place of an accumulator, where there is none: `undefined` may be one. */
export const NONE = Symbol('none')

/** A pane becomes a list when one key of so many is in it: that is where a list takes less memory than a `Map`. */
const SPARSE = 8

/** The accumulators of all keys for one slice of time, by the keys' places. */
export class Pane {
  /** Whether it is in the combinations of the window that slides over the panes. */
  inside = false
  /** In jobs: the places that the next checkpoint has to write. */
  marks: Marks | undefined
  /** In jobs: whether no checkpoint has it yet. */
  fresh = true
  private list: unknown[] | undefined
  private few: Map<number, unknown> = new Map()

  constructor(readonly start: number) {}

  get(place: number): unknown {
    const { list } = this
    if (list !== undefined) return place < list.length ? list[place] : NONE
    const one = this.few.get(place)
    return one === undefined && !this.few.has(place) ? NONE : one
  }

  /** @param places how many places there are */
  set(place: number, accumulator: unknown, places: number): void {
    const { list } = this
    this.marks?.add(place)
    if (list === undefined) {
      this.few.set(place, accumulator)
      if (this.few.size * SPARSE > places) this.spread()
      return
    }
    while (list.length <= place) list.push(NONE)
    list[place] = accumulator
  }

  each(visit: (place: number, accumulator: unknown) => void): void {
    const { list } = this
    if (list === undefined) {
      for (const [place, accumulator] of this.few) visit(place, accumulator)
      return
    }
    for (let place = 0; place < list.length; place++) if (list[place] !== NONE) visit(place, list[place])
  }

  /** The same in the order of the places, so that results do not depend on how the pane came to be. */
  eachInOrder(visit: (place: number, accumulator: unknown) => void): void {
    if (this.list !== undefined) this.each(visit)
    else for (const place of Uint32Array.from(this.few.keys()).sort()) visit(place, this.few.get(place))
  }

  private spread(): void {
    const list: unknown[] = []
    for (const [place, accumulator] of this.few) {
      while (list.length <= place) list.push(NONE)
      list[place] = accumulator
    }
    this.list = list
    this.few = new Map()
  }
}

/**
 * The panes of all keys, oldest first. Each key has a place, the same in every pane, so that what belongs to one moment
 * lies side by side: with many keys, what a window costs is the memory that it touches.
 */
export class Panes<K> {
  readonly all: Pane[] = []
  /** The place of each key. */
  readonly keys = new Map<K, number>()
  /** The key of each place; NONE where it is free. */
  readonly names: (K | typeof NONE)[] = []
  /** How many panes have something of the key at a place. */
  private readonly held: number[] = []
  private readonly free = new Free()
  /** In jobs: the keys that have come or gone since the last checkpoint. */
  changes: Changes<K> | undefined
  private latest: Pane | undefined

  /** @param released is told of each place whose key is forgotten */
  constructor(private readonly released: (place: number) => void) {}

  /** A place for a key that has none. */
  open(key: K): number {
    let place = this.free.pop()
    // Places at the end are given up without a look at this list.
    while (place !== undefined && this.names[place] !== NONE) place = this.free.pop()
    if (place === undefined) place = this.names.push(key) - 1
    else this.names[place] = key
    this.held[place] = 0
    this.keys.set(key, place)
    this.changes?.added(key)
    return place
  }

  /** The pane that starts at `start`, if there is one. */
  at(start: number): Pane | undefined {
    const { latest } = this
    if (latest !== undefined && latest.start === start) return latest
    const found = this.all[this.indexFrom(start)]
    if (found?.start !== start) return undefined
    this.latest = found
    return found
  }

  /** Adds a pane. */
  insert(start: number): Pane {
    const pane = new Pane(start)
    if (this.changes !== undefined) pane.marks = new Marks()
    this.all.splice(this.indexFrom(start), 0, pane)
    this.latest = pane
    return pane
  }

  /** The pane of this place has got its first accumulator. */
  holds(place: number): void {
    this.held[place]!++
  }

  /** The index of the first pane at or after `start`; behind the last one where there is none. */
  indexFrom(start: number): number {
    const { all } = this
    let at = all.length
    while (at > 0 && all[at - 1]!.start >= start) at--
    return at
  }

  /** Drops the panes before `start`, and the keys that have no others. */
  dropBefore(start: number, leaving: (pane: Pane) => void): void {
    const { all } = this
    let count = 0
    while (count < all.length && all[count]!.start < start) count++
    if (count === 0) return
    for (const pane of all.splice(0, count)) {
      if (pane.inside) leaving(pane)
      pane.each((place) => {
        if (--this.held[place]! === 0) this.release(place)
      })
    }
    this.latest = undefined
  }

  /** The panes from `start` to `end` of one place in one accumulator; NONE where they have nothing. */
  combined(place: number, start: number, end: number, aggregate: AnyAggregate<unknown, unknown>): unknown {
    const { all } = this
    let total: unknown = NONE
    for (let i = this.indexFrom(start); i < all.length && all[i]!.start < end; i++) {
      const one = all[i]!.get(place)
      if (one !== NONE) total = aggregate.combine(total === NONE ? aggregate.create() : total, one)
    }
    return total
  }

  /** How many accumulators there are. */
  get size(): number {
    let size = 0
    for (let place = 0; place < this.held.length; place++) size += this.held[place]!
    return size
  }

  /** Puts the keys of a checkpoint back in their places. Comes before the panes. */
  restoreKeys(places: Iterable<readonly [K, number]>): void {
    const { names, held, free } = this
    for (const [key, place] of places) {
      while (names.length <= place) {
        names.push(NONE)
        held.push(0)
      }
      names[place] = key
      this.keys.set(key, place)
    }
    for (let place = 0; place < names.length; place++) if (names[place] === NONE) free.push(place)
  }

  restorePane(start: number, accumulators: Iterable<readonly [number, unknown]>): Pane {
    const pane = this.insert(start)
    for (const [place, accumulator] of accumulators) {
      pane.set(place, accumulator, this.names.length)
      this.holds(place)
    }
    pane.marks?.take()
    pane.fresh = false
    return pane
  }

  clear(): void {
    if (this.changes !== undefined) for (const key of this.keys.keys()) this.changes.removed(key)
    this.all.length = this.names.length = this.held.length = 0
    this.free.clear()
    this.keys.clear()
    this.latest = undefined
  }

  private release(place: number): void {
    const { names } = this
    this.keys.delete(names[place] as K)
    this.changes?.removed(names[place] as K)
    names[place] = NONE
    if (place < names.length - 1) this.free.push(place)
    while (names.length > 0 && names[names.length - 1] === NONE) names.pop()
    if (names.length === 0) this.free.clear()
    this.held.length = names.length
    this.released(place)
  }
}
