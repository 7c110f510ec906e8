/** Watches a 1 ms timer while every interpreter of a pool holds its GIL. */
import { setTimeout as sleep } from 'node:timers/promises'
import { loadPackage } from '../../harness/package'
import { handlersFolder } from '../../harness/paths'
import { answer } from './answer'

export interface EventLoopRequest {
  readonly isolation: 'shared' | 'namespace'
  readonly size: number
}

/** Worst delays of the timer, in milliseconds. */
export interface EventLoopAnswer {
  readonly idleMs: number
  readonly heldMs: number
  readonly callingMs: number
}

const HOLD_S = 1
const CALL_EVERY_MS = 5
const TIMER_MS = 1

/** The worst delay of a 1 ms timer while `work` runs, its last wait included. */
async function worstDelay(work: () => Promise<unknown>): Promise<number> {
  let worst = 0
  let last = performance.now()
  const tick = () => {
    const now = performance.now()
    worst = Math.max(worst, now - last - TIMER_MS)
    last = now
  }
  const timer = setInterval(tick, TIMER_MS)
  await work()
  clearInterval(timer)
  tick()
  return worst
}

answer<EventLoopRequest, EventLoopAnswer>(async ({ python, isolation, size }) => {
  const { PythonPool } = loadPackage()
  const pool = await PythonPool.open({ python, path: [handlersFolder], size, isolation })
  const hold = pool.handler<number, [thread: number, seconds: number]>('hold:handle', { init: 'hold:load' })
  const identity = pool.handler<string, string>('identity:handle', { codec: 'string' })

  const holdAll = async (seconds: number) => {
    const results = await Promise.all(Array.from({ length: size }, () => hold.call([seconds])))
    return results.flat()
  }
  const batch = Array.from({ length: 1024 }, (_, index) => `a further call, item ${index}`)
  // Everything has run once before a delay counts: loading the handlers is no part of what is measured.
  await holdAll(0.05)
  await Promise.all(Array.from({ length: 100 }, () => identity.call(batch)))

  const idleMs = await worstDelay(() => sleep(HOLD_S * 1000))
  const check = (results: [number, number][]) => {
    const threads = new Set(results.map(([thread]) => thread)).size
    const shortest = Math.min(...results.map(([, seconds]) => seconds))
    if (threads !== size) throw new Error(`${threads} of ${size} interpreters held their GIL`)
    if (shortest < HOLD_S) throw new Error(`a handler held the GIL for ${shortest} s instead of ${HOLD_S} s`)
  }
  const heldMs = await worstDelay(async () => check(await holdAll(HOLD_S)))
  const callingMs = await worstDelay(async () => {
    let done = false
    const holding = holdAll(HOLD_S).finally(() => {
      done = true
    })
    const calls: Promise<unknown>[] = []
    while (!done) {
      calls.push(identity.call(batch))
      await sleep(CALL_EVERY_MS)
    }
    check(await holding)
    await Promise.all(calls)
  })
  await pool.close()
  return { idleMs, heldMs, callingMs }
})
