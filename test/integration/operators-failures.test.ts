import assert from 'node:assert/strict'
import { lastValueFrom, type OperatorFunction, of, range, Subject, toArray } from 'rxjs'
import {
  EncodeError,
  HandlerError,
  PoolClosedError,
  PythonError,
  PythonTimeoutError,
  ResultError,
} from '../../lib/errors'
import { type DeadLetter, filterPython, flatMapPython, mapPython, scanPython } from '../../lib/index'
import { failsWith } from '../fixtures/failures'
import { inEachMode, openPool, withPool } from '../fixtures/modes'

/** What came out before the stream ended, and the error that it ended with. */
function outcome<T>(operator: OperatorFunction<number, T>, count = 30): Promise<{ values: T[]; error: unknown }> {
  const values: T[] = []
  return new Promise((resolve) => {
    range(0, count)
      .pipe(operator)
      .subscribe({
        next: (value) => values.push(value),
        error: (error) => resolve({ values, error }),
        complete: () => resolve({ values, error: undefined }),
      })
  })
}

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i)

inEachMode('a batch that fails', (test) => {
  const failing = (name = 'fail_on_13') => test.pool.handler<number, number>(`flow:${name}`)

  it("is the stream's error, after everything that comes before it", async () => {
    const { values, error } = await outcome(mapPython(failing(), { batch: 5 }))
    assert.deepEqual(values, upTo(10))
    assert.ok(error instanceof PythonError, String(error))
    assert.deepEqual([error.code, error.handler, error.batchSize], ['ERR_PYTHON_EXCEPTION', 'flow:fail_on_13', 5])
  })

  it('may be skipped', async () => {
    const { values, error } = await outcome(mapPython(failing(), { batch: 5, onError: 'skip' }))
    assert.deepEqual([values, error], [[...upTo(10), ...upTo(30).slice(15)], undefined])
  })

  it('may be replaced', async () => {
    const seen: [unknown, readonly number[]][] = []
    const onError = (failure: unknown, items: readonly number[]) => {
      seen.push([(failure as PythonError).pythonMessage, items])
      return items.map((item) => -item)
    }
    const { values } = await outcome(mapPython(failing(), { batch: 5, onError }))
    assert.deepEqual(values, [...upTo(10), -10, -11, -12, -13, -14, ...upTo(30).slice(15)])
    assert.deepEqual(seen, [['13 is not a good number', [10, 11, 12, 13, 14]]])
  })

  it('may go to another observer', async () => {
    const letters: DeadLetter<number>[] = []
    const deadLetter = new Subject<DeadLetter<number>>()
    deadLetter.subscribe((letter) => letters.push(letter))
    const { values } = await outcome(mapPython(failing(), { batch: 5, onError: { deadLetter } }))
    assert.equal(values.length, 25)
    assert.deepEqual(
      letters.map(({ error, items }) => [(error as PythonError).pythonType, items]),
      [['ValueError', [10, 11, 12, 13, 14]]],
    )
  })

  for (const name of ['fail_on_13', 'fail_13_only']) {
    it(`may be searched for the items to blame: ${name}`, async () => {
      const letters: DeadLetter<number>[] = []
      const onError = { deadLetter: { next: (letter: DeadLetter<number>) => letters.push(letter) } }
      const { values } = await outcome(mapPython(failing(name), { batch: 10, isolateErrors: true, onError }))
      assert.deepEqual(
        values,
        upTo(30).filter((item) => item !== 13),
      )
      assert.deepEqual(
        letters.map(({ items }) => items),
        [[13]],
      )
    })
  }

  it('may be one that takes too long', async () => {
    const slow = failing('slow_on_13')
    // Batches wait behind it for longer than their limit, which counts from when they run.
    const options = { batch: 5, timeout: 150, concurrency: 3 * test.mode.size }
    await slow.call([])
    const { values, error } = await outcome(mapPython(slow, options))
    assert.deepEqual(values, upTo(10))
    assert.ok(error instanceof PythonTimeoutError, String(error))
    assert.equal(error.timeout, 150)
    const skipping = await outcome(mapPython(slow, { ...options, onError: 'skip' }))
    assert.deepEqual([skipping.values.length, skipping.error], [25, undefined])
  })
})

