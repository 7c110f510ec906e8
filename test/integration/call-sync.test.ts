import assert from 'node:assert/strict'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import type { PythonError } from '../../lib/index'
import { inEachMode, openPool } from '../fixtures/modes'
import { heard, syncWorker } from '../fixtures/syncWorker'

/** These tests run on the main thread, whose event loop nobody else needs. */
const HERE = { onMainThread: true }
/** Milliseconds: far above what anything here takes, and far below a hang. */
const SOON = 5000

const NAP = {
  source: 'import time\ndef handle(batch):\n    for item in batch:\n        time.sleep(item)\n    return batch\n',
}

inEachMode(
  'callSync',
  (test) => {
    const handler = (name: string) => test.pool.handler<unknown, unknown>(name)

    it('gives what call gives, with each codec', async () => {
      const strings = test.pool.handler<string, string>('sticking:identity', { codec: 'string' })
      const records = [{ a: 1, b: [null, 'x'] }, 10n ** 30n, 'ä€😀', Number.NaN]
      const buffers = test.pool.handler<Uint8Array, Uint8Array>('sticking:identity', { codec: 'buffer' })
      const arrays = test.pool.handler<Float64Array, Float64Array>('sticking:identity', { codec: 'array' })
      const columns = test.pool.handler<{ x: number }, { x: number }>('sticking:identity', { codec: 'columns' })
      assert.deepEqual(strings.callSync(['a', 'ä', '€😀', ''], HERE), ['a', 'ä', '€😀', ''])
      assert.deepEqual(handler('sticking:identity').callSync(records, HERE), records)
      assert.deepEqual(buffers.callSync([Uint8Array.of(1, 2), Uint8Array.of()], HERE), [
        Uint8Array.of(1, 2),
        Uint8Array.of(),
      ])
      assert.deepEqual(arrays.callSync(Float64Array.of(1, 2.5), HERE), Float64Array.of(1, 2.5))
      assert.deepEqual(columns.callSync([{ x: 1 }, { x: 2 }], HERE), [{ x: 1 }, { x: 2 }])
      assert.deepEqual(strings.callSync([], HERE), [])
    })

    it('large batches, and many small ones', () => {
      const strings = test.pool.handler<string, string>('sticking:identity', { codec: 'string' })
      const many = Array.from({ length: 50_000 }, (_, i) => `${i}-${'x'.repeat(i % 90)}`)
      assert.deepEqual(strings.callSync(many, HERE), many)
      for (let i = 0; i < 500; i++) assert.deepEqual(strings.callSync([`${i}`], HERE), [`${i}`])
    })

    it('of a handler that has not loaded yet, in every shape', () => {
      for (const shape of ['function', 'generator', 'coroutine', 'async_generator', 'Instance'] as const) {
        assert.deepEqual(handler(`shapes:${shape}`).callSync([1, 2], HERE), [2, 4], shape)
      }
    })

    it('of a scan, whose state stays where it is', () => {
      const total = test.pool.handler<number, number>('flow:total').variant<number>('scan', { seed: 0 })
      assert.deepEqual(total.callSync([1, 2], HERE), [1, 3])
      assert.deepEqual(total.callSync([4], HERE), [7])
    })

    it('throws what Python raised, and the pool goes on', () => {
      assert.throws(
        () => handler('failing:cause').callSync([1], HERE),
        (error: PythonError) => {
          assert.equal(error.code, 'ERR_PYTHON_EXCEPTION')
          assert.match(error.pythonTraceback, /failing\.py/)
          assert.ok(error.cause)
          return true
        },
      )
      assert.throws(() => handler('no_such_module:handle').callSync([1], HERE), { code: 'ERR_HANDLER_NOT_FOUND' })
      assert.throws(() => handler('flow:double').callSync([1, () => {}], HERE), { code: 'ERR_ITEM_ENCODE' })
      assert.deepEqual(handler('flow:double').callSync([21], HERE), [42])
    })

    it('waits for an interpreter that is busy, whose calls get their answers afterwards', async () => {
      const nap = test.pool.handler<number, number>(NAP)
      await nap.call([])
      const busy = Array.from({ length: test.mode.size }, () => nap.call([0.2]))
      await pause(50)
      const began = performance.now()
      assert.deepEqual(nap.callSync([0], HERE), [0])
      assert.ok(performance.now() - began > 50)
      assert.deepEqual(await Promise.all(busy), Array(test.mode.size).fill([0.2]))
    })

    it('ends at its time limit', () => {
      for (const limit of [{ timeout: 100 }, { runTimeout: 100 }]) {
        const began = performance.now()
        assert.throws(() => test.pool.handler(NAP).callSync([30], { ...HERE, ...limit }), { code: 'ERR_TIMEOUT' })
        const took = performance.now() - began
        assert.ok(took > 90 && took < SOON, `${took} ms`)
      }
      assert.deepEqual(handler('flow:double').callSync([21], HERE), [42])
    })

    it('keeps the time limits of the calls that it waits behind', async () => {
      const forever = handler('flow:forever')
      const endless = Array.from({ length: test.mode.size }, () =>
        assert.rejects(forever.call([1], { timeout: 150 }), { code: 'ERR_TIMEOUT' }),
      )
      await pause(50)
      assert.deepEqual(handler('flow:double').callSync([21], { ...HERE, timeout: SOON }), [42])
      await Promise.all(endless)
    })

    it('callbacks of Python answer if they can at once, and fail if they cannot', () => {
      assert.deepEqual(handler('calling:call').callSync([['add', [2, 3]]], HERE), [5])
      const [[name, message, code]] = handler('calling:failure').callSync([['late', [1]]], HERE) as [string[]]
      assert.deepEqual([name, code], ['CallbackError', 'ERR_CALLBACK'])
      assert.match(message!, /waits for this call in callSync/)
      waits = () => handler('flow:double').callSync([1], HERE)
      const [error] = handler('calling:failure').callSync([['wait', []]], HERE) as [string[]]
      assert.deepEqual([error[0], error[2]], ['SyncCallError', 'ERR_SYNC_CALL'])
    })

    // A number is used again as soon as its result is here, and its last call may not have ended by then.
    it('knows its own callbacks, however fast calls follow each other', () => {
      const failure = handler('calling:failure')
      for (let i = 0; i < 2000; i++) {
        assert.deepEqual(handler('flow:double').callSync([i], HERE), [2 * i])
        const [[name]] = failure.callSync([['late', [1]]], HERE) as [string[]]
        assert.equal(name, 'CallbackError')
      }
    })

    it('does not wait behind a call that waits for a callback, and leaves it its answer', async () => {
      const asking = Array.from({ length: test.mode.size }, () => handler('calling:call').call([['gate', []]]))
      while (gates.length < test.mode.size) await pause(2)
      assert.deepEqual(handler('flow:double').callSync([21], { ...HERE, timeout: SOON }), [42])
      for (const open of gates.splice(0)) open('open')
      assert.deepEqual(await Promise.all(asking), Array(test.mode.size).fill(['open']))
    })

    it('of an async handler runs beside the batches that are in flight', async () => {
      const async = test.pool.handler<number, number>({
        source: 'import asyncio\nasync def handle(batch):\n    await asyncio.sleep(batch[0])\n    return batch\n',
      })
      const flying = async.call([0.2])
      assert.deepEqual(async.callSync([0.01], HERE), [0.01])
      assert.deepEqual(await flying, [0.2])
    })

    it('lets what Python printed through', async () => {
      const printed = once(test.pool, 'stdout')
      test.pool
        .handler({ source: 'def handle(batch):\n    print("from", "Python")\n    return batch\n' })
        .callSync([1], HERE)
      assert.match(String((await printed)[0]), /from Python/)
    })
  },
  {
    callbacks: {
      add: (a: unknown, b: unknown) => (a as number) + (b as number),
      late: (value: unknown) => Promise.resolve(value),
      gate: () => new Promise((resolve) => gates.push(resolve)),
      wait: () => waits(),
    },
  },
)

