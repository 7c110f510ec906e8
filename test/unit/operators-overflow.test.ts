import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { Subject } from 'rxjs'
import { OverflowError } from '../../lib/errors'
import { StageMetrics } from '../../lib/metrics'
import { mapPython } from '../../lib/operators/mapPython'
import type { OperatorOptions, Overflow } from '../../lib/operators/options'
import { FakeHandler, Recorder, settle } from './fakeHandler'

/** Sends 1…count in one go to a stage whose handler answers only afterwards. */
async function flood(count: number, options: OperatorOptions<number, number>) {
  const metrics = new StageMetrics()
  const handler = new FakeHandler()
  const recorder = new Recorder<number>()
  const subject = new Subject<number>()
  subject
    .pipe(mapPython(handler.typed<number, number>(), { concurrency: 1, batch: 2, metrics, ...options }))
    .subscribe(recorder.observer)
  for (let n = 1; n <= count; n++) subject.next(n)
  subject.complete()
  for (let i = 0; i < handler.calls.length; i++) {
    const { items, resolve } = handler.calls[i]!
    resolve(items)
    await settle(1)
  }
  return { recorder, metrics, handler }
}

describe('overflow', () => {
  it("'error' ends the stream with an error that says what to do", async () => {
    const { recorder, handler } = await flood(10, { bufferSize: 4 })
    assert.ok(recorder.error instanceof OverflowError)
    assert.match(recorder.error.message, /mapPython: more than 4 items wait.*fromIterable.*bufferSize.*overflow/)
    assert.ok(handler.calls[0]!.options.signal?.aborted)
  })

  it("'error' lets a full buffer be", async () => {
    const { recorder } = await flood(6, { bufferSize: 4 })
    assert.deepEqual(recorder.values, [1, 2, 3, 4, 5, 6])
  })

  for (const [overflow, values, dropped] of [
    ['drop-newest', [1, 2, 3, 4, 5, 6], 4],
    ['drop-oldest', [1, 2, 7, 8, 9, 10], 4],
    ['sample', [1, 2, 7, 8, 9, 10], 4],
  ] as [Overflow, number[], number][]) {
    it(`'${overflow}' with bufferSize 4`, async () => {
      const { recorder, metrics } = await flood(10, { bufferSize: 4, overflow })
      assert.deepEqual(recorder.values, values)
      assert.equal(metrics.dropped, dropped)
      assert.equal(metrics.itemsIn, 10)
      assert.equal(metrics.waiting, 0)
    })
  }

  it("'sample' keeps only the latest by default, and uses slots that are free", async () => {
    const { recorder, metrics } = await flood(10, { overflow: 'sample' })
    assert.deepEqual(recorder.values, [1, 10])
    assert.equal(metrics.dropped, 8)
  })

  it('sends a batch early rather than drop an item', async () => {
    const { recorder } = await flood(3, {
      overflow: 'drop-newest',
      bufferSize: 2,
      batch: { maxItems: 100, maxWait: 10_000 },
    })
    assert.deepEqual(recorder.values, [1, 2, 3])
  })
})
