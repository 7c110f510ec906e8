import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { lastValueFrom, range, toArray } from 'rxjs'
import { type HandlerOptions, mapPython, PythonError, ResultError } from '../../lib/index'
import { failsWith } from '../fixtures/failures'
import { inEachMode, openPool } from '../fixtures/modes'

/** Milliseconds: far above what anything here takes, and far below a hang. */
const SOON = 3000

inEachMode('async handlers, many batches in flight', (test) => {
  const handler = <I = unknown, O = unknown>(name: string, options?: HandlerOptions) =>
    test.pool.handler<I, O>(`flying:${name}`, options)
  const count = (n: number) => Array.from({ length: n }, (_, i) => i)
  /** A call for each interpreter, so that all of them have loaded the handler. */
  const warm = async (call: () => Promise<unknown>) => {
    await Promise.all(count(test.mode.size * 2).map(call))
  }

  it('a hundred batches sleep at the same time', async () => {
    const nap = handler<number>('nap')
    await warm(() => nap.call([0]))
    const start = performance.now()
    const results = await Promise.all(count(100).map((i) => nap.call([0.1, i])))
    const took = performance.now() - start
    assert.deepEqual(
      results,
      count(100).map((i) => [0.1, i]),
    )
    // One after the other: 10 s on one interpreter, 5 s on two.
    assert.ok(took < 2500, `${took} ms`)
  })

  it('asyncConcurrency is how many there are at a time', async () => {
    for (const limit of [1, 3]) {
      const together = handler<number, number>('together', { asyncConcurrency: limit })
      const most = Math.max(...(await Promise.all(count(12).map((i) => together.call([i])))).flat())
      // Interpreters of `shared` count in the same module.
      const shared = test.mode.isolation === 'shared' ? test.mode.size : 1
      assert.ok(most <= limit * shared, `${most} at a time`)
      if (limit > 1) assert.ok(most > 1, 'none at a time')
      await together.close()
    }
  })

  it('plain handlers run in between, outside of the loop', async () => {
    const nap = handler<number>('nap')
    const plain = handler<number>('plain')
    const naps = count(test.mode.size * 4).map(() => nap.call([0.5]))
    await pause(50)
    const start = performance.now()
    for (let i = 0; i < 20; i++) assert.deepEqual(await plain.call([i]), [i])
    assert.ok(performance.now() - start < 450, 'they waited for the naps')
    await Promise.all(naps)
  })

  it('each batch has its own context variables, and all of them one loop', async () => {
    const context = handler<number>('context')
    const results = await Promise.all(count(20).map((i) => context.call([i])))
    assert.deepEqual(
      results.flat(),
      count(20).map((i) => [null, i, i, i]),
    )
    const loops = handler<number, number>('same_loop')
    await warm(() => loops.call([1]))
    const most = Math.max(...(await Promise.all(count(20).map((i) => loops.call([i])))).flat())
    assert.ok(most <= test.mode.size, `${most} loops`)
  })

  it('an exception is that of its batch, and harms no other', async () => {
    const picky = handler<number>('picky')
    const results = await Promise.allSettled(count(20).map((i) => picky.call([i])))
    for (const [i, result] of results.entries()) {
      if (result.status === 'fulfilled') assert.deepEqual([i % 2, result.value], [0, [i]])
      else {
        assert.equal(result.reason.pythonMessage, `batch ${i} is odd`)
        assert.match(result.reason.pythonTraceback, /flying\.py", line \d+, in picky/)
      }
    }
    await failsWith(handler('short').call([1, 2]), ResultError, 'ERR_RESULT_LENGTH')
    const nap = handler<number>('nap')
    const napping = nap.call([0.05])
    const error = await failsWith(handler('exits').call([1]), PythonError, 'ERR_PYTHON_EXCEPTION')
    assert.equal(error.pythonType, 'SystemExit')
    assert.deepEqual(await napping, [0.05])
  })

  it('generators and binary batches fly, too', async () => {
    const numbers = handler<number, number>('numbers')
    assert.deepEqual(
      await Promise.all(count(20).map((i) => numbers.call([i, 1]))),
      count(20).map((i) => [2 * i, 2]),
    )
    const views = handler<Uint8Array, Uint8Array>('views', { codec: 'buffer' })
    const results = await Promise.all(
      count(20).map((i) => views.call([Uint8Array.of(i, 1), new Uint8Array(200_000).fill(i)])),
    )
    for (const [i, [small, large]] of results.entries()) {
      assert.deepEqual([...small!], [1, i])
      assert.ok(large!.length === 200_000 && large!.every((byte) => byte === i))
    }
  })

  it('a time limit or an abort ends just that batch, and what it started', async () => {
    const nap = handler<number>('nap')
    const tidy = handler<number>('tidy')
    const tidied = handler<number, string[]>('tidied')
    const controller = new AbortController()
    const start = performance.now()
    const napping = nap.call([0.3])
    const ended = [
      tidy.call([1], { timeout: 50 }),
      tidy.call([2], { timeout: 50 }),
      tidy.call([3], { signal: controller.signal }),
    ]
    setTimeout(() => controller.abort(), 60)
    const codes = (await Promise.allSettled(ended)).map((one) => one.status === 'rejected' && one.reason.code)
    assert.deepEqual(codes, ['ERR_TIMEOUT', 'ERR_TIMEOUT', 'ERR_ABORTED'])
    assert.deepEqual(await napping, [0.3])
    const all = test.mode.isolation === 'shared' ? 1 : test.mode.size
    for (;;) {
      const lists = await Promise.all(count(all * 8).map(() => tidied.call([1])))
      if (all > 1 || lists[0]![0]!.length === 6) {
        // Of several interpreters only those that ran some have tidied; each as many tasks as batches.
        for (const [list] of lists) {
          assert.equal(list!.filter((one) => one === 'batch').length, list!.filter((one) => one === 'child').length)
        }
        break
      }
      assert.ok(performance.now() - start < SOON, `${lists[0]}`)
      await pause(5)
    }
  })

  it('a batch that blocks the loop is interrupted', async function () {
    // Only Python's main thread can be broken out of a wait.
    if (test.mode.isolation === 'shared' && test.mode.size > 1) this.skip()
    const start = performance.now()
    await assert.rejects(handler('blocks').call([1], { timeout: 50 }), { code: 'ERR_TIMEOUT' })
    await Promise.all(count(test.mode.size * 2).map(() => handler<number>('nap').call([0.01])))
    assert.ok(performance.now() - start < SOON)
  })

  it('a stream keeps its order', async () => {
    const nap = test.pool.handler<number, number>({
      source: `
        import asyncio
        async def handle(batch):
            await asyncio.sleep((7 * batch[0] % 10) / 1000)
            return batch
      `,
    })
    const stream = range(0, 200).pipe(mapPython(nap, { batch: 4, concurrency: 32 }), toArray())
    assert.deepEqual(await lastValueFrom(stream), count(200))
  })
})

for (const isolation of ['shared', 'namespace', 'process'] as const) {
  describe(`the end of a pool with batches in flight, ${isolation}`, () => {
    it('close() waits for them', async () => {
      const pool = await openPool({ isolation, size: 1 })
      const nap = pool.handler<number, number>('flying:nap')
      const naps = Promise.all(Array.from({ length: 10 }, () => nap.call([0.1])))
      await nap.call([0])
      await pool.close()
      assert.equal((await naps).length, 10)
    })

    it('destroy() ends them', async () => {
      const pool = await openPool({ isolation, size: 1 })
      const nap = pool.handler<number, number>('flying:nap')
      await nap.call([0])
      const naps = Promise.allSettled(Array.from({ length: 10 }, () => nap.call([3600])))
      await pause(20)
      const start = performance.now()
      await pool.destroy()
      for (const one of await naps) assert.equal(one.status === 'rejected' && one.reason.code, 'ERR_POOL_CLOSED')
      // All interpreters have gone when the next pool opens on the same thread of Python's.
      await using next = await openPool({ isolation, size: 1 })
      assert.deepEqual(await next.handler<number, number>('flying:nap').call([0]), [0])
      assert.ok(performance.now() - start < SOON)
    })
  })
}
