import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import {
  type Aggregate,
  aggregate,
  allOf,
  average,
  count,
  distinct,
  linearRegression,
  max,
  min,
  quantiles,
  sum,
  toList,
  topN,
} from '../../../lib/streams'

function over<T, A, R>(what: Aggregate<T, A, R>, values: readonly T[]): R {
  return what.finish(values.reduce((accumulator, value) => what.accumulate(accumulator, value), what.create()))
}

/** The same in parts that are combined, as windows do it. */
function inParts<T, A, R>(what: Aggregate<T, A, R>, parts: readonly (readonly T[])[]): R {
  const accumulators = parts.map((part) => part.reduce((a, value) => what.accumulate(a, value), what.create()))
  return what.finish(accumulators.reduce((into, from) => what.combine(into, from), what.create()))
}

function near(found: number, wanted: number, tolerance: number): void {
  assert.ok(Math.abs(found - wanted) <= tolerance, `${found} is not within ${tolerance} of ${wanted}`)
}

const numbers = (length: number) => Array.from({ length }, (_, i) => ((i * 7919) % length) + 1)

describe('aggregates', () => {
  it('of nothing', () => {
    const all = allOf({
      n: count(),
      total: sum(),
      mean: average(),
      low: min(),
      top: topN(2),
      d: distinct(),
      q: quantiles([0.5]),
    })
    assert.deepEqual(over(all, []), { n: 0, total: 0, mean: NaN, low: undefined, top: [], d: 0, q: [NaN] })
  })

  it('count, sum, average, min, max', () => {
    const all = allOf({ n: count(), total: sum(), mean: average(), low: min(), high: max() })
    assert.deepEqual(over(all, [3, 1, 2]), { n: 3, total: 6, mean: 2, low: 1, high: 3 })
  })

  it('sum keeps what rounding would lose', () => {
    assert.equal(over(sum(), [1e16, 1, -1e16, 1]), 2)
    assert.equal(
      over(
        sum(),
        Array.from({ length: 10 }, () => 0.1),
      ),
      1,
    )
    assert.equal(over(sum(), [Infinity, 1]), Infinity)
    assert.equal(inParts(sum(), [[1e16, 1], [-1e16], [1]]), 2)
  })

  it('min and max give the value, the first of equals', () => {
    const people = [
      { name: 'a', age: 3 },
      { name: 'b', age: 1 },
      { name: 'c', age: 1 },
      { name: 'd', age: 3 },
    ]
    assert.equal(
      over(
        min((one: (typeof people)[0]) => one.age),
        people,
      )?.name,
      'b',
    )
    assert.equal(
      over(
        max((one: (typeof people)[0]) => one.age),
        people,
      )?.name,
      'a',
    )
    assert.equal(
      over(
        max((word: string) => word),
        ['b', 'c', 'a'],
      ),
      'c',
    )
  })

  it('topN ranks, the first of equals first, and does not care for the parts', () => {
    assert.deepEqual(over(topN(3), [1, 5, 2, 5, 9, 4]), [9, 5, 5])
    const words = ['x1', 'y3', 'z3', 'w2']
    assert.deepEqual(over(topN(2, { by: (word: string) => Number(word[1]) }), words), ['y3', 'z3'])
    fc.assert(
      fc.property(fc.array(fc.array(fc.integer())), fc.integer({ min: 1, max: 5 }), (parts, n) => {
        assert.deepEqual(
          inParts(topN(n), parts),
          parts
            .flat()
            .sort((a, b) => b - a)
            .slice(0, n),
        )
      }),
    )
  })

  it('linear regression finds the line, in parts as well, far from the origin too', () => {
    const points = numbers(1000).map((x) => ({ x: x + 1e9, y: 3 * x + 7 }))
    const line = linearRegression<{ x: number; y: number }>(
      (p) => p.x,
      (p) => p.y,
    )
    for (const found of [over(line, points), inParts(line, [points.slice(0, 10), [], points.slice(10)])]) {
      assert.equal(found.count, 1000)
      near(found.slope, 3, 1e-9)
      near(found.slope * 1e9 + found.intercept, 7, 10)
    }
    assert.ok(Number.isNaN(over(line, [{ x: 1, y: 1 }]).slope))
  })

  it('distinct is exact for few and near for many, in parts as well', () => {
    assert.equal(
      over(distinct(), ['a', 'b', 'a', 1, '1', null, true, 'true', new Date(1), new Date(1), { a: 1 }, { a: 1 }]),
      9,
    )
    const values = numbers(20_000).map((n) => `user-${n % 10_000}`)
    near(over(distinct<string>(), values), 10_000, 600)
    const parts = [values.slice(0, 100), values.slice(100, 9000), values.slice(9000, 9100), values.slice(9100)]
    assert.equal(inParts(distinct<string>(), parts), over(distinct<string>(), values))
    assert.equal(
      over(
        distinct((n: number) => n, { exact: 20_000 }),
        numbers(5000),
      ),
      5000,
    )
  })

  it('quantiles are near, in parts as well', () => {
    const values = numbers(20_000)
    const digest = quantiles([0, 0.5, 0.99, 1])
    for (const [low, middle, high, top] of [
      over(digest, values),
      inParts(digest, [values.slice(0, 5000), values.slice(5000)]),
    ]) {
      near(low!, 1, 50)
      near(middle!, 10_000, 200)
      near(high!, 19_800, 50)
      near(top!, 20_000, 50)
    }
  })

  it('finish leaves the accumulator as it is', () => {
    const all = allOf({ list: toList<number>(), top: topN(2), d: distinct<number>(), q: quantiles([0.5]) })
    const accumulator = all.accumulate(all.create(), 5)
    all.finish(accumulator).list.push(99)
    all.finish(accumulator).top.push(99)
    assert.deepEqual(all.finish(all.accumulate(accumulator, 7)), { list: [5, 7], top: [7, 5], d: 2, q: [6] })
  })

  it('check what they are given, all problems at once', () => {
    const problems = { code: 'ERR_OPTION' }
    assert.throws(() => topN(0), problems)
    assert.throws(
      () => distinct(undefined, { precision: 3, exact: -1 }),
      (e: { problems: string[] }) => e.problems.length === 2,
    )
    assert.throws(
      () => quantiles([2], undefined, { delta: 0 }),
      (e: { problems: string[] }) => e.problems.length === 2,
    )
    assert.throws(
      () => allOf({ a: {} as never, b: {} as never }),
      (e: { problems: string[] }) => e.problems.length === 2,
    )
    assert.throws(() => aggregate({ create: () => 0 } as never), problems)
    assert.throws(() => sum('price' as never), problems)
  })
})