const gates: ((value: unknown) => void)[] = []
let waits: () => unknown = () => undefined

describe('callSync where it must not wait', () => {
  it('is refused on the main thread, in callbacks, after close, and with options that cannot be', async () => {
    const pool = await openPool({ isolation: 'shared', size: 1, callbacks: { wait: () => waits() } })
    const double = pool.handler<number, number>('flow:double')
    waits = () => double.callSync([1], HERE)
    assert.throws(() => double.callSync([1]), { code: 'ERR_SYNC_CALL', name: 'SyncCallError' })
    const [said] = (await pool.handler('calling:failure').call([['wait', []]])) as [string[]]
    assert.equal(said[2], 'ERR_SYNC_CALL')
    const wrong = { timeout: -1, signal: AbortSignal.abort(), onMainThread: 1 } as unknown as typeof HERE
    assert.throws(
      () => double.callSync([1], wrong),
      (error: { code: string; problems: string[] }) => error.code === 'ERR_OPTION' && error.problems.length === 3,
    )
    await double.close()
    assert.throws(() => double.callSync([1], HERE), { code: 'ERR_POOL_CLOSED' })
    const other = pool.handler('flow:double')
    await pool.close()
    assert.throws(() => other.callSync([1], HERE), { code: 'ERR_POOL_CLOSED' })
  })
})

