import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { Observable, Subject } from 'rxjs'
import { HandlerProvider } from '../../lib/operators/lease'
import { validateOperator } from '../../lib/operators/options'
import { Stage } from '../../lib/operators/stage'
import type { PythonPool } from '../../lib/pool/pool'
import { fromIterable } from '../../lib/sources/fromIterable'
import { FakePool, Recorder, settle } from './fakeHandler'

/** A stage whose default pool the test opens. */
function opening<I>(source: Observable<I>, options: Parameters<typeof validateOperator<I, unknown>>[3] = {}) {
  const complete = validateOperator<I, unknown>('mapPython', 'map', 'm:f', options)
  let open: (pool: PythonPool) => void = () => {}
  let fail: (error: unknown) => void = () => {}
  const provider = new HandlerProvider<I>(
    'm:f',
    'map',
    complete,
    () =>
      new Promise((resolve, reject) => {
        open = resolve
        fail = reject
      }),
  )
  const recorder = new Recorder<unknown>()
  const subscription = new Observable<unknown>((subscriber) =>
    new Stage<I, unknown>('mapPython', 'map', complete, subscriber).start(source, provider),
  ).subscribe(recorder.observer)
  const pool = new FakePool({ answer: (items) => items })
  return { recorder, subscription, pool, open: () => open(pool.typed), fail: (error: unknown) => fail(error) }
}

describe('while a default pool opens', () => {
  it('items of a hot source wait, in order', async () => {
    const subject = new Subject<number>()
    const { recorder, open } = opening(subject)
    for (const n of [1, 2, 3]) subject.next(n)
    await settle()
    subject.next(4)
    subject.complete()
    open()
    await recorder.ended
    assert.deepEqual(recorder.values, [1, 2, 3, 4])
    assert.equal(recorder.state, 'completed')
  })

  it('a pull source is not pulled', async () => {
    let pulled = 0
    const { recorder, open } = opening(
      fromIterable(
        (function* () {
          for (let i = 0; i < 10; i++) yield pulled++
        })(),
      ),
    )
    await settle()
    assert.equal(pulled, 0)
    open()
    await recorder.ended
    assert.equal(recorder.values.length, 10)
  })

  it('a hot source overflows as it would later', async () => {
    const subject = new Subject<number>()
    const { recorder, open } = opening(subject, { bufferSize: 2, overflow: 'drop-oldest' })
    for (const n of [1, 2, 3, 4]) subject.next(n)
    subject.complete()
    open()
    await recorder.ended
    assert.deepEqual(recorder.values, [3, 4])
  })

  it('the stream waits for it even if the source has ended', async () => {
    const subject = new Subject<number>()
    const { recorder, open } = opening(subject)
    subject.next(1)
    subject.complete()
    await settle()
    assert.equal(recorder.state, 'open')
    open()
    await recorder.ended
    assert.deepEqual(recorder.values, [1])
  })

  it("a pool that cannot be opened is the stream's error", async () => {
    const subject = new Subject<number>()
    const { recorder, fail } = opening(subject)
    fail(new Error('no Python'))
    await recorder.ended
    assert.match(String(recorder.error), /no Python/)
    assert.equal(subject.observed, false)
  })

  it('unsubscribing closes the handler that is opened afterwards', async () => {
    const { subscription, open, pool, recorder } = opening(new Subject<number>())
    subscription.unsubscribe()
    open()
    await settle()
    assert.equal(pool.made[0]!.handler.closed, 1)
    assert.equal(recorder.state, 'open')
  })

  it('unsubscribing swallows a failure to open', async () => {
    const { subscription, fail, recorder } = opening(new Subject<number>())
    subscription.unsubscribe()
    fail(new Error('no Python'))
    await settle()
    assert.equal(recorder.state, 'open')
  })
})
