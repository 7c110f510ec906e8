import assert from 'node:assert/strict'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type ArrayHandler, type Handler, PythonPool } from '../../lib/index'
import { collect } from '../fixtures/collect'
import { testPython } from '../fixtures/python'

const SIZE = 2
const FOLDER = join(__dirname, '..', 'lifecycle')
/**
 * The part of the time that Python held its GIL that a timer may be late by. Waiting for Python makes it late by all of
 * it; a busy machine makes it late by some milliseconds.
 */
const SHARE = 0.5
const ATTEMPTS = 10

/** Runs `work` and gives the worst delay of a 1 ms timer meanwhile, in milliseconds. */
async function worstDelay(work: () => Promise<unknown>): Promise<number> {
  let worst = 0
  let last = performance.now()
  const tick = () => {
    const now = performance.now()
    worst = Math.max(worst, now - last - 1)
    last = now
  }
  const timer = setInterval(tick, 1)
  try {
    await work()
    tick()
  } finally {
    clearInterval(timer)
  }
  return worst
}

for (const isolation of ['shared', 'namespace', 'process'] as const) {
  describe(`the event loop, while every interpreter holds its GIL (${isolation})`, function () {
    this.timeout(300_000)
    let python: string
    let pool: PythonPool
    let hold: Handler<number, [thread: number, seconds: number]>
    let identity: Handler<number, number>
    let zeros: ArrayHandler<Float64Array, Float64Array>

    before(async () => {
      python = await testPython()
      pool = await PythonPool.open({ python, isolation, size: SIZE, path: FOLDER })
      hold = pool.handler('hold:hold', { init: 'hold:load' })
      identity = pool.handler('hold:identity')
      zeros = pool.handler('hold:zeros', { codec: 'array' })
      await Promise.all([identity.call([1]), zeros.call(new Float64Array(1)), hold.call([])])
    })
    after(() => pool?.close())

    /** Does something again and again while Python holds on, and says what that cost the event loop. */
    async function holdMeanwhile(
      act: () => unknown,
      halfSeconds: number,
    ): Promise<{ threads: number; shortest: number; delay: number }> {
      let results: [thread: number, seconds: number][] = []
      const delay = await worstDelay(async () => {
        let held = true
        const holding = Promise.all(Array.from({ length: SIZE }, () => hold.call([halfSeconds]))).finally(() => {
          held = false
        })
        const acts: unknown[] = []
        while (held) {
          acts.push(act())
          await pause(5)
        }
        results = (await holding).flat()
        await Promise.all(acts)
      })
      const threads = new Set(results.map(([thread]) => thread)).size
      return { threads, shortest: Math.min(...results.map(([, seconds]) => seconds * 1000)), delay }
    }

    /**
     * Does so, and checks the cost. A free interpreter may take the work of another that has not got its turn at a processor
     * or a shared GIL: then nothing was tried, and it begins again, with `prepare`.
     */
    async function whileHeld(
      act: () => unknown,
      { halfSeconds = 1, prepare }: { halfSeconds?: number; prepare?: () => Promise<void> } = {},
    ): Promise<void> {
      for (let attempt = 1; ; attempt++) {
        await prepare?.()
        const { threads, shortest, delay } = await holdMeanwhile(act, halfSeconds)
        const held = threads === SIZE && shortest > 100
        if (!held && attempt < ATTEMPTS) continue
        assert.equal(threads, SIZE, 'not every interpreter was held')
        assert.ok(shortest > 100, `Python held its GIL for ${shortest} ms only`)
        assert.ok(delay < shortest * SHARE, `a timer was ${delay} ms late while Python held its GIL for ${shortest} ms`)
        return
      }
    }

    it('goes on when nothing else is done', () => whileHeld(() => undefined))

    it('goes on while calls are made', () => whileHeld(() => identity.call([1, 2, 3])))

    it('goes on while memory is allocated and sent', () =>
      whileHeld(() => zeros.call(pool.allocate(Float64Array, 1 << 16))))

    it('goes on while handlers are made and closed', () =>
      whileHeld(async () => {
        const handler = pool.handler({ source: 'def handle(batch): return batch' })
        await handler.call([1])
        await handler.close()
      }))

    it('goes on while waiting calls are aborted', () =>
      whileHeld(async () => {
        const controller = new AbortController()
        const call = identity.call([1], { signal: controller.signal })
        controller.abort()
        await assert.rejects(call, { code: 'ERR_ABORTED' })
      }))

    it('goes on while running calls are asked to stop', () =>
      whileHeld(async () => {
        const controller = new AbortController()
        const call = hold.call([1, 1, 1, 1], { signal: controller.signal })
        await pause(100)
        controller.abort()
        await assert.rejects(call, { code: 'ERR_ABORTED' })
      }))

    it('goes on while numpy arrays are dropped', async () => {
      let results: Float64Array[] = []
      const prepare = async () => {
        results = await Promise.all(Array.from({ length: 100 }, () => zeros.call(new Float64Array(1))))
      }
      // One collection at a time, and Python holds on for longer: with all the heap of these tests one is slow by itself.
      let collecting: Promise<void> | undefined
      const drop = () => {
        if (collecting === undefined) {
          results.splice(0, 5)
          collecting = collect().finally(() => {
            collecting = undefined
          })
        }
        return collecting
      }
      await whileHeld(drop, { halfSeconds: 4, prepare })
    })

    it('goes on while another pool opens and closes', () => {
      let opening: Promise<void> | undefined
      return whileHeld(() => {
        opening ??= PythonPool.open({ python, isolation })
          .then((other) => other.close())
          .finally(() => {
            opening = undefined
          })
        return opening
      })
    })

    it('goes on while the pool is asked about', () => whileHeld(() => pool.info()))
  })
}