inEachMode(
  'callSync with inline',
  (test) => {
    const INLINE = { onMainThread: true, inline: true }
    const handler = <T>(name: string, codec: 'string' | 'json' = 'json') =>
      test.pool.handler<T, unknown>(name, { codec })
    const identity = { source: 'def handle(batch):\n    return batch\n' }

    it('gives what callSync gives without', async () => {
      const strings = test.pool.handler<string, string>(identity, { codec: 'string' })
      const json = test.pool.handler<unknown, unknown>(identity)
      const filter = test.pool.handler<number, number>('flow:odd').variant<boolean>('filter')
      const batches = [
        ['a', '', 'ä', '€😀'],
        Array.from({ length: 20_000 }, (_, i) => `${i}${'é'.repeat(i % 50)}`),
        [],
        ['x'.repeat(100_000)],
      ]
      for (let round = 0; round < 3; round++) {
        for (const batch of batches) {
          assert.deepEqual(strings.callSync(batch, INLINE), batch)
          assert.deepEqual(json.callSync(batch, INLINE), batch)
        }
        assert.deepEqual(json.callSync([1.5, 10n ** 30n, { a: [null, true] }], INLINE), [
          1.5,
          10n ** 30n,
          { a: [null, true] },
        ])
        assert.deepEqual(filter.callSync([1, 2, 3], INLINE), [true, false, true])
        assert.deepEqual(await strings.call(['between']), ['between'])
      }
    })

    it('runs on this thread where the interpreters share a Python, else on theirs', async () => {
      const thread = test.pool.handler<number, number>({
        source: 'import os, threading\ndef handle(batch):\n    return [threading.get_native_id() - os.getpid()]\n',
      })
      await thread.call([1])
      for (let tries = 0; tries < 50; tries++) {
        const [distance] = thread.callSync([1], INLINE) as [number]
        // In a worker process Python's main thread is its process's.
        if (test.mode.isolation === 'shared' && distance === 0) return
        if (test.mode.isolation === 'namespace') assert.notEqual(distance, 0)
        await pause(1)
      }
      assert.notEqual(test.mode.isolation, 'shared', 'no interpreter was ever idle')
    })

    it('throws what Python raised, and the interpreter goes on', async () => {
      const broken = handler('failing:plain')
      const short = test.pool.handler({ source: 'def handle(batch):\n    return batch[1:]\n' })
      for (let i = 0; i < 20; i++) {
        assert.throws(
          () => broken.callSync([1], INLINE),
          (error: PythonError) => {
            assert.equal(error.code, 'ERR_PYTHON_EXCEPTION')
            assert.match(error.pythonTraceback, /failing\.py/)
            return true
          },
        )
        assert.throws(() => short.callSync([1], INLINE), { code: 'ERR_RESULT_LENGTH' })
      }
      assert.deepEqual(await handler('flow:double').call([21]), [42])
    })

    it('callbacks and asynchronous handlers', async () => {
      const failure = handler<unknown>('calling:failure')
      const threads = handler<unknown>('calling:threads')
      const gathered = handler<number>('shapes:gathered')
      await Promise.all([failure.call([]), threads.call([]), gathered.call([])])
      let refused = 0
      for (let i = 0; i < 20; i++) {
        await pause(1)
        const [[name, , code]] = failure.callSync([['late', [1]]], INLINE) as [string[]]
        assert.deepEqual([name, code], ['CallbackError', 'ERR_CALLBACK'])
        assert.deepEqual(gathered.callSync([1, 2], INLINE), [2, 4])
        // Threads of the handler's own do not wait for an answer either; elsewhere they get it.
        try {
          assert.deepEqual(threads.callSync([1, 2], INLINE), [1, 2])
        } catch (error) {
          assert.match((error as PythonError).message, /runs this very call/)
          refused++
        }
      }
      assert.equal(refused > 0, test.mode.isolation === 'shared')
      assert.deepEqual(await threads.call([1, 2]), [1, 2])
    })

    it('waits where all interpreters are busy', async () => {
      const nap = test.pool.handler<number, number>(NAP)
      await nap.call([])
      const busy = Array.from({ length: test.mode.size }, () => nap.call([0.2]))
      await pause(50)
      assert.deepEqual(nap.callSync([0], INLINE), [0])
      assert.deepEqual(await Promise.all(busy), Array(test.mode.size).fill([0.2]))
    })

    it('does not go with a time limit', () => {
      assert.throws(() => handler('flow:double').callSync([1], { ...INLINE, timeout: 100 }), { code: 'ERR_OPTION' })
      assert.throws(() => handler('flow:double').callSync([1], { ...INLINE, runTimeout: 100 }), { code: 'ERR_OPTION' })
    })
  },
  { callbacks: { echo: (value: unknown) => value, late: (value: unknown) => Promise.resolve(value) } },
)

