/**
 * Measures the throughput of a case on a pool of one isolation and size, through `handler.call`, or of as many plain
 * Python processes, which have nothing to do with each other: more than they reach the machine has not to give.
 */
import { forest } from '../../cases/forest'
import { identity } from '../../cases/identity'
import { pure } from '../../cases/pure'
import { plainPython } from '../../drivers/plain-python'
import { measure } from '../../harness/measure'
import { loadPackage } from '../../harness/package'
import { handlersFolder } from '../../harness/paths'
import { callSession } from '../../harness/pump'
import type { Measurement, Session, Work } from '../../harness/types'
import { answer } from './answer'

const CASES = { identity, pure, forest } as const

export interface IsolatedRequest {
  readonly case: keyof typeof CASES
  readonly isolation: 'shared' | 'namespace' | 'process' | 'none'
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
  const job = { case: used.name, driver: isolation, size: batch, inFlight, seconds, python }
  const work = { case: used, job, batches: await used.batches(batch) }
  const session =
    isolation === 'none' ? await plainSession(work, interpreters) : await poolSession(work, { ...request, isolation })
  try {
    return await measure(session, work)
  } finally {
    await session.close()
  }
})

type PoolRequest = IsolatedRequest & { readonly isolation: 'shared' | 'namespace' | 'process'; readonly python: string }

async function poolSession(work: Work, { python, isolation, interpreters, env }: PoolRequest): Promise<Session> {
  const { PythonPool } = loadPackage()
  const pool = await PythonPool.open({ python, path: [handlersFolder], size: interpreters, isolation, env })
  const handler = pool.handler<string, string>(`${work.case.module}:handle`, {
    codec: 'string',
    ...(work.case.init ? { init: `${work.case.module}:load` } : {}),
  })
  // Once on every interpreter: importing and loading are no part of what is measured.
  await Promise.all(Array.from({ length: 4 * interpreters }, () => handler.call(work.batches[0] as readonly string[])))
  return callSession(
    work,
    (items) => handler.call(items as readonly string[]),
    () => pool.close(),
  )
}

async function plainSession(work: Work, processes: number): Promise<Session> {
  const sessions = await Promise.all(Array.from({ length: processes }, () => plainPython.open(work)))
  return {
    async run(count) {
      const share = Math.ceil(count / processes)
      const seconds = await Promise.all(sessions.map((session) => session.run(share)))
      // As if it had been `count` batches: what is more is no faster.
      return (Math.max(...seconds) * count) / (share * processes)
    },
    results: (batch) => sessions[0]!.results(batch),
    close: async () => void (await Promise.all(sessions.map((session) => session.close()))),
  }
}
