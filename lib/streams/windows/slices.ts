import type { AnyAggregate } from '../aggregates/aggregate'

/** In place of a result, where a window has no slice. */
export const NOTHING = Symbol('nothing')

/**
 * The slices of one key of count windows, oldest first, and the combination of those in the window that slides over them. What
 * belongs to a slice lies in lists side by side: with many keys, what counts is how much memory a window touches.
 *
 * With a `deduct` that works there is one running accumulator. Else there are two: `suffixes`, where each entry combines a
 * slice with those after it up to a border, and `recent`, which combines the slices behind that border. The oldest
 * slice leaves by dropping a suffix. Either way a slice is combined a fixed number of times, however many windows it is in.
 */
export class KeySlices<K> {
  /** How many slices there are, and the start of the last one: most items need not look at the lists to find theirs. */
  private size = 0
  private newest = 0
  /** The start of each slice. */
  readonly starts: number[] = []
  readonly accumulators: unknown[] = []

  /** Slices that start up to here are in the running combination; undefined: there is none. */
  private border: number | undefined
  private running: unknown
  /** Whether `deduct` has failed: from then on there are suffixes. */
  private inexact = false
  private suffixes: Suffix[] | undefined
  private recent: unknown
  /** Slices that start before it are not in the running combination. */
  private oldest = 0

  constructor(readonly key: K) {}

  /** The place of the slice that starts at `start`, or -1. */
  find(start: number): number {
    if (this.size === 0 || start > this.newest) return -1
    if (start === this.newest) return this.size - 1
    const { starts } = this
    for (let i = starts.length - 1; i >= 0; i--) {
      const one = starts[i]!
      if (one <= start) return one === start ? i : -1
    }
    return -1
  }

  /** Adds a slice, and returns its place. */
  insert(start: number, accumulator: unknown): number {
    const { starts, accumulators } = this
    let at = this.size++
    if (at > 0 && start < this.newest) while (at > 0 && starts[at - 1]! > start) at--
    if (at === starts.length) {
      this.newest = start
      starts.push(start)
      accumulators.push(accumulator)
    } else {
      starts.splice(at, 0, start)
      accumulators.splice(at, 0, accumulator)
    }
    return at
  }

  /** A slice has changed: what was combined with it is no longer right. */
  changed(start: number): void {
    if (this.border !== undefined && start <= this.border) this.forget()
  }

  /** The place of the first slice at or after `start`; behind the last one where there is none. */
  indexFrom(start: number): number {
    const { starts } = this
    let at = 0
    while (at < starts.length && starts[at]! < start) at++
    return at
  }

  /** Drops the first `count` slices. */
  drop(count: number, aggregate: AnyAggregate<unknown, unknown>): void {
    const { starts, accumulators } = this
    const left = starts.length - count
    const next = left > 0 ? starts[count]! : Number.POSITIVE_INFINITY
    if (this.border !== undefined && aggregate.deduct !== undefined && !this.inexact) {
      this.deductUntil(next, this.border, aggregate)
    }
    for (let i = 0; i < left; i++) {
      starts[i] = starts[i + count]!
      accumulators[i] = accumulators[i + count]
    }
    this.size = left
    // Faster than to set their lengths.
    for (let i = 0; i < count; i++) {
      starts.pop()
      accumulators.pop()
    }
  }

  /** The result of the window from `start` to `end`, or NOTHING. */
  slideTo<R>(start: number, end: number, aggregate: AnyAggregate<unknown, R>): R | typeof NOTHING {
    const { starts } = this
    const first = this.indexFrom(start)
    if (first === starts.length || starts[first]! >= end) {
      this.forget()
      return NOTHING
    }
    // One slice alone needs no combination, and keeps none.
    if (first + 1 === starts.length || starts[first + 1]! >= end) {
      this.forget()
      return aggregate.finish(this.accumulators[first])
    }
    if (aggregate.deduct !== undefined && !this.inexact) {
      return aggregate.finish(this.withDeduct(start, end, first, aggregate))
    }
    return aggregate.finish(this.withSuffixes(start, end, first, aggregate))
  }

