import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { firstValueFrom, lastValueFrom, map, take, toArray } from 'rxjs'
import { type Dataset, PartitionError, parallelize } from '../../../lib/batch'
import { OptionError } from '../../../lib/errors'
import { allOf, count, max, sum } from '../../../lib/streams'
import { failsWith } from '../../fixtures/failures'

interface Row {
  id: number
  name: string
}

const collected = <T>(dataset: Dataset<T>, concurrency = 3) => lastValueFrom(dataset.collect({ concurrency }))
const rows = fc.array(fc.record({ id: fc.integer({ min: -5, max: 5 }), name: fc.string({ maxLength: 3 }) }), {
  maxLength: 60,
})
const partitions = fc.integer({ min: 1, max: 9 })

/** In some order that does not depend on the keys' places. */
function sorted<T>(values: readonly T[]): string[] {
  return values.map((value) => JSON.stringify(value)).sort()
}

function grouped<T, K>(items: readonly T[], key: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>()
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item])
  return groups
}

describe('datasets do what arrays do', () => {
  it('map, filter, flatMap, collect, toStream: in order', () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: -50, max: 50 })), partitions, async (items, n) => {
        const dataset = parallelize(items, n)
          .map((one) => one * 3)
          .filter((one) => one % 2 === 0)
          .flatMap((one) => [one, -one])
        const expected = items
          .map((one) => one * 3)
          .filter((one) => one % 2 === 0)
          .flatMap((one) => [one, -one])
        assert.deepEqual(await collected(dataset), expected)
        assert.deepEqual(await lastValueFrom(dataset.toStream({ concurrency: 2 }).pipe(toArray())), expected)
        assert.equal(await lastValueFrom(dataset.count()), expected.length)
      }),
      { numRuns: 60 },
    ))

  it('reduce, aggregate', () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.string({ maxLength: 3 })), partitions, async (items, n) => {
        const dataset = parallelize(items, n)
        const joined = await lastValueFrom(dataset.reduce((a, b) => a + b).pipe(toArray()))
        assert.deepEqual(joined, items.length === 0 ? [] : [items.join('')])
        const both = allOf({ n: count(), longest: max<string>((one) => one.length) })
        assert.deepEqual(await lastValueFrom(dataset.aggregate(both)), {
          n: items.length,
          longest: items.find((one) => items.every((other) => other.length <= one.length)),
        })
      }),
      { numRuns: 60 },
    ))

  it('groupBy: lists and other aggregates, behind other steps, into other partitions', () =>
    fc.assert(
      fc.asyncProperty(rows, partitions, partitions, async (items, n, m) => {
        const dataset = parallelize(items, n)
        const groups = grouped(items, (row) => row.id)
        const lists = [...groups].map(([key, value]) => ({ key, value }))
        assert.deepEqual(sorted(await collected(dataset.groupBy((row) => row.id))), sorted(lists))
        const sizes = dataset
          .groupBy((row) => row.id, count(), { partitions: m })
          .groupBy(
            (group) => group.value,
            sum((group) => group.key),
          )
        const bySize = grouped(lists, ({ value }) => value.length)
        const expected = [...bySize].map(([key, all]) => ({
          key,
          value: all.reduce((total, one) => total + one.key, 0),
        }))
        assert.deepEqual(sorted(await collected(sizes)), sorted(expected))
      }),
      { numRuns: 60 },
    ))

  it('join, of all kinds', () =>
    fc.assert(
      fc.asyncProperty(
        rows,
        rows,
        partitions,
        partitions,
        fc.constantFrom('inner', 'left', 'right', 'outer'),
        async (left, right, n, m, kind) => {
          const joined = parallelize(left, n).join(parallelize(right, m), {
            left: (row) => row.id,
            right: (row) => row.id,
            kind: kind as 'inner',
            select: (a, b, key): unknown => [key, a ?? null, b ?? null],
          })
          const expected: unknown[] = left.flatMap((a) =>
            right.filter((b) => b.id === a.id).map((b) => [a.id, a, b] as unknown),
          )
          const alone = (list: Row[], others: Row[]) => list.filter((a) => others.every((b) => b.id !== a.id))
          if (kind === 'left' || kind === 'outer') expected.push(...alone(left, right).map((a) => [a.id, a, null]))
          if (kind === 'right' || kind === 'outer') expected.push(...alone(right, left).map((b) => [b.id, null, b]))
          assert.deepEqual(sorted(await collected(joined)), sorted(expected))
        },
      ),
      { numRuns: 60 },
    ))
})

