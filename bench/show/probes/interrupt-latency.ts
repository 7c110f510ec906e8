/** Measures how long Python goes on after it was told to stop, in calls that would take an hour. */
import { setTimeout as sleep } from 'node:timers/promises'
import { loadPackage } from '../../harness/package'
import { handlersFolder } from '../../harness/paths'
import { answer } from './answer'

export interface InterruptLatencyRequest {
  readonly isolation: 'shared' | 'namespace' | 'process'
  readonly size: number
  /** Functions of handlers/block.py. */
  readonly blocks: readonly string[]
  readonly rounds: number
}

/** Milliseconds from the abort to the moment at which Python has stopped, for each function, round by round. */
export type InterruptLatencyAnswer = Record<string, number[]>

/** Milliseconds after which a call counts as not stopped. */
const LIMIT = 5000

/** Milliseconds on the clock that Python's time.monotonic() reads, too. */
function monotonic(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

answer<InterruptLatencyRequest, InterruptLatencyAnswer>(async ({ python, isolation, size, blocks, rounds }) => {
  const { PythonPool } = loadPackage()
  const pool = await PythonPool.open({ python, path: [handlersFolder], size, isolation, grace: 2 * LIMIT })
  const said: string[] = []
  pool.on('stdout', (text) => said.push(...text.split('\n').filter(Boolean)))
  const next = async (what: string) => {
    const until = performance.now() + LIMIT
    for (;;) {
      const found = said.findIndex((line) => line.startsWith(what))
      if (found >= 0) return said.splice(found, 1)[0]!
      if (performance.now() > until) throw new Error(`Python did not say "${what}" within ${LIMIT} ms`)
      await sleep(1)
    }
  }
  const answers: InterruptLatencyAnswer = {}
  for (const block of blocks) {
    const handler = pool.handler<number, number>(`block:${block}`)
    const neighbour = pool.handler<number, number>('block:busy')
    await neighbour.call([0]) // made last, so both are loaded
    const times: number[] = []
    for (let round = 0; round < rounds; round += 1) {
      // All others work meanwhile, and must not notice.
      const others = Array.from({ length: size - 1 }, () => neighbour.call([0.1]))
      const controller = new AbortController()
      const call = handler.call([round], { signal: controller.signal })
      await next('started')
      await sleep(10) // from here on it is in the middle of it
      const start = monotonic()
      controller.abort()
      await call.then(
        () => Promise.reject(new Error(`${block} ended by itself`)),
        () => {},
      )
      times.push(Number((await next('stopped')).split(' ')[1]) - start)
      for (const results of await Promise.all(others)) {
        if (results[0] !== 0.1) throw new Error(`a neighbour of ${block} came to harm`)
      }
    }
    answers[block] = times
    await handler.close()
  }
  await pool.close()
  return answers
})
