/** Measures the throughput of a case on a pool of one isolation and size, through `handler.call`. */
import { forest } from '../../cases/forest'
import { identity } from '../../cases/identity'
import { pure } from '../../cases/pure'
import { measure } from '../../harness/measure'
import { loadPackage } from '../../harness/package'
import { handlersFolder } from '../../harness/paths'
import { callSession } from '../../harness/pump'
import type { Measurement } from '../../harness/types'
import { answer } from './answer'

const CASES = { identity, pure, forest } as const

export interface IsolatedRequest {
  readonly case: keyof typeof CASES
  readonly isolation: 'shared' | 'namespace' | 'process'
  readonly interpreters: number
  /** Items in a batch. */
  readonly batch: number
  /** Calls in flight. */
  readonly inFlight: number
  readonly seconds: number
  /** What the handlers find in their environment. */
  readonly env: Record<string, string>
}

answer<IsolatedRequest, Measurement>(async (request) => {
  const { python, isolation, interpreters, batch, inFlight, seconds, env } = request
  const used = CASES[request.case]
  // Worker processes are given just what Python needs, and this.
  Object.assign(process.env, env)
  const { PythonPool } = loadPackage()
  const pool = await PythonPool.open({ python, path: [handlersFolder], size: interpreters, isolation, env })
  const handler = pool.handler<string, string>(`${used.module}:handle`, {
    codec: 'string',
    ...(used.init ? { init: `${used.module}:load` } : {}),
  })
  const job = { case: used.name, driver: isolation, size: batch, inFlight, seconds, python }
  const work = { case: used, job, batches: await used.batches(batch) }
  // Once on every interpreter: importing and loading are no part of what is measured.
  await Promise.all(Array.from({ length: 4 * interpreters }, () => handler.call(work.batches[0] as readonly string[])))
  const measurement = await measure(
    callSession(
      work,
      (items) => handler.call(items as readonly string[]),
      () => pool.close(),
    ),
    work,
  )
  await pool.close()
  return measurement
})
