import assert from 'node:assert/strict'
import { from, interval, lastValueFrom, map, mergeMap, range, Subject, take, toArray } from 'rxjs'
import { fromIterable, mapPython, scanPython } from '../../lib/index'
import { StageMetrics } from '../../lib/metrics'
import { inEachMode, withPool } from '../fixtures/modes'

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

inEachMode('the flow through mapPython', (test) => {
  it('keeps the order while batches overtake each other', async () => {
    const handler = test.pool.handler<number, number>('flow:shaken')
    const values = await lastValueFrom(range(0, 300).pipe(mapPython(handler, { batch: 5, concurrency: 6 }), toArray()))
    assert.deepEqual(
      values,
      Array.from({ length: 300 }, (_, i) => i * 2),
    )
  })

  it('gives every result once where the order does not matter', async () => {
    const handler = test.pool.handler<number, number>('flow:shaken')
    const options = { batch: 5, concurrency: 6, ordered: false }
    const values = await lastValueFrom(range(0, 300).pipe(mapPython(handler, options), toArray()))
    assert.deepEqual(
      values.sort((a, b) => a - b),
      Array.from({ length: 300 }, (_, i) => i * 2),
    )
  })

  it('never has more batches in flight than it may', async () => {
    const handler = test.pool.handler<number, number>('flow:concurrent')
    const most = test.pool.handler<number, number>('flow:most_at_once')
    await most.call([0])
    await lastValueFrom(range(0, 40).pipe(mapPython(handler, { batch: 1, concurrency: 1 }), toArray()))
    assert.deepEqual(await most.call([0]), [1])
  })

  it('stops a source that can be stopped, while downstream is slow or Python is', async () => {
    const handler = test.pool.handler<number, number>('flow:sized')
    let pulled = 0
    let emitted = 0
    let furthest = 0
    function* source() {
      for (; pulled < 5000; pulled++) {
        furthest = Math.max(furthest, pulled - emitted)
        yield pulled
      }
    }
    const result$ = fromIterable(source).pipe(
      map((item) => item),
      mapPython(handler, { batch: 50, concurrency: 2 }),
    )
    await new Promise<void>((resolve, reject) => {
      result$.subscribe({ next: () => emitted++, error: reject, complete: resolve })
    })
    assert.equal(emitted, 5000)
    assert.ok(furthest <= 2000, `${furthest} items were in the stage`)
  })

  it('unsubscribing takes back what waits and stops what runs', async () => {
    const echo = test.pool.handler<number, number>('seen')
    const forever = test.pool.handler<number, number>('flow:forever')
    await Promise.all([echo.call([]), forever.call([])])
    const before = test.pool.info().pending
    const values: number[] = []
    const subscription = range(0, 100)
      .pipe(mapPython(forever, { batch: 1, concurrency: 8 }))
      .subscribe((value) => values.push(value))
    await sleep(60)
    assert.ok(test.pool.info().pending > before)
    subscription.unsubscribe()
    assert.equal(test.pool.info().pending, before)
    const start = performance.now()
    await Promise.all(Array.from({ length: test.mode.size * 4 }, () => echo.call([0])))
    assert.ok(performance.now() - start < 5000, 'an interpreter is still busy')
    assert.deepEqual(values, [])
  })
})

