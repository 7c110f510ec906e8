import { lastValueFrom, reduce } from 'rxjs'
import type { Handler, PythonPool } from '../../lib'
import { loadPackage, packageProblem } from '../harness/package'
import { handlersFolder } from '../harness/paths'
import { callSession } from '../harness/pump'
import type { Driver, Session, Work } from '../harness/types'

interface Variant {
  readonly isolation: 'shared' | 'namespace'
  /** Interpreters in the pool. */
  readonly size: number
  /** One call after the other by `handler.call`, or an RxJS stream through `mapPython`. */
  readonly shape: 'call' | 'stream'
}

async function open(work: Work, variant: Variant): Promise<{ pool: PythonPool; handler: Handler<string, string> }> {
  const { PythonPool } = loadPackage()
  const { isolation, size } = variant
  const pool = await PythonPool.open({ python: work.job.python, path: [handlersFolder], size, isolation })
  const { module, init } = work.case
  const handler = pool.handler<string, string>(`${module}:handle`, {
    codec: 'string',
    ...(init ? { init: `${module}:load` } : {}),
  })
  return { pool, handler }
}

async function openCalls(work: Work, variant: Variant): Promise<Session> {
  const { pool, handler } = await open(work, variant)
  return callSession(
    work,
    (batch) => handler.call(batch),
    () => pool.close(),
  )
}

async function openStream(work: Work, variant: Variant): Promise<Session> {
  const { fromIterable, mapPython } = loadPackage()
  const { pool, handler } = await open(work, variant)
  const { batches, job } = work

  return {
    async run(count) {
      const start = performance.now()
      const items = fromIterable(() => repeat(batches, count))
      const results = items.pipe(
        mapPython(handler, { batch: { maxItems: job.size }, concurrency: job.inFlight }),
        reduce((tally, result) => tally.add(result), new Tally()),
      )
      const { items: seen } = await lastValueFrom(results)
      const seconds = (performance.now() - start) / 1000
      if (seen !== count * job.size) throw new Error(`${seen} results came back for ${count * job.size} items`)
      return seconds
    },
    results: (batch) => handler.call(batch),
    close: () => pool.close(),
  }
}

class Tally {
  items = 0
  characters = 0

  add(result: string): this {
    this.items += 1
    this.characters += result.length
    return this
  }
}

function* repeat(batches: readonly (readonly string[])[], count: number): Generator<string> {
  for (let done = 0; done < count; done += 1) yield* batches[done % batches.length]!
}

function driver(name: string, label: string, variant: Variant): Driver {
  return {
    name,
    label,
    role: 'ours',
    concurrent: true,
    cases: ['identity', 'forest'],
    unavailable: packageProblem,
    open: (work) => (variant.shape === 'call' ? openCalls(work, variant) : openStream(work, variant)),
  }
}

/** ×2 stands for two interpreters with a GIL each. */
export const rxjsPython: readonly Driver[] = [
  driver('shared', 'rxjs-python call', { isolation: 'shared', size: 1, shape: 'call' }),
  driver('shared-stream', 'rxjs-python mapPython', { isolation: 'shared', size: 1, shape: 'stream' }),
  driver('namespace', 'rxjs-python call ×2', { isolation: 'namespace', size: 2, shape: 'call' }),
  driver('namespace-stream', 'rxjs-python mapPython ×2', {
    isolation: 'namespace',
    size: 2,
    shape: 'stream',
  }),
]
