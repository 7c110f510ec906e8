import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { from, lastValueFrom, toArray } from 'rxjs'
import { filterPython } from '../../lib/operators/filterPython'
import { flatMapPython } from '../../lib/operators/flatMapPython'
import { mapPython } from '../../lib/operators/mapPython'
import { scanPython } from '../../lib/operators/scanPython'
import { FakeHandler, FakePool, Recorder, settle } from './fakeHandler'

const identity = { answer: (items: readonly unknown[]) => items }

describe('filterPython', () => {
  it('lets the very items through that Python says yes to', async () => {
    const items = [{ n: 1 }, { n: 2 }, { n: 3 }]
    const handler = new FakeHandler({ answer: (batch) => batch.map((item) => (item as { n: number }).n % 2 === 1) })
    const kept = await lastValueFrom(from(items).pipe(filterPython(handler.typed<{ n: number }, boolean>()), toArray()))
    assert.equal(kept.length, 2)
    assert.equal(kept[0], items[0])
    assert.equal(kept[1], items[2])
    assert.equal(handler.calls.length, 0, 'the handler itself is for mapPython')
    assert.equal(handler.variants[0]!.mode, 'filter')
  })

  it('needs an answer for each item', async () => {
    const handler = new FakeHandler({ answer: () => [true] })
    const recorder = new Recorder<number>()
    from([1, 2]).pipe(filterPython(handler.typed<number, boolean>())).subscribe(recorder.observer)
    await recorder.ended
    assert.match(String(recorder.error), /1 results for 2 items/)
  })
})

describe('flatMapPython', () => {
  it('passes on however many results there are, none included', async () => {
    const handler = new FakeHandler({
      answer: (batch) => batch.flatMap((n) => Array.from({ length: n as number }, () => n)),
    })
    const stream = from([0, 1, 3, 0, 2]).pipe(
      flatMapPython<number, number>(handler.typed<number, number>(), { batch: 2 }),
    )
    assert.deepEqual(await lastValueFrom(stream.pipe(toArray())), [1, 3, 3, 3, 2, 2])
  })
})

describe('scanPython', () => {
  it('has a state of its own for each subscription, from the seed, and closes it', async () => {
    const handler = new FakeHandler(identity)
    const stream = from([1, 2, 3]).pipe(scanPython(handler.typed<number, number>(), { seed: { sum: 0 } }), toArray())
    assert.deepEqual(await lastValueFrom(stream), [1, 2, 3])
    assert.deepEqual(await lastValueFrom(stream), [1, 2, 3])
    assert.deepEqual(handler.seeds, [{ sum: 0 }, { sum: 0 }])
    assert.deepEqual(
      handler.variants.map((variant) => [variant.mode, variant.closed]),
      [
        ['scan', 1],
        ['scan', 1],
      ],
    )
    assert.equal(handler.closed, 0)
  })

  it('keeps one batch running and one waiting, whatever the size of the pool', async () => {
    const handler = new FakeHandler({ ...identity, size: 8 })
    await lastValueFrom(from([1, 2, 3, 4, 5, 6]).pipe(scanPython(handler.typed<number, number>(), { batch: 1 })))
    assert.equal(handler.variants[0]!.mostRunning, 2)
  })
})

describe('the handler of an operator', () => {
  it("that is the user's is used as it is, and never closed", async () => {
    const handler = new FakeHandler(identity)
    await lastValueFrom(from([1]).pipe(mapPython(handler.typed<number, number>())))
    assert.equal(handler.calls.length, 1)
    assert.equal(handler.closed, 0)
    assert.equal(handler.variants.length, 0)
  })

  it('that was made for another mode serves through a variant', async () => {
    const handler = new FakeHandler({ ...identity, mode: 'filter' })
    await lastValueFrom(from([1]).pipe(mapPython(handler.typed<number, number>())))
    assert.equal(handler.variants[0]!.mode, 'map')
  })

  it('that the operator opens is shared by its subscriptions and closed with the last of them', async () => {
    const pool = new FakePool()
    const stream = from([1]).pipe(
      mapPython<number, number>('m:f', { pool: pool.typed, codec: 'string', init: 'm:load' }),
    )
    const [a, b] = [stream.subscribe(), stream.subscribe()]
    await settle(1)
    assert.equal(pool.made.length, 1)
    const { spec, options, handler } = pool.made[0]!
    assert.equal(spec, 'm:f')
    assert.deepEqual(options, { init: 'm:load', codec: 'string', mode: 'map' })
    a.unsubscribe()
    assert.equal(handler.closed, 0)
    b.unsubscribe()
    b.unsubscribe()
    assert.equal(handler.closed, 1)
    stream.subscribe().unsubscribe()
    assert.equal(pool.made.length, 2, 'a closed handler is not used again')
    assert.equal(pool.made[1]!.handler.closed, 1)
  })

  it('that the operator opens is closed when the stream completes or errors, too', async () => {
    for (const answer of [identity.answer, () => assert.fail('no')]) {
      const pool = new FakePool({ answer })
      const recorder = new Recorder<number>()
      from([1])
        .pipe(mapPython<number, number>('m:f', { pool: pool.typed }))
        .subscribe(recorder.observer)
      await recorder.ended
      assert.equal(pool.made[0]!.handler.closed, 1)
    }
  })

  it('whose closing fails disturbs nobody', async () => {
    const pool = new FakePool(identity)
    const stream = from([1]).pipe(mapPython<number, number>('m:f', { pool: pool.typed }))
    const subscription = stream.subscribe()
    pool.made[0]!.handler.close = () => Promise.reject(new Error('too late'))
    subscription.unsubscribe()
    await settle()
  })

  it("that cannot be made is the stream's error", async () => {
    const pool = new FakePool()
    pool.handler = () => {
      throw new Error('pool is closed')
    }
    const recorder = new Recorder<number>()
    from([1])
      .pipe(mapPython<number, number>('m:f', { pool: pool.typed }))
      .subscribe(recorder.observer)
    await recorder.ended
    assert.match(String(recorder.error), /pool is closed/)
  })
})
