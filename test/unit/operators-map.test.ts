import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { EMPTY, finalize, from, NEVER, of, Subject } from 'rxjs'
import { ResultError } from '../../lib/errors'
import { mapPython } from '../../lib/operators/mapPython'
import type { OperatorOptions } from '../../lib/operators/options'
import { FakeClock } from './fakeClock'
import { FakeHandler, Recorder, settle } from './fakeHandler'

type Options = OperatorOptions<number, unknown>

function start(options: Options = {}, handler = new FakeHandler()) {
  const subject = new Subject<number>()
  const recorder = new Recorder<unknown>()
  const subscription = subject.pipe(mapPython(handler.typed<number, unknown>(), options)).subscribe(recorder.observer)
  const send = (...items: number[]) => {
    for (const item of items) subject.next(item)
  }
  return { subject, recorder, subscription, handler, send, calls: handler.calls }
}

describe('mapPython: batches', () => {
  it('sends a synchronous burst as one batch, and single items on their own', async () => {
    const { send, handler, calls } = start({ concurrency: 4 })
    send(1, 2, 3)
    assert.equal(calls.length, 0)
    await Promise.resolve()
    assert.deepEqual(handler.batches, [[1, 2, 3]])
    send(4)
    await Promise.resolve()
    assert.deepEqual(handler.batches, [[1, 2, 3], [4]])
  })

  it('lets a batch grow while all slots are taken, and sends it when one is free', async () => {
    const { send, handler, calls } = start({ concurrency: 1, batch: 3 })
    for (const item of [1, 2, 3, 4, 5]) {
      send(item)
      await settle(1)
    }
    assert.deepEqual(handler.batches, [[1]])
    calls[0]!.resolve([1])
    await settle(1)
    assert.deepEqual(handler.batches, [[1], [2, 3, 4]])
    calls[1]!.resolve([2, 3, 4])
    await settle(1)
    assert.deepEqual(handler.batches.at(-1), [5])
  })

  it('has two batches in flight for each interpreter by default', async () => {
    const handler = new FakeHandler({ size: 3, answer: (items) => items })
    const recorder = new Recorder<unknown>()
    from(Array.from({ length: 100 }, (_, i) => i))
      .pipe(mapPython(handler.typed<number, unknown>(), { batch: 2 }))
      .subscribe(recorder.observer)
    await recorder.ended
    assert.equal(handler.mostRunning, 6)
    assert.equal(recorder.values.length, 100)
  })

  it('holds a batch for maxWait, and sends it at once when the source completes', async () => {
    const clock = new FakeClock()
    clock.install()
    try {
      const { send, handler, subject } = start({ batch: { maxItems: 3, maxWait: 25 }, concurrency: 3 })
      send(1)
      await clock.pass(5)
      send(2)
      await clock.pass(19)
      assert.deepEqual(handler.batches, [])
      await clock.pass(1)
      assert.deepEqual(handler.batches, [[1, 2]])
      send(3, 4, 5)
      assert.deepEqual(handler.batches.at(-1), [3, 4, 5])
      send(6)
      subject.complete()
      assert.deepEqual(handler.batches.at(-1), [6])
    } finally {
      clock.uninstall()
    }
  })

  it('measures records for maxBytes only where it is set', async () => {
    const handler = new FakeHandler({ codec: 'json', size: 10 })
    const items = [{ a: 'xxxx' }, { a: 'yyyy' }, { a: 'zzzz' }]
    from(items).pipe(mapPython(handler.typed<object, unknown>())).subscribe()
    await settle(1)
    assert.equal(handler.measured, 0)
    from(items)
      .pipe(mapPython(handler.typed<object, unknown>(), { batch: { maxBytes: 25 } }))
      .subscribe()
    await settle(1)
    assert.equal(handler.measured, 3)
    assert.deepEqual(
      handler.batches.map((batch) => batch.length),
      [3, 2, 1],
    )
  })

  it('limits batches of long texts by default', async () => {
    const handler = new FakeHandler({ size: 10 })
    const text = 'x'.repeat(1 << 20)
    from([text, text, text, text, text, text]).pipe(mapPython(handler.typed<string, unknown>())).subscribe()
    await settle(1)
    assert.deepEqual(
      handler.batches.map((batch) => batch.length),
      [4, 2],
    )
  })

  it("sends each typed array of codec 'array' as a batch of its own", async () => {
    const handler = new FakeHandler({ codec: 'array' })
    const recorder = new Recorder<unknown>()
    const [a, b] = [new Float64Array([1, 2]), new Float64Array([3])]
    of(a, b)
      .pipe(mapPython(handler.typed<Float64Array, unknown>(), { transfer: true }))
      .subscribe(recorder.observer)
    await settle(1)
    assert.equal(handler.calls[0]!.items, a)
    assert.equal(handler.calls[1]!.items, b)
    assert.equal(handler.calls[0]!.options.transfer, true)
    const answer = new Float64Array([7, 8, 9])
    handler.calls[0]!.resolve(answer as unknown as number[])
    handler.calls[1]!.resolve(b as unknown as number[])
    await recorder.ended
    assert.deepEqual(recorder.values, [answer, b])
  })

  it('hands timeout and one signal to all calls of a subscription', async () => {
    const { send, calls } = start({ timeout: 250, concurrency: 5 })
    send(1)
    await settle(1)
    send(2)
    await settle(1)
    assert.equal(calls[0]!.options.runTimeout, 250)
    assert.ok(calls[0]!.options.signal)
    assert.equal(calls[0]!.options, calls[1]!.options)
  })
})