describe('datasets', () => {
  it('compute nothing before they are asked, and anew each time, but for what is cached', async () => {
    const seen: number[] = []
    const mapped = parallelize([1, 2, 3, 4], 2).map((one) => {
      seen.push(one)
      return one * 10
    })
    const cached = mapped.cache()
    assert.deepEqual(seen, [])
    await collected(mapped)
    await collected(mapped)
    assert.equal(seen.length, 8)
    assert.deepEqual(await collected(cached), [10, 20, 30, 40])
    assert.deepEqual(await collected(cached.map((one) => one + 1)), [11, 21, 31, 41])
    assert.equal(seen.length, 12)
  })

  it('do not mind what happens to the array afterwards', async () => {
    const items = [1, 2, 3]
    const dataset = parallelize(items)
    items.push(4)
    assert.deepEqual(await collected(dataset), [1, 2, 3])
  })

  it('compute no more partitions ahead than allowed, and none after the last one that is wanted', async () => {
    const begun = new Set<number>()
    const dataset = parallelize(
      Array.from({ length: 100 }, (_, i) => i),
      50,
    ).map((one) => {
      begun.add(Math.floor(one / 2))
      return one
    })
    const first = await lastValueFrom(dataset.toStream({ concurrency: 3 }).pipe(take(4), toArray()))
    assert.deepEqual(first, [0, 1, 2, 3])
    await new Promise((resolve) => setTimeout(resolve, 20))
    assert.ok(begun.size >= 2 && begun.size <= 6, `${begun.size} partitions`)
  })

  it('take any operator, for each partition by itself', async () => {
    const numbered = parallelize(['a', 'b', 'c', 'd'], 2).through(map((one, index) => `${one}${index}`))
    assert.deepEqual(await collected(numbered), ['a0', 'b1', 'c0', 'd1'])
  })

  it('tell which partition failed, and in which step', async () => {
    let calls = 0
    const dataset = parallelize([1, 2, 3, 4, 5, 6], 3)
      .filter((one) => one > 0)
      .map((one) => {
        calls++
        if (one === 4) throw new RangeError('four')
        return one
      })
      .filter(() => true)
    const error = await failsWith(firstValueFrom(dataset.collect()), PartitionError, 'ERR_PARTITION')
    assert.equal(error.message, 'partition 1 of 3 failed in map: four')
    assert.deepEqual([error.step, error.partition, error.partitions, error.attempts], ['map', 1, 3, 1])
    assert.ok(error.cause instanceof RangeError)
    assert.ok(calls <= 6)
  })

  it('tell of a key, an aggregate or a reduction that throws', async () => {
    const broken = () => {
      throw new Error('no')
    }
    const dataset = parallelize([1, 2], 1)
    for (const [made, step] of [
      [dataset.groupBy(broken).count(), 'groupBy'],
      [dataset.reduce(broken), 'reduce'],
      [dataset.flatMap(broken).count(), 'flatMap'],
      [dataset.join(dataset, { left: (one) => one, right: broken }).count(), 'join'],
    ] as const) {
      const error = await failsWith(
        lastValueFrom(made as Parameters<typeof lastValueFrom>[0]),
        PartitionError,
        'ERR_PARTITION',
      )
      assert.equal(error.step, step)
    }
  })

  it('check what they are given at once', () => {
    const dataset = parallelize([1])
    for (const wrong of [
      () => parallelize(7 as never),
      () => parallelize([], 0),
      () => dataset.map(undefined as never),
      () => dataset.groupBy((one) => one, {} as never, { partition: 1 } as never),
      () => dataset.join({} as never, {} as never),
      () => dataset.collect({ attempts: 0 }),
      () => dataset.mapPython('a:b', { batch: 0 }),
    ]) {
      assert.throws(wrong, OptionError)
    }
  })
})
