import assert from 'node:assert/strict'
import { mapPython, type PoolOptions, type PythonPool, type ResizeEvent } from '../../lib/index'
import { fromIterable } from '../../lib/sources/fromIterable'
import { openPool } from '../fixtures/modes'

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Waits rather than works, so that interpreters help each other on any machine. */
const WAITING = `
  import os, threading, time
  ready = False
  def load():
      global ready
      time.sleep(0.05)
      ready = True
  def handle(batch):
      time.sleep(0.01)
      return [[item, ready, f"{os.getpid()} {threading.get_ident()}"] for item in batch]
`
type Answer = [item: number, ready: boolean, who: string]

async function follow(options: PoolOptions, body: (pool: PythonPool, events: ResizeEvent[]) => Promise<void>) {
  await using pool = await openPool({ name: 'scaled', ...options })
  const events: ResizeEvent[] = []
  pool.on('resize', (event) => events.push(event))
  await body(pool, events)
}

for (const isolation of ['namespace', 'process'] as const) {
  describe(`size { min, max }, ${isolation}`, function () {
    this.timeout(60_000)

    it('follows the load up and down, and loses nothing on the way', () =>
      follow({ isolation, size: { min: 1, max: 3 }, idleAfter: 400 }, async (pool, events) => {
        const handler = pool.handler<number, Answer>(
          { source: WAITING, function: 'handle' },
          { init: { source: WAITING, function: 'load' } },
        )
        await handler.call([])
        assert.equal(pool.size, 1)
        let sent = 0
        let running = true
        const source = fromIterable(function* () {
          while (running) yield sent++
        })
        const answers: Answer[] = []
        const start = performance.now()
        let grownAfter = 0
        pool.once('resize', () => {
          grownAfter = performance.now() - start
        })
        const stream = source.pipe(mapPython(handler, { batch: 8 })).forEach((answer) => void answers.push(answer))
        while (pool.size < 3 && performance.now() - start < 20_000) await sleep(20)
        assert.equal(pool.size, 3)
        await sleep(300)
        running = false
        await stream
        assert.deepEqual(
          answers.map(([item]) => item),
          Array.from({ length: sent }, (_, i) => i),
        )
        assert.ok(
          answers.every(([, ready]) => ready),
          'init has run before the first batch',
        )
        assert.equal(new Set(answers.map((answer) => answer[2])).size, 3)
        assert.ok(grownAfter < 3000, `it grew after ${grownAfter} ms`)
        assert.deepEqual(
          events.map(({ size, reason }) => `${size} ${reason}`),
          ['2 backlog', '3 backlog'],
        )
        const { min, max, resizes } = pool.info()
        assert.deepEqual([min, max, resizes], [1, 3, 2])
        while (pool.size > 1 && performance.now() - start < 30_000) await sleep(20)
        assert.deepEqual(
          events.slice(2).map(({ size, reason }) => `${size} ${reason}`),
          ['2 idle', '1 idle'],
        )
        assert.deepEqual((await handler.call([5])).slice(0, 1)[0]!.slice(0, 2), [5, true])
      }))

    it('keeps the interpreter of a scan when it shrinks', () =>
      follow({ isolation, size: { min: 1, max: 2 }, idleAfter: 200 }, async (pool) => {
        await pool.calls.seats.add()
        const scans = [1, 2].map(() => pool.handler<number, number>('lambda a, b: a + b').variant('scan', { seed: 0 }))
        await Promise.all(scans.map((scan) => scan.call([1])))
        await sleep(700)
        assert.equal(pool.size, 2)
        assert.deepEqual(await Promise.all(scans.map((scan) => scan.call([1]))), [[2], [2]])
        await scans[1]!.close()
        await sleep(900)
        assert.equal(pool.size, 1)
        assert.deepEqual(await scans[0]!.call([1]), [3])
      }))
  })
}

describe('size { min, max }', function () {
  this.timeout(60_000)

  it('stays as it is where interpreters share one GIL', () =>
    follow({ isolation: 'shared', size: { min: 2, max: 4 }, idleAfter: 100 }, async (pool, events) => {
      if (pool.info().python.freeThreaded) return
      const handler = pool.handler<number, Answer>({ source: WAITING, function: 'handle' })
      await Promise.all(Array.from({ length: 200 }, (_, i) => handler.call([i])))
      assert.deepEqual([pool.size, events], [2, []])
    }))

  it('does not keep a process that has nothing to do, and survives a pool that closes while it grows', () =>
    follow({ isolation: 'process', size: { min: 1, max: 4 } }, async (pool) => {
      const handler = pool.handler<number, Answer>({ source: WAITING, function: 'handle' })
      const calls = Array.from({ length: 60 }, (_, i) => handler.call([i]))
      await sleep(450)
      await pool.close()
      assert.equal((await Promise.all(calls)).length, 60)
    }))
})