describe('mapPython: results', () => {
  it('come in the order of items, however batches come back', async () => {
    const { send, calls, recorder } = start({ concurrency: 3, batch: 1 })
    send(1, 2, 3)
    calls[2]!.resolve(['c'])
    await settle(1)
    calls[1]!.resolve(['b'])
    await settle(1)
    assert.deepEqual(recorder.values, [])
    calls[0]!.resolve(['a'])
    await settle(1)
    assert.deepEqual(recorder.values, ['a', 'b', 'c'])
  })

  it('come as they are ready with ordered: false', async () => {
    const { send, calls, recorder, subject } = start({ concurrency: 3, batch: 1, ordered: false })
    send(1, 2, 3)
    subject.complete()
    for (const [index, value] of [
      [2, 'c'],
      [0, 'a'],
      [1, 'b'],
    ] as const) {
      calls[index]!.resolve([value])
      await settle(1)
    }
    assert.deepEqual(recorder.values, ['c', 'a', 'b'])
    assert.equal(recorder.state, 'completed')
  })

  it('held back for order are bounded, also with a source that cannot be stopped', async () => {
    const { send, calls } = start({ concurrency: 2, batch: 1 })
    send(...Array.from({ length: 100 }, (_, i) => i))
    for (let i = 1; i < calls.length; i++) {
      calls[i]!.resolve([i])
      await settle(1)
    }
    assert.equal(calls.length, 8, 'four times the concurrency, then everything waits for the first batch')
    calls[0]!.resolve([0])
    await settle(1)
    assert.equal(calls.length, 10)
  })

  it('must be one for each item', async () => {
    const { send, calls, recorder } = start()
    send(1, 2)
    await settle(1)
    calls[0]!.resolve(['only one'])
    await recorder.ended
    assert.ok(recorder.error instanceof ResultError)
    assert.equal(recorder.error.code, 'ERR_RESULT_LENGTH')
    assert.match(recorder.error.message, /fake:handle.*1 results for 2 items/)
    assert.deepEqual(recorder.values, [])
  })
})

describe('mapPython: the end of the stream', () => {
  it('comes at once for an empty source', () => {
    const recorder = new Recorder<unknown>()
    EMPTY.pipe(mapPython(new FakeHandler().typed<never, unknown>())).subscribe(recorder.observer)
    assert.equal(recorder.state, 'completed')
  })

  it('waits for what is in flight and for what waits', async () => {
    const { send, subject, calls, recorder } = start({ concurrency: 1, batch: 2 })
    send(1, 2, 3)
    subject.complete()
    await settle(1)
    assert.equal(calls.length, 1)
    calls[0]!.resolve([1, 2])
    await settle(1)
    assert.equal(recorder.state, 'open')
    calls[1]!.resolve([3])
    await settle(1)
    assert.equal(recorder.state, 'completed')
    assert.deepEqual(recorder.values, [1, 2, 3])
  })

  it("delivers what came before the source's error first", async () => {
    const { send, subject, calls, recorder } = start({ concurrency: 1, batch: 2 })
    send(1, 2, 3)
    subject.error(new Error('source broke'))
    await settle(1)
    assert.equal(recorder.state, 'open')
    calls[0]!.resolve([1, 2])
    await settle(1)
    calls[1]!.resolve([3])
    await settle(1)
    assert.deepEqual(recorder.values, [1, 2, 3])
    assert.match(String(recorder.error), /source broke/)
  })

  it('lets the source clean up when that has ended, not later', async () => {
    let cleaned = 0
    const recorder = new Recorder<unknown>()
    const handler = new FakeHandler()
    of(1)
      .pipe(
        finalize(() => cleaned++),
        mapPython(handler.typed<number, unknown>()),
      )
      .subscribe(recorder.observer)
    assert.equal(cleaned, 1)
    assert.equal(recorder.state, 'open')
  })

  it('is independent for each subscription of the same observable', async () => {
    const handler = new FakeHandler({ answer: (items) => items })
    const stream = from([1, 2, 3]).pipe(mapPython(handler.typed<number, unknown>(), { batch: 2 }))
    const [a, b] = [new Recorder<unknown>(), new Recorder<unknown>()]
    stream.subscribe(a.observer)
    stream.subscribe(b.observer)
    await Promise.all([a.ended, b.ended])
    assert.deepEqual(a.values, [1, 2, 3])
    assert.deepEqual(b.values, [1, 2, 3])
    assert.deepEqual(handler.batches, [[1, 2], [3], [1, 2], [3]])
  })

  it('leaves nothing behind that keeps the process alive', async () => {
    const before = process.getActiveResourcesInfo().length
    const subscription = NEVER.pipe(
      mapPython(new FakeHandler().typed<number, unknown>(), { batch: { maxWait: 1000 } }),
    ).subscribe()
    const { send, subscription: other } = start({ batch: { maxWait: 60_000 } })
    send(1)
    subscription.unsubscribe()
    other.unsubscribe()
    assert.equal(process.getActiveResourcesInfo().length, before)
  })
})
