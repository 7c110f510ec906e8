import assert from 'node:assert/strict'
import { from, mergeMap, of, Subject } from 'rxjs'
import { fromIterable, mapPython } from '../../lib/index'
import { FakeHandler, Recorder, settle } from './fakeHandler'

const double = (items: readonly unknown[]) => items.map((item) => 2 * (item as number))

describe('a pool that drains', () => {
  it('stops the source of a stream, and all that was taken comes out before the stream completes', async () => {
    const handler = new FakeHandler()
    const source = new Subject<number>()
    const results = new Recorder<number>()
    source.pipe(mapPython(handler.typed<number, number>(), { batch: 2, concurrency: 1 })).subscribe(results.observer)
    for (const item of [1, 2, 3, 4, 5]) source.next(item)
    const finished = handler.streams.finish()
    assert.equal(source.observed, false)
    source.next(6)
    for (let i = 0; i < 3; i++) {
      await settle()
      assert.equal(results.state, 'open')
      handler.calls[i]!.resolve(double(handler.calls[i]!.items))
    }
    await results.ended
    assert.deepEqual([results.state, results.values], ['completed', [2, 4, 6, 8, 10]])
    await finished
  })

  it('lets a batch that waits for more items go at once', async () => {
    const handler = new FakeHandler({ answer: double })
    const source = new Subject<number>()
    const results = new Recorder<number>()
    const options = { batch: { maxItems: 100, maxWait: 60_000 } }
    source.pipe(mapPython(handler.typed<number, number>(), options)).subscribe(results.observer)
    source.next(1)
    await settle()
    assert.equal(handler.calls.length, 0)
    await handler.streams.finish()
    assert.deepEqual([results.state, results.values], ['completed', [2]])
  })

  it('ends a chain of stages at its first one', async () => {
    const handler = new FakeHandler({ answer: double })
    const source = new Subject<number>()
    const results = new Recorder<number>()
    const stage = () => mapPython(handler.typed<number, number>(), { batch: 1 })
    source.pipe(stage(), stage(), stage()).subscribe(results.observer)
    for (const item of [1, 2, 3]) source.next(item)
    await handler.streams.finish()
    assert.deepEqual([results.state, results.values], ['completed', [8, 16, 24]])
  })

  it('ends a pull source that never would', async () => {
    const handler = new FakeHandler({ answer: double })
    let pulled = 0
    let returned = false
    const results = new Recorder<number>()
    const numbers = function* () {
      try {
        for (;;) yield pulled++
      } finally {
        returned = true
      }
    }
    fromIterable(numbers)
      .pipe(mapPython(handler.typed<number, number>(), { batch: 8 }))
      .subscribe(results.observer)
    await settle(20)
    await handler.streams.finish()
    assert.ok(returned)
    assert.deepEqual([results.state, results.values.length], ['completed', pulled])
  })

  it('takes no further streams, and asks those that have ended for nothing', async () => {
    const handler = new FakeHandler({ answer: double })
    const before = new Recorder<number>()
    const stage = () => mapPython(handler.typed<number, number>())
    from([1, 2]).pipe(stage()).subscribe(before.observer)
    await before.ended
    await handler.streams.finish()
    const after = new Recorder<number>()
    let subscribed = false
    of(1)
      .pipe(
        mergeMap((item) => {
          subscribed = true
          return of(item)
        }),
        stage(),
      )
      .subscribe(after.observer)
    assert.equal((after.error as { code?: string }).code, 'ERR_POOL_CLOSED')
    assert.equal(subscribed, false)
  })

  it('waits neither for a stream that was unsubscribed nor for one that failed', async () => {
    const handler = new FakeHandler()
    const stage = () => mapPython(handler.typed<number, number>())
    const left = of(1).pipe(stage()).subscribe()
    const failed = new Recorder<number>()
    of(2).pipe(stage()).subscribe(failed.observer)
    await settle()
    const finished = handler.streams.finish()
    left.unsubscribe()
    handler.calls[1]!.reject(new Error('of the handler'))
    await finished
    assert.equal(failed.state, 'failed')
  })
})
