import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { from, Subject } from 'rxjs'
import { OptionError, PoolClosedError, PythonError, PythonTimeoutError } from '../../lib/errors'
import { flatMapPython } from '../../lib/operators/flatMapPython'
import { mapPython } from '../../lib/operators/mapPython'
import type { DeadLetter, OperatorOptions } from '../../lib/operators/options'
import { FakeHandler, Recorder, settle } from './fakeHandler'

function valueError(item: number | null = null): PythonError {
  return PythonError.fromReport({
    code: 'ERR_PYTHON_EXCEPTION',
    type: 'ValueError',
    message: 'no',
    traceback: '',
    notes: [],
    cause: null,
    item,
  })
}

/** Raises for batches that hold a multiple of ten, naming the item where `naming`. */
function picky(naming = false): FakeHandler {
  return new FakeHandler({
    size: 2,
    answer: (items) => {
      const bad = items.findIndex((item) => (item as number) % 10 === 0)
      if (bad >= 0) throw valueError(naming ? bad : null)
      return items.map((item) => -(item as number))
    },
  })
}

async function run(count: number, handler: FakeHandler, options: OperatorOptions<number, number>) {
  const recorder = new Recorder<number>()
  from(Array.from({ length: count }, (_, i) => i + 1))
    .pipe(mapPython(handler.typed<number, number>(), options))
    .subscribe(recorder.observer)
  await recorder.ended
  return recorder
}

const upTo = (count: number, skip: (n: number) => boolean = () => false) =>
  Array.from({ length: count }, (_, i) => i + 1)
    .filter((n) => !skip(n))
    .map((n) => -n)

describe('onError', () => {
  it("'error': what comes before the batch in order is delivered, nothing after it", async () => {
    const recorder = await run(40, picky(), { batch: 4 })
    assert.deepEqual(recorder.values, upTo(8))
    assert.ok(recorder.error instanceof PythonError)
  })

  it("'error': an earlier batch that is still running is waited for", async () => {
    const handler = new FakeHandler()
    const recorder = new Recorder<number>()
    const subject = new Subject<number>()
    subject.pipe(mapPython(handler.typed<number, number>(), { batch: 1, concurrency: 2 })).subscribe(recorder.observer)
    for (const n of [1, 2, 3, 4]) subject.next(n)
    handler.calls[1]!.reject(valueError())
    await settle()
    assert.equal(recorder.state, 'open')
    assert.equal(subject.observed, false, 'nothing more is taken from the source')
    assert.equal(handler.calls.length, 2, 'nothing more is sent')
    handler.calls[0]!.resolve([11])
    await recorder.ended
    assert.deepEqual(recorder.values, [11])
    assert.equal(recorder.state, 'failed')
  })

  it("'error': the first failure in order is the stream's, not the first in time", async () => {
    const handler = new FakeHandler()
    const recorder = new Recorder<number>()
    from([1, 2])
      .pipe(mapPython(handler.typed<number, number>(), { batch: 1 }))
      .subscribe(recorder.observer)
    await settle(1)
    handler.calls[1]!.reject(new Error('second'))
    await settle(1)
    handler.calls[0]!.reject(new Error('first'))
    await recorder.ended
    assert.match(String(recorder.error), /first/)
  })

  it("'error' with ordered: false ends the stream at once", async () => {
    const handler = new FakeHandler()
    const recorder = new Recorder<number>()
    from([1, 2])
      .pipe(mapPython(handler.typed<number, number>(), { batch: 1, ordered: false }))
      .subscribe(recorder.observer)
    await settle(1)
    handler.calls[1]!.reject(new Error('second'))
    await settle(1)
    assert.equal(recorder.state, 'failed')
    assert.ok(handler.calls[0]!.options.signal?.aborted, 'the other batch is aborted')
  })

  it("'skip': leaves out the failed batches", async () => {
    const recorder = await run(40, picky(), { batch: 4, onError: 'skip' })
    assert.deepEqual(
      recorder.values,
      upTo(40, (n) => [10, 20, 30, 40].some((bad) => Math.ceil(bad / 4) === Math.ceil(n / 4))),
    )
    assert.equal(recorder.state, 'completed')
  })

  it('a function: its values take the place of the results, in order', async () => {
    const seen: unknown[] = []
    const recorder = await run(12, picky(), {
      batch: 4,
      onError: (error, items) => {
        seen.push(error)
        return items.map(() => 0)
      },
    })
    assert.deepEqual(recorder.values, [...upTo(8), 0, 0, 0, 0])
    assert.ok(seen[0] instanceof PythonError)
  })

  it('a function: undefined leaves the batch out', async () => {
    const recorder = await run(16, picky(), { batch: 4, onError: () => undefined })
    assert.deepEqual(
      recorder.values,
      upTo(16, (n) => n > 8 && n <= 12),
    )
  })

  for (const [name, onError, message] of [
    ['gives too few values', () => [1], /one value for each of the 4 items.*it gave 1 values/],
    ['gives no list', () => 7 as never, /it gave number/],
  ] as const) {
    it(`a function that ${name} is an option error`, async () => {
      const recorder = await run(12, picky(), { batch: 4, onError })
      assert.ok(recorder.error instanceof OptionError)
      assert.match(recorder.error.message, message)
    })
  }

  it("a function that throws: what it throws is the stream's error", async () => {
    const recorder = await run(12, picky(), {
      batch: 4,
      onError: () => {
        throw new Error('enough')
      },
    })
    assert.match(String(recorder.error), /enough/)
    assert.deepEqual(recorder.values, upTo(8))
  })

  it('flatMapPython takes any number of values from the function', async () => {
    const recorder = new Recorder<number>()
    from([10, 1])
      .pipe(flatMapPython<number, number>(picky().typed<number, number>(), { batch: 1, onError: () => [7, 8, 9] }))
      .subscribe(recorder.observer)
    await recorder.ended
    assert.deepEqual(recorder.values, [7, 8, 9, -1])
  })

  it('deadLetter: gets error and items at the turn of the batch, and the stream goes on', async () => {
    const log: unknown[] = []
    const letters = new Subject<DeadLetter<number>>()
    letters.subscribe(({ error, items }) => log.push([(error as PythonError).pythonType, ...items]))
    const recorder = new Recorder<number>()
    from(Array.from({ length: 12 }, (_, i) => i + 5))
      .pipe(mapPython(picky().typed<number, number>(), { batch: 4, onError: { deadLetter: letters } }))
      .subscribe({ ...recorder.observer, next: (n) => log.push(n) })
    await recorder.ended
    assert.deepEqual(log, [-5, -6, -7, -8, ['ValueError', 9, 10, 11, 12], -13, -14, -15, -16])
    assert.equal(letters.closed, false)
  })

  for (const onError of ['skip', () => undefined, { deadLetter: { next: () => {} } }] as const) {
    it(`a closed pool ends the stream with onError ${typeof onError === 'string' ? onError : typeof onError}`, async () => {
      const handler = new FakeHandler({
        answer: () => {
          throw new PoolClosedError()
        },
      })
      const recorder = await run(4, handler, { batch: 1, onError })
      assert.ok(recorder.error instanceof PoolClosedError)
      assert.ok(handler.calls.length <= 2, 'nothing more is sent to it')
    })
  }

  it('treats a call that throws like one that rejects', async () => {
    const handler = new FakeHandler()
    handler.call = () => {
      throw new PythonTimeoutError(5)
    }
    const recorder = await run(4, handler, { onError: 'skip' })
    assert.equal(recorder.state, 'completed')
    assert.deepEqual(recorder.values, [])
  })
})

