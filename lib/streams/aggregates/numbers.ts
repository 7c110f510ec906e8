import { StreamChecker } from '../check'
import type { Aggregate } from './aggregate'

/** How many. */
export function count(): Aggregate<unknown, number, number> {
  return {
    create: () => 0,
    accumulate: (n) => n + 1,
    combine: (a, b) => a + b,
    deduct: (a, b) => a - b,
    finish: (n) => n,
  }
}

/** A sum that keeps what rounding would lose (Neumaier's), so that order hardly matters. */
export interface ExactSum {
  sum: number
  lost: number
}

/** A number as long as there are only whole ones, and the sum is exact: the least memory, and parts can be taken back. */
export type Total = number | ExactSum

function add(total: Total, value: number): Total {
  if (typeof total === 'number') {
    const next = total + value
    if (Number.isSafeInteger(next) && Number.isSafeInteger(value)) return next
    return add({ sum: total, lost: 0 }, value)
  }
  const { sum } = total
  const next = sum + value
  if (Number.isFinite(next)) total.lost += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum
  total.sum = next
  return total
}

function combine(into: Total, from: Total): Total {
  if (typeof from === 'number') return add(into, from)
  const total = typeof into === 'number' ? { sum: into, lost: 0 } : into
  add(total, from.sum)
  total.lost += from.lost
  return total
}

function sumOf(total: Total): number {
  if (typeof total === 'number') return total
  return Number.isFinite(total.sum) ? total.sum + total.lost : total.sum
}

/** The sum of what `selector` returns; without one, of the values themselves. */
export function sum<T = number>(selector: (value: T) => number = itself): Aggregate<T, Total, number> {
  requireSelector('sum', selector)
  return {
    create: () => 0,
    accumulate: (total, value) => add(total, selector(value)),
    combine,
    deduct: (from, what) => (typeof from === 'number' && typeof what === 'number' ? from - what : undefined),
    finish: sumOf,
  }
}

/** The mean; `NaN` where there is no value. */
export function average<T = number>(
  selector: (value: T) => number = itself,
): Aggregate<T, { total: Total; count: number }, number> {
  requireSelector('average', selector)
  return {
    create: () => ({ total: 0, count: 0 }),
    accumulate(mean, value) {
      mean.total = add(mean.total, selector(value))
      mean.count++
      return mean
    },
    combine(into, from) {
      into.total = combine(into.total, from.total)
      into.count += from.count
      return into
    },
    deduct(from, what) {
      if (typeof from.total !== 'number' || typeof what.total !== 'number') return undefined
      from.total -= what.total
      from.count -= what.count
      return from
    },
    finish: ({ total, count }) => (count === 0 ? Number.NaN : sumOf(total) / count),
  }
}

/** The value for which `selector` is least, the first of equals; `undefined` where there is none. */
export function min<T = number>(selector: (value: T) => number | string | bigint | Date = itself) {
  requireSelector('min', selector)
  return extreme(selector, (a, b) => a < b)
}

/** The value for which `selector` is greatest, the first of equals; `undefined` where there is none. */
export function max<T = number>(selector: (value: T) => number | string | bigint | Date = itself) {
  requireSelector('max', selector)
  return extreme(selector, (a, b) => a > b)
}

type Comparable = number | string | bigint | Date
/** The best so far; `by` is what it was chosen by. */
export type Best<T> = { value: T; by: Comparable } | undefined

function extreme<T>(
  selector: (value: T) => Comparable,
  better: (a: Comparable, b: Comparable) => boolean,
): Aggregate<T, Best<T>, T | undefined> {
  return {
    create: () => undefined,
    accumulate(best, value) {
      const by = selector(value)
      return best === undefined || better(by, best.by) ? { value, by } : best
    },
    combine: (a, b) => (a === undefined || (b !== undefined && better(b.by, a.by)) ? b : a),
    finish: (best) => best?.value,
  }
}

/** A line through points: `y = slope * x + intercept`, by least squares. */
export interface Regression {
  count: number
  slope: number
  intercept: number
}

/** Means and centred moments, which stay exact where plain sums of squares would not. */
export interface Moments {
  count: number
  x: number
  y: number
  xx: number
  xy: number
}

/** Least squares through (`x`, `y`); `NaN` for slope and intercept where all x are the same. */
export function linearRegression<T>(
  x: (value: T) => number,
  y: (value: T) => number,
): Aggregate<T, Moments, Regression> {
  const check = new StreamChecker('linearRegression', undefined, [])
  check.fn('x', x, true)
  check.fn('y', y, true)
  check.done()
  return {
    create: () => ({ count: 0, x: 0, y: 0, xx: 0, xy: 0 }),
    accumulate(m, value) {
      const [px, py] = [x(value), y(value)]
      const dx = px - m.x
      m.count++
      m.x += dx / m.count
      m.y += (py - m.y) / m.count
      m.xx += dx * (px - m.x)
      m.xy += dx * (py - m.y)
      return m
    },
    combine(a, b) {
      if (b.count === 0) return a
      const n = a.count + b.count
      const [dx, dy] = [b.x - a.x, b.y - a.y]
      const weight = (a.count * b.count) / n
      a.xx += b.xx + dx * dx * weight
      a.xy += b.xy + dx * dy * weight
      a.x += (dx * b.count) / n
      a.y += (dy * b.count) / n
      a.count = n
      return a
    },
    finish(m) {
      const slope = m.xx > 0 ? m.xy / m.xx : Number.NaN
      return { count: m.count, slope, intercept: m.y - slope * m.x }
    },
  }
}

// biome-ignore lint/suspicious/noExplicitAny: the default of selectors, for values that are what is asked for
export const itself = (value: any): any => value

export function requireSelector(where: string, selector: unknown): void {
  new StreamChecker(where, undefined, []).requireFn('selector', selector)
}