  /** The same without use of, or change to, what slides. */
  combined<R>(start: number, end: number, aggregate: AnyAggregate<unknown, R>): R | typeof NOTHING {
    const first = this.indexFrom(start)
    if (first === this.starts.length || this.starts[first]! >= end) return NOTHING
    return aggregate.finish(this.combineRange(first, end, aggregate))
  }

  private combineRange(from: number, end: number, aggregate: AnyAggregate<unknown, unknown>): unknown {
    const { starts, accumulators } = this
    let total = aggregate.create()
    for (let i = from; i < starts.length && starts[i]! < end; i++) total = aggregate.combine(total, accumulators[i])
    return total
  }

  private withDeduct(start: number, end: number, first: number, aggregate: AnyAggregate<unknown, unknown>): unknown {
    const { starts, accumulators } = this
    if (this.border !== undefined) this.deductUntil(start, this.border, aggregate)
    // What could not be deducted has ended the running combination.
    if (this.inexact) return this.withSuffixes(start, end, first, aggregate)
    if (this.border === undefined) {
      this.running = this.combineRange(first, end, aggregate)
    } else {
      for (let i = this.indexFrom(this.border + 1); i < starts.length && starts[i]! < end; i++) {
        this.running = aggregate.combine(this.running, accumulators[i])
      }
    }
    this.border = end - 1
    this.oldest = start
    return this.running
  }

  /** Takes the slices before `start` out of the running combination; forgets it where that cannot be done exactly. */
  private deductUntil(start: number, border: number, aggregate: AnyAggregate<unknown, unknown>): void {
    const { starts, accumulators } = this
    if (this.oldest >= start) return
    for (let i = 0; i < starts.length && starts[i]! < start && starts[i]! <= border; i++) {
      if (starts[i]! < this.oldest) continue
      this.running = aggregate.deduct!(this.running, accumulators[i])
      if (this.running === undefined) {
        this.inexact = true
        this.forget()
        return
      }
    }
    this.oldest = start
  }

  private withSuffixes(start: number, end: number, first: number, aggregate: AnyAggregate<unknown, unknown>): unknown {
    const { starts, accumulators } = this
    this.suffixes ??= []
    const { suffixes } = this
    while (suffixes.length > 0 && suffixes[suffixes.length - 1]!.start < start) suffixes.pop()
    if (this.border === undefined || (suffixes.length === 0 && this.oldest < start)) {
      this.oldest = start
      return this.renew(end, first, aggregate)
    }
    for (let i = this.indexFrom(this.border + 1); i < starts.length && starts[i]! < end; i++) {
      this.recent = aggregate.combine(this.recent ?? aggregate.create(), accumulators[i])
    }
    this.border = end - 1
    this.oldest = start
    if (suffixes.length === 0) return this.recent
    const top = suffixes[suffixes.length - 1]!.accumulator
    if (this.recent === undefined) return top
    return aggregate.combine(aggregate.combine(aggregate.create(), top), this.recent)
  }

  /** All suffixes are used up, and what came since becomes some. */
  private renew(end: number, first: number, aggregate: AnyAggregate<unknown, unknown>): unknown {
    const { starts, accumulators } = this
    const suffixes: Suffix[] = []
    this.suffixes = suffixes
    this.border = end - 1
    this.recent = undefined
    let last = first
    while (last < starts.length && starts[last]! < end) last++
    let after: unknown
    for (let i = last - 1; i >= first; i--) {
      let accumulator = aggregate.combine(aggregate.create(), accumulators[i])
      if (i < last - 1) accumulator = aggregate.combine(accumulator, after)
      suffixes.push({ start: starts[i]!, accumulator })
      after = accumulator
    }
    return after
  }

  private forget(): void {
    this.border = undefined
    this.running = this.recent = this.suffixes = undefined
  }
}

interface Suffix {
  readonly start: number
  readonly accumulator: unknown
}