describe('isolateErrors', () => {
  const bad = (n: number) => n % 10 === 0

  for (const ordered of [true, false]) {
    for (const naming of [true, false]) {
      it(`only culprits fail (${ordered ? 'ordered' : 'unordered'}${naming ? ', item known' : ''})`, async () => {
        const handler = picky(naming)
        const recorder = await run(100, handler, { batch: 16, onError: 'skip', isolateErrors: true, ordered })
        const values = ordered ? recorder.values : recorder.values.sort((a, b) => b - a)
        assert.deepEqual(values, upTo(100, bad))
        if (naming) assert.ok(handler.calls.length < 50, `${handler.calls.length} calls`)
      })
    }
  }

  it('names each culprit alone', async () => {
    const failed: unknown[] = []
    const recorder = await run(30, picky(), {
      batch: 30,
      isolateErrors: true,
      onError: (_error, items) => {
        failed.push([...items])
        return [0]
      },
    })
    assert.deepEqual(failed, [[10], [20], [30]])
    assert.deepEqual(
      recorder.values,
      upTo(30).map((n) => (n % 10 === 0 ? 0 : n)),
    )
  })

  it("with onError 'error' delivers all that comes before the first culprit, and stops looking", async () => {
    const handler = picky()
    const recorder = await run(64, handler, { batch: 64, isolateErrors: true })
    assert.deepEqual(recorder.values, upTo(9))
    assert.equal(recorder.state, 'failed')
    assert.ok(
      handler.calls.flatMap((call) => call.items.length === 1 && call.items[0] === 20).every((twenty) => !twenty),
    )
  })

  it('keeps to the concurrency while it looks', async () => {
    const handler = picky()
    await run(200, handler, { batch: 20, concurrency: 2, isolateErrors: true, onError: 'skip' })
    assert.equal(handler.mostRunning, 2)
  })

  it('stops when a pool closes in the middle', async () => {
    let calls = 0
    const handler = new FakeHandler({
      answer: () => {
        if (++calls > 2) throw new PoolClosedError()
        throw valueError()
      },
    })
    const recorder = await run(8, handler, { batch: 8, isolateErrors: true, onError: 'skip' })
    assert.ok(recorder.error instanceof PoolClosedError)
    assert.equal(calls, 3)
  })

  it('stops when the stream is unsubscribed in the middle', async () => {
    const handler = new FakeHandler()
    const subscription = from([1, 2, 3, 4])
      .pipe(mapPython(handler.typed<number, number>(), { isolateErrors: true, onError: 'skip' }))
      .subscribe()
    await settle(1)
    handler.calls[0]!.reject(valueError())
    await settle(1)
    assert.equal(handler.calls.length, 2)
    subscription.unsubscribe()
    await settle()
    assert.equal(handler.calls.length, 2)
  })
})
