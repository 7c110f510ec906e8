import type { AnyAggregate } from '../aggregates/aggregate'

/** What came for one key in one slice of time. */
export interface Slice {
  readonly start: number
  accumulator: unknown
  /** Whether something came since the last early result. */
  fresh: boolean
}

/**
 * The slices of one key, oldest first, and the combination of those in the window that slides over them.
 *
 * With `deduct` there is one running accumulator. Without it there are two: `suffixes`, where each entry combines a slice
 * with those after it up to a border, and `recent`, which combines the slices behind that border. The oldest slice
 * leaves by dropping a suffix. Either way a slice is combined a fixed number of times, however many windows it is in.
 */
export class KeySlices<K> {
  readonly slices: Slice[] = []

  /** Up to here (start of a slice) slices are in the running combination; undefined: there is none. */
  private border: number | undefined
  private running: unknown
  private suffixes: { start: number; accumulator: unknown }[] = []
  private recent: unknown
  /** From here on (start of a slice) slices are in the running combination. */
  private oldest = 0

  constructor(readonly key: K) {}

  find(start: number): Slice | undefined {
    for (let i = this.slices.length - 1; i >= 0; i--) {
      const slice = this.slices[i]!
      if (slice.start <= start) return slice.start === start ? slice : undefined
    }
    return undefined
  }

  insert(slice: Slice): void {
    let at = this.slices.length
    while (at > 0 && this.slices[at - 1]!.start > slice.start) at--
    if (at === this.slices.length) this.slices.push(slice)
    else this.slices.splice(at, 0, slice)
  }

  /** A slice has changed: what was combined with it is no longer right. */
  changed(start: number): void {
    if (this.border !== undefined && start <= this.border) this.forget()
  }

  /** The first slice at or after `start`. */
  firstFrom(start: number): Slice | undefined {
    return this.slices[this.indexFrom(start)]
  }

  /** Drops the slices that start before `start`. */
  dropBefore(start: number, aggregate: AnyAggregate<unknown, unknown>): void {
    const count = this.indexFrom(start)
    if (count === 0) return
    if (this.border !== undefined && aggregate.deduct !== undefined) {
      this.deductUntil(start, this.border, aggregate)
      this.oldest = Math.max(this.oldest, start)
    }
    this.slices.splice(0, count)
  }

  /** The result of the window from `start` to `end`; undefined where it has no slice. */
  slideTo<R>(start: number, end: number, aggregate: AnyAggregate<unknown, R>): { value: R } | undefined {
    const first = this.firstFrom(start)
    if (first === undefined || first.start >= end) {
      this.forget()
      return undefined
    }
    const next = this.firstFrom(first.start + 1)
    // One slice alone needs no combination, and keeps none.
    if (next === undefined || next.start >= end) {
      this.forget()
      return { value: aggregate.finish(first.accumulator) }
    }
    const total =
      aggregate.deduct === undefined ? this.withSuffixes(start, end, aggregate) : this.withDeduct(start, end, aggregate)
    this.oldest = start
    return { value: aggregate.finish(total) }
  }

  /** The same without use of, or change to, what slides. */
  combined<R>(start: number, end: number, aggregate: AnyAggregate<unknown, R>): { value: R } | undefined {
    const first = this.indexFrom(start)
    if (first === this.slices.length || this.slices[first]!.start >= end) return undefined
    return { value: aggregate.finish(this.combineRange(first, end, aggregate)) }
  }

  private combineRange(from: number, end: number, aggregate: AnyAggregate<unknown, unknown>): unknown {
    let total = aggregate.create()
    for (let i = from; i < this.slices.length && this.slices[i]!.start < end; i++) {
      total = aggregate.combine(total, this.slices[i]!.accumulator)
    }
    return total
  }

  private withDeduct(start: number, end: number, aggregate: AnyAggregate<unknown, unknown>): unknown {
    const { slices } = this
    if (this.border === undefined || this.oldest > start) {
      this.running = this.combineRange(this.indexFrom(start), end, aggregate)
    } else {
      this.deductUntil(start, this.border, aggregate)
      for (let i = this.indexFrom(Math.max(start, this.border + 1)); i < slices.length && slices[i]!.start < end; i++) {
        this.running = aggregate.combine(this.running, slices[i]!.accumulator)
      }
    }
    this.border = end - 1
    return this.running
  }

  private deductUntil(start: number, border: number, aggregate: AnyAggregate<unknown, unknown>): void {
    const { slices } = this
    for (let i = this.indexFrom(this.oldest); i < slices.length && slices[i]!.start < start; i++) {
      if (slices[i]!.start <= border) this.running = aggregate.deduct!(this.running, slices[i]!.accumulator)
    }
  }

  private withSuffixes(start: number, end: number, aggregate: AnyAggregate<unknown, unknown>): unknown {
    const { slices, suffixes } = this
    while (suffixes.length > 0 && suffixes[suffixes.length - 1]!.start < start) suffixes.pop()
    if (this.border === undefined || (suffixes.length === 0 && this.oldest < start)) {
      // All suffixes are used up, and what came since has to become some.
      this.border = end - 1
      this.recent = undefined
      const from = this.indexFrom(start)
      let last = from
      while (last < slices.length && slices[last]!.start < end) last++
      let after: unknown
      for (let i = last - 1; i >= from; i--) {
        let accumulator = aggregate.combine(aggregate.create(), slices[i]!.accumulator)
        if (i < last - 1) accumulator = aggregate.combine(accumulator, after)
        suffixes.push({ start: slices[i]!.start, accumulator })
        after = accumulator
      }
      return after
    }
    for (let i = this.indexFrom(this.border + 1); i < slices.length && slices[i]!.start < end; i++) {
      this.recent = aggregate.combine(this.recent ?? aggregate.create(), slices[i]!.accumulator)
    }
    this.border = end - 1
    if (suffixes.length === 0) return this.recent
    const top = suffixes[suffixes.length - 1]!.accumulator
    if (this.recent === undefined) return top
    return aggregate.combine(aggregate.combine(aggregate.create(), top), this.recent)
  }

  private indexFrom(start: number): number {
    const { slices } = this
    let at = 0
    while (at < slices.length && slices[at]!.start < start) at++
    return at
  }

  private forget(): void {
    this.border = undefined
    this.running = this.recent = undefined
    if (this.suffixes.length > 0) this.suffixes = []
  }
}