withPool('the flow through operators', (test) => {
  it('lets batches grow while Python is busy, and goes at once while it is not', async () => {
    const handler = test.pool.handler<number, number>('flow:sized')
    await handler.call([])
    const busy = await lastValueFrom(range(0, 3000).pipe(mapPython(handler), toArray()))
    assert.ok(Math.max(...busy) >= 500, `the largest batch had ${Math.max(...busy)} items`)
    const single = await lastValueFrom(interval(30).pipe(take(8), mapPython(handler), toArray()))
    assert.ok(single.filter((size) => size === 1).length >= 4, `batches of ${single}`) // timers may be late
  })

  it('waits for items that come soon, where it may', async () => {
    const handler = test.pool.handler<number, number>('flow:sized')
    await handler.call([])
    const waited = await lastValueFrom(
      interval(2).pipe(take(10), mapPython(handler, { batch: { maxItems: 10, maxWait: 2000 } }), toArray()),
    )
    assert.deepEqual(waited, new Array(10).fill(10))
  })

  it('counts what it does', async () => {
    const handler = test.pool.handler<number, number>('flow:double')
    const metrics = new StageMetrics()
    await lastValueFrom(range(0, 100).pipe(mapPython(handler, { batch: 30, metrics }), toArray()))
    const { itemsIn, itemsOut, batchItems, batches, largestBatch, waiting, inFlight, failed, dropped } = metrics
    assert.deepEqual([itemsIn, itemsOut, batchItems], [100, 100, 100])
    assert.deepEqual([waiting, inFlight, failed, dropped], [0, 0, 0, 0])
    assert.ok(batches >= 4 && largestBatch === 30, `${batches} batches, the largest of ${largestBatch}`)
    assert.ok(metrics.meanLatency > 0 && metrics.longestLatency >= metrics.meanLatency)
  })

  it('errors, or drops, where a source that cannot be stopped is too fast', async () => {
    const handler = test.pool.handler<number, number>('flow:sized')
    const hot = (options: object) => {
      const source = new Subject<number>()
      const result = lastValueFrom(source.pipe(mapPython(handler, { batch: 1, bufferSize: 10, ...options }), toArray()))
      for (let i = 0; i < 100; i++) source.next(i)
      source.complete()
      return result
    }
    await assert.rejects(hot({}), { code: 'ERR_OVERFLOW', message: /bufferSize/ })
    for (const overflow of ['drop-oldest', 'drop-newest', 'sample']) {
      const metrics = new StageMetrics()
      const values = await hot({ overflow, metrics })
      assert.equal(metrics.dropped, 100 - values.length)
      assert.ok(values.length >= 2 && values.length < 30, `${overflow}: ${values.length}`)
    }
  })

  it('makes batches of so many bytes', async () => {
    const handler = test.pool.handler<string, string>('lambda batch: [str(len(batch))] * len(batch)', {
      codec: 'string',
    })
    const items = Array.from({ length: 20 }, () => 'x'.repeat(100))
    const sizes = await lastValueFrom(from(items).pipe(mapPython(handler, { batch: { maxBytes: 500 } }), toArray()))
    assert.ok(
      sizes.every((size) => Number(size) <= 5),
      String(sizes),
    )
  })

  it('is aborted by a signal', async () => {
    const controller = new AbortController()
    const forever = test.pool.handler<number, number>('flow:forever')
    const result = lastValueFrom(range(0, 10).pipe(mapPython(forever, { batch: 1, signal: controller.signal })))
    setTimeout(() => controller.abort(new Error('the user left')), 30)
    await assert.rejects(result, { name: 'AbortError', code: 'ERR_ABORTED' })
    assert.deepEqual(await test.pool.handler('seen').call([0]), [0])
  })

  it('goes on with other streams after one was left in the middle', async () => {
    const handler = test.pool.handler<number, number>('flow:shaken')
    const first = await lastValueFrom(range(0, 10_000).pipe(mapPython(handler, { batch: 5 }), take(12), toArray()))
    assert.equal(first.length, 12)
    const rest = await lastValueFrom(
      range(0, 5).pipe(
        mergeMap((i) => range(i, 3).pipe(mapPython(handler, { batch: 2 }))),
        toArray(),
      ),
    )
    assert.equal(rest.length, 15)
  })

  it('keeps the state of a scan through natural batches of any size', async () => {
    const source = new Subject<number>()
    const states: number[] = []
    const done = lastValueFrom(source.pipe(scanPython<number, number>('flow:total', { pool: test.pool })))
    source.pipe(scanPython<number, number>('flow:total', { pool: test.pool })).subscribe((state) => states.push(state))
    for (let i = 1; i <= 50; i++) {
      source.next(i)
      if (i % 10 === 0) await sleep(3)
    }
    source.complete()
    assert.equal(await done, 1275)
    assert.equal(states.length, 50)
  })
})