describe('callSync in Workers', function () {
  this.timeout(300_000)

  for (const isolation of ['shared', 'namespace', 'process']) {
    it(`in several at once, ${isolation}`, async () => {
      const workers = await Promise.all(
        Array.from({ length: 3 }, () =>
          syncWorker(
            isolation,
            `const double = pool.handler('flow:double')
             let sum = 0
             for (let i = 0; i < 300; i++) sum += double.callSync([i])[0]
             say(sum)`,
          ),
        ),
      )
      const ends = workers.map((worker) => once(worker, 'exit'))
      assert.deepEqual(await Promise.all(workers.map(heard)), Array(3).fill(299 * 300))
      assert.deepEqual(await Promise.all(ends), Array(3).fill([0]))
    })

    it(`inline, in Workers that come and go, ${isolation}`, async () => {
      for (let round = 0; round < 2; round++) {
        const workers = await Promise.all(
          Array.from({ length: 2 }, () =>
            syncWorker(
              isolation,
              `const double = pool.handler('flow:double')
               await double.call([1])
               let sum = 0
               for (let i = 0; i < 2000; i++) sum += double.callSync([i], { inline: true })[0]
               say(sum)`,
            ),
          ),
        )
        const ends = workers.map((worker) => once(worker, 'exit'))
        assert.deepEqual(await Promise.all(workers.map(heard)), Array(2).fill(1999 * 2000))
        assert.deepEqual(await Promise.all(ends), Array(2).fill([0]))
      }
    })

    it(`a Worker that waits can be terminated, ${isolation}`, async () => {
      const worker = await syncWorker(
        isolation,
        `const forever = pool.handler('flow:forever')
         pool.handler('flow:double').callSync([1])
         say('waiting')
         forever.callSync([1])`,
      )
      assert.equal(await heard(worker), 'waiting')
      await pause(100)
      const began = performance.now()
      await worker.terminate()
      assert.ok(performance.now() - began < SOON)
    })
  }
})

describe('callSync behind what does not stop', () => {
  for (const isolation of ['shared', 'namespace', 'process'] as const) {
    it(`goes on when the interpreter has been replaced, ${isolation}`, async () => {
      const pool = await openPool({ isolation, size: 1, grace: 150 })
      try {
        const started = once(pool, 'stdout')
        const stuck = pool.handler<number, number>('sticking:in_c').call([2], { timeout: 300 })
        const failed = assert.rejects(stuck, { code: 'ERR_TIMEOUT' })
        await started
        const began = performance.now()
        assert.deepEqual(pool.handler('flow:double').callSync([21], HERE), [42])
        assert.ok(performance.now() - began < 1900)
        await failed
        // The next pool is to have the thread.
        while (pool.info().stuckNow > 0) await pause(5)
      } finally {
        await pool.destroy()
      }
    })
  }

  it('is told of a crash', async () => {
    const pool = await openPool({ isolation: 'process', size: 1 })
    try {
      const crashing = pool.handler<string, string>('crashing:handle')
      assert.throws(() => crashing.callSync(['kill'], HERE), { code: 'ERR_PYTHON_CRASH' })
      assert.deepEqual(pool.handler('flow:double').callSync([21], HERE), [42])
    } finally {
      await pool.close()
    }
  })
})