withPool('failures', (test) => {
  it('of an item that the codec cannot carry are told with its index', async () => {
    const handler = test.pool.handler<unknown, unknown>('seen')
    const call = lastValueFrom(of(1, new Map(), 3).pipe(mapPython(handler, { batch: 3 }), toArray()))
    assert.equal((await failsWith(call, EncodeError, 'ERR_ITEM_ENCODE')).itemIndex, 1)
    const skipped = of<unknown[]>(1, new Map(), 3).pipe(mapPython(handler, { batch: 1, onError: 'skip' }), toArray())
    assert.deepEqual(await lastValueFrom(skipped), [1, 3])
  })

  it('of a result are told apart', async () => {
    const options = { pool: test.pool, batch: 3 }
    const run = (source: string) => lastValueFrom(range(0, 3).pipe(mapPython(source, options), toArray()))
    const flat = (source: string) => lastValueFrom(range(0, 3).pipe(flatMapPython(source, options), toArray()))
    await failsWith(run('lambda batch: [1]'), ResultError, 'ERR_RESULT_LENGTH')
    await failsWith(run('lambda batch: None'), ResultError, 'ERR_RESULT_TYPE')
    await failsWith(run('lambda batch: [{1}, 2, 3]'), ResultError, 'ERR_RESULT_ENCODE')
    await failsWith(flat('lambda batch: [[1]]'), ResultError, 'ERR_RESULT_LENGTH')
    await failsWith(flat('lambda batch: [1, 2, 3]'), ResultError, 'ERR_RESULT_TYPE')
  })

  it('of a handler that does not load end the stream whatever onError says', async () => {
    for (const onError of ['skip', () => [0], { deadLetter: { next: () => {} } }] as const) {
      const { values, error } = await outcome(mapPython<number, number>('no_such_module', { pool: test.pool, onError }))
      assert.deepEqual(values, [])
      assert.ok(error instanceof HandlerError, String(error))
    }
  })

  it('of a pool that closes end the stream', async () => {
    const pool = await openPool()
    const source = new Subject<number>()
    const result = lastValueFrom(source.pipe(mapPython<number, number>('flow:double', { pool, onError: 'skip' })))
    source.next(1)
    await new Promise((resolve) => setTimeout(resolve, 50))
    await pool.close()
    source.next(2)
    await failsWith(result, PoolClosedError, 'ERR_POOL_CLOSED')
  })

  it('of what onError does are the error of the stream', async () => {
    const handler = test.pool.handler<number, number>('flow:fail_on_13')
    const throwing = await outcome(
      mapPython(handler, {
        onError: () => {
          throw new Error('worse')
        },
      }),
    )
    assert.equal((throwing.error as Error).message, 'worse')
    const short = await outcome(mapPython(handler, { batch: 5, onError: () => [1] }))
    assert.equal((short.error as PythonError).code, 'ERR_OPTION')
    const none = await outcome(mapPython(handler, { batch: 5, onError: () => undefined }))
    assert.deepEqual([none.values.length, none.error], [25, undefined])
  })

  it('leave the state of a scan as it was before the batch', async () => {
    const source = `
      def handle(state, item):
          if item == 13:
              raise ValueError("13")
          return state + item
    `
    const { values } = await outcome(
      scanPython<number, number>(source, { pool: test.pool, seed: 0, batch: 5, onError: 'skip' }),
      20,
    )
    const sums: number[] = []
    for (const item of [...upTo(10), 15, 16, 17, 18, 19]) sums.push((sums.at(-1) ?? 0) + item)
    assert.deepEqual(values, sums)
  })

  it('of filters and flatMaps may be skipped, too', async () => {
    const { pool } = test
    const guard = 'if 13 in batch: raise ValueError(13)'
    const filter = filterPython<number>(`def handle(batch):\n  ${guard}\n  return batch`, {
      pool,
      batch: 5,
      onError: 'skip',
    })
    assert.deepEqual((await outcome(filter)).values, [...upTo(10).slice(1), ...upTo(30).slice(15)])
    const flat = flatMapPython<number, number>(`def handle(batch):\n  ${guard}\n  return [[i, i] for i in batch]`, {
      pool,
      batch: 5,
      onError: () => [-1],
    })
    assert.deepEqual(
      (await outcome(flat, 16)).values,
      [...upTo(10), -1, 15].flatMap((item) => (item === -1 ? [-1] : [item, item])),
    )
  })

  it('of a source come after the results of what it sent', async () => {
    const source = new Subject<number>()
    const handler = test.pool.handler<number, number>('flow:double')
    const values: number[] = []
    const done = new Promise((resolve) =>
      source.pipe(mapPython(handler)).subscribe({ next: (value) => values.push(value), error: resolve }),
    )
    source.next(1)
    source.next(2)
    source.error(new Error('the source is broken'))
    assert.equal(((await done) as Error).message, 'the source is broken')
    assert.deepEqual(values, [2, 4])
  })
})
