import { StreamChecker } from '../check'
import type { Aggregate } from './aggregate'
import { itself } from './numbers'

/** All values, in the order in which they came (for sliding windows: slice by slice). */
export function toList<T>(): Aggregate<T, T[], T[]> {
  return {
    create: () => [],
    accumulate(list, value) {
      list.push(value)
      return list
    },
    combine(into, from) {
      for (const value of from) into.push(value)
      return into
    },
    finish: (list) => [...list],
  }
}

export interface TopOptions<T> {
  /** What to rank by; greatest first. Default: the value itself. */
  by?: (value: T) => number
}

export interface Ranked<T> {
  value: T
  by: number
}

/** The `n` values that rank highest, the highest first; of equals the one that came first. */
export function topN<T = number>(n: number, options: TopOptions<T> = {}): Aggregate<T, Ranked<T>[], T[]> {
  const check = new StreamChecker('topN', options, ['by'])
  check.requiredWhole('n', n, 1, 1_000_000)
  check.fn('by', options.by)
  check.done()
  const by = options.by ?? (itself as (value: T) => number)
  const insert = (top: Ranked<T>[], value: T, rank: number) => {
    if (top.length === n && !(rank > top[n - 1]!.by)) return
    let low = 0
    let high = top.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (top[middle]!.by >= rank) low = middle + 1
      else high = middle
    }
    top.splice(low, 0, { value, by: rank })
    if (top.length > n) top.pop()
  }
  return {
    create: () => [],
    accumulate(top, value) {
      const rank = by(value)
      // NaN has no rank.
      if (!Number.isNaN(rank)) insert(top, value, rank)
      return top
    },
    combine(into, from) {
      for (const { value, by: rank } of from) insert(into, value, rank)
      return into
    },
    finish: (top) => top.map(({ value }) => value),
  }
}
