import assert from 'node:assert/strict'
import fc from 'fast-check'
import { concat, from, lastValueFrom, range, share, toArray } from 'rxjs'
import {
  type ArrayHandler,
  filterPython,
  flatMapPython,
  fromIterable,
  mapPython,
  type OperatorOptions,
  scanPython,
} from '../../lib/index'
import { anyString, jsonValue } from '../fixtures/arbitraries'
import { inEachMode, openHandlers, withPool } from '../fixtures/modes'

inEachMode('operators with Python', (test) => {
  const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)
  const options: Pick<OperatorOptions, 'batch' | 'concurrency'>[] = [
    {},
    { batch: 1 },
    { batch: 7, concurrency: 3 },
    { batch: { maxWait: 2 } },
  ]

  for (const option of options) {
    describe(`with ${JSON.stringify(option)}`, () => {
      it('mapPython', async () => {
        const handler = test.pool.handler<number, number>('flow:double')
        const values = await lastValueFrom(range(0, 500).pipe(mapPython(handler, option), toArray()))
        assert.deepEqual(
          values,
          numbers(500).map((item) => item * 2),
        )
      })

      it('filterPython', async () => {
        const records = numbers(500).map((id) => ({ id, even: id % 2 === 0 }))
        const source = 'lambda batch: [item["even"] and item["id"] % 3 for item in batch]'
        const kept = await lastValueFrom(
          from(records).pipe(filterPython<(typeof records)[0]>(source, { ...option, pool: test.pool }), toArray()),
        )
        const expected = records.filter(({ id, even }) => even && id % 3 !== 0)
        assert.deepEqual(kept, expected)
        assert.ok(
          kept.every((record, i) => record === expected[i]),
          'the very objects, not copies',
        )
      })

      it('flatMapPython', async () => {
        const handler = test.pool.handler<number, number>('flow:repeat')
        const values = await lastValueFrom(range(0, 300).pipe(flatMapPython(handler, option), toArray()))
        assert.deepEqual(
          values,
          numbers(300).flatMap((item) => new Array(item % 4).fill(item)),
        )
      })

      it('scanPython', async () => {
        const totals$ = range(1, 300).pipe(scanPython<number, number>('flow:total', { ...option, pool: test.pool }))
        const expected = numbers(301)
          .slice(1)
          .map((n) => (n * (n + 1)) / 2)
        assert.deepEqual(await lastValueFrom(totals$.pipe(toArray())), expected)
        assert.deepEqual(await lastValueFrom(totals$.pipe(toArray())), expected, 'a new subscription starts anew')
      })
    })
  }

  it('carry any strings and any JSON in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyString, { maxLength: 30 }),
        fc.array(jsonValue, { maxLength: 15 }),
        fc.integer({ min: 1, max: 9 }),
        async (strings, values, batch) => {
          const { pool } = test
          const text$ = from(strings).pipe(
            mapPython<string, string>('seen', { pool, codec: 'string', batch }),
            toArray(),
          )
          const value$ = from(values).pipe(mapPython('seen', { pool, batch }), toArray())
          const [texts, back] = await Promise.all([lastValueFrom(text$), lastValueFrom(value$)])
          assert.deepEqual(texts, strings)
          assert.deepEqual(back, values)
        },
      ),
      { numRuns: 30 },
    )
  })

  it('keep two scans of one handler apart, also when they run at once', async () => {
    const handler = test.pool.handler<number, number>('flow:total')
    const scan = (start: number) =>
      lastValueFrom(range(start, 200).pipe(scanPython(handler, { seed: start * 1000, batch: 3 })))
    const sum = (start: number) => start * 1000 + 200 * start + (199 * 200) / 2
    assert.deepEqual(await Promise.all([scan(1), scan(2), scan(3)]), [sum(1), sum(2), sum(3)])
  })

  it('stream arrays, one after the other', async () => {
    const handler = test.pool.handler('lambda a: a * 2', { codec: 'array' }) as ArrayHandler<Float64Array, Float64Array>
    const frames = numbers(50).map((i) => Float64Array.of(i, i + 0.5))
    const results = await lastValueFrom(from(frames).pipe(mapPython(handler, { concurrency: 4 }), toArray()))
    assert.deepEqual(
      results,
      frames.map((frame) => frame.map((value) => value * 2)),
    )
    const moved = numbers(20).map((i) => new Float64Array(10_000).fill(i))
    const means = await lastValueFrom(
      from(moved).pipe(
        mapPython<Float64Array, Float64Array>('lambda a: a.mean()', {
          pool: test.pool,
          codec: 'array',
          transfer: true,
        }),
        toArray(),
      ),
    )
    assert.deepEqual(
      means.map(([mean]) => mean),
      numbers(20),
    )
    assert.ok(moved.every((frame) => frame.length === 0))
  })

  it('stream buffers', async () => {
    const handler = test.pool.handler<Uint8Array, Uint8Array>('lambda batch: [bytes(b)[::-1] for b in batch]', {
      codec: 'buffer',
    })
    const items = numbers(300).map((i) => Uint8Array.of(i, 1, 2))
    const back = await lastValueFrom(from(items).pipe(mapPython(handler, { batch: 64 }), toArray()))
    assert.deepEqual(
      back,
      items.map((item) => item.slice().reverse()),
    )
  })
})

