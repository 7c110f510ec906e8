import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { from, Subject } from 'rxjs'
import { StageMetrics } from '../../lib/metrics'
import { filterPython } from '../../lib/operators/filterPython'
import { mapPython } from '../../lib/operators/mapPython'
import { FakeHandler, Recorder, settle } from './fakeHandler'

describe('metrics', () => {
  it('count while the stream runs', async () => {
    const metrics = new StageMetrics()
    const handler = new FakeHandler()
    const subject = new Subject<number>()
    const subscription = subject
      .pipe(mapPython(handler.typed<number, number>(), { batch: 2, concurrency: 1, metrics, onError: 'skip' }))
      .subscribe()
    for (const n of [1, 2, 3, 4, 5]) subject.next(n)
    const { itemsIn, waiting, inFlight, itemsOut } = metrics
    assert.deepEqual({ itemsIn, waiting, inFlight, itemsOut }, { itemsIn: 5, waiting: 3, inFlight: 1, itemsOut: 0 })
    handler.calls[0]!.resolve([1, 2])
    await settle(1)
    handler.calls[1]!.reject(new Error('no'))
    await settle(1)
    assert.deepEqual(
      [metrics.itemsOut, metrics.failed, metrics.batches, metrics.batchItems, metrics.largestBatch],
      [2, 2, 2, 4, 2],
    )
    assert.equal(metrics.meanBatch, 2)
    assert.ok(metrics.latency > 0 && metrics.longestLatency <= metrics.latency)
    assert.equal(metrics.meanLatency, metrics.latency / 2)
    subscription.unsubscribe()
    assert.deepEqual([metrics.waiting, metrics.inFlight], [0, 0])
  })

  it('have no means before the first batch', () => {
    assert.equal(new StageMetrics().meanBatch, 0)
    assert.equal(new StageMetrics().meanLatency, 0)
  })

  it('add up over subscriptions that share them', async () => {
    const metrics = new StageMetrics()
    const handler = new FakeHandler({ answer: (items) => items.map((n) => (n as number) > 1) })
    const stream = from([1, 2, 3]).pipe(filterPython(handler.typed<number, boolean>(), { metrics }))
    for (let i = 0; i < 2; i++) {
      const recorder = new Recorder<number>()
      stream.subscribe(recorder.observer)
      await recorder.ended
    }
    assert.deepEqual([metrics.itemsIn, metrics.itemsOut, metrics.waiting, metrics.inFlight], [6, 4, 0, 0])
  })

  for (const kind of ['function', 'observer'] as const) {
    it(`go to a ${kind} after each batch and at the end`, async () => {
      const seen: number[] = []
      const next = (metrics: StageMetrics) => {
        seen.push(metrics.itemsOut)
      }
      const handler = new FakeHandler({ answer: (items) => items })
      const recorder = new Recorder<number>()
      from([1, 2, 3])
        .pipe(
          mapPython(handler.typed<number, number>(), {
            batch: 1,
            concurrency: 1,
            metrics: kind === 'function' ? next : { next },
          }),
        )
        .subscribe(recorder.observer)
      await recorder.ended
      assert.deepEqual(seen, [1, 2, 3])
    })
  }

  it("that cannot be taken are the stream's error", async () => {
    const handler = new FakeHandler({ answer: (items) => items })
    const recorder = new Recorder<number>()
    const metrics = () => {
      throw new Error('dashboard down')
    }
    from([1, 2])
      .pipe(mapPython(handler.typed<number, number>(), { batch: 1, metrics }))
      .subscribe(recorder.observer)
    await recorder.ended
    assert.match(String(recorder.error), /dashboard down/)
    assert.deepEqual(recorder.values, [1])
  })
})