withPool('operators in a row', (test) => {
  it('feed each other', async () => {
    const { pool } = test
    const lines = Array.from({ length: 400 }, (_, i) => `line ${i} has five words`)
    const longest$ = fromIterable(lines).pipe(
      flatMapPython<string, string>('flow:words', { pool, codec: 'string' }),
      filterPython<string>('lambda batch: [word.isdigit() for word in batch]', { pool, codec: 'string' }),
      mapPython<string, number>('lambda batch: [int(word) for word in batch]', { pool }),
      scanPython<number, number>('flow:total', { pool, seed: 0 }),
    )
    assert.equal(await lastValueFrom(longest$), (399 * 400) / 2)
  })

  it('serve many subscribers and many streams at once', async () => {
    const handler = test.pool.handler<number, number>('flow:double')
    const doubled$ = range(0, 100).pipe(mapPython(handler, { batch: 10 }))
    const shared$ = doubled$.pipe(share())
    const sums = await Promise.all([
      ...[doubled$, doubled$, shared$, shared$].map((stream$) => lastValueFrom(stream$.pipe(toArray()))),
      lastValueFrom(concat(doubled$, doubled$).pipe(toArray())),
    ])
    assert.deepEqual(
      sums.map((values) => values.length),
      [100, 100, 100, 100, 200],
    )
  })

  it('complete at once for an empty source, without calling Python', async () => {
    const missing = mapPython('no_such_module', { pool: test.pool })
    assert.deepEqual(await lastValueFrom(from([]).pipe(missing, toArray())), [])
  })

  it('take inline source, init, and a name in a file', async () => {
    const { pool } = test
    const run = (operator: ReturnType<typeof mapPython>) => lastValueFrom(from([1, 2]).pipe(operator, toArray()))
    assert.deepEqual(await run(mapPython({ source: 'lambda batch: [item + 1 for item in batch]' }, { pool })), [2, 3])
    assert.deepEqual(await run(mapPython('seen.py:look', { pool, codec: 'json' })), ['1', '2'])
    const state = 'lambda batch: [__import__("setup").loaded for _ in batch]'
    assert.deepEqual(await run(mapPython(state, { pool, init: 'setup:load' })), ['set up', 'set up'])
  })

  it('close what they opened, and nothing else', async () => {
    const { pool } = test
    const handler = pool.handler<number, number>('flow:double')
    const run = (source: typeof handler | string) =>
      lastValueFrom(from([1]).pipe(typeof source === 'string' ? mapPython(source, { pool }) : mapPython(source)))
    await handler.call([])
    const before = await openHandlers(pool)
    for (let i = 0; i < 20; i++) assert.equal(await run('flow:double'), 2)
    assert.equal(await run(handler), 2)
    // Closing goes on behind the stream's back.
    for (let i = 0; i < 50 && (await openHandlers(pool)) !== before; i++) await new Promise((go) => setTimeout(go, 5))
    assert.equal(await openHandlers(pool), before)
    assert.deepEqual(await handler.call([4]), [8], "a handler of the user's stays open")
  })
})
