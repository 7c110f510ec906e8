import { lastValueFrom, reduce } from 'rxjs'
import type { Handler, PythonPool } from '../../lib'
import { loadPackage, packageProblem } from '../harness/package'
import { handlersFolder } from '../harness/paths'
import { blockingSession, callSession } from '../harness/pump'
import type { Batch, Driver, Session, Work } from '../harness/types'
import { functionOf } from './lines'

interface Variant {
  readonly isolation: 'shared' | 'namespace' | 'process'
  /** Interpreters in the pool. */
  readonly size: number
  /** Calls by `handler.call`, one after the other by `handler.callSync`, or an RxJS stream through `mapPython`. */
  readonly shape: 'call' | 'sync' | 'stream'
}

const CODECS = { strings: 'string', records: 'json', frames: 'buffer', array: 'array' } as const

interface Opened {
  readonly pool: PythonPool
  readonly handler: Handler<unknown, unknown>
  /** Whatever the codec takes. */
  call(batch: Batch): Promise<Batch>
}

/** Worker processes are given just what Python needs, and these. */
function handlerVariables(): Record<string, string> {
  const names = ['RXP_BENCH_MODEL', 'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS']
  return Object.fromEntries(names.map((name) => [name, process.env[name] ?? '']))
}

async function open(work: Work, variant: Variant): Promise<Opened> {
  const { PythonPool } = loadPackage()
  const { isolation, size } = variant
  const env = handlerVariables()
  const pool = await PythonPool.open({ python: work.job.python, path: [handlersFolder], size, isolation, env })
  const { module, init, payload, codec = CODECS[payload] } = work.case
  const handler = pool.handler(`${module}:${functionOf(work.case)}`, {
    codec,
    ...(init ? { init: `${module}:load` } : {}),
  } as { codec: 'json' }) as Handler<unknown, unknown>
  const call = (batch: Batch) => handler.call(batch as readonly unknown[]) as Promise<Batch>
  // Once on every interpreter: importing and loading are no part of what is measured.
  await Promise.all(Array.from({ length: 4 * size }, () => call(work.batches[0]!)))
  return { pool, handler, call }
}

/** Arrays are handed over in memory of the pool's own, which both sides see; any other array is copied once. */
function inPoolMemory(batches: readonly Batch[], pool: PythonPool): Batch[] {
  return (batches as readonly Float64Array[]).map((batch) => {
    const own = pool.allocate(Float64Array, batch.length)
    own.set(batch)
    return own
  })
}

async function openCalls(work: Work, variant: Variant): Promise<Session> {
  const { pool, call } = await open(work, variant)
  const batches = work.case.payload === 'array' ? inPoolMemory(work.batches, pool) : work.batches
  return callSession({ ...work, batches }, call, () => pool.close())
}

async function openStream(work: Work, variant: Variant): Promise<Session> {
  const { fromIterable, mapPython } = loadPackage()
  const { pool, handler, call } = await open(work, variant)
  const { batches, job } = work
  const lists = batches as readonly (readonly unknown[])[]

  return {
    async run(count) {
      const start = performance.now()
      const items = fromIterable(() => repeat(lists, count))
      const results = items.pipe(
        mapPython(handler, { batch: { maxItems: job.size }, concurrency: job.inFlight }),
        reduce((tally, result) => tally.add(result), new Tally()),
      )
      const { items: seen } = await lastValueFrom(results)
      const seconds = (performance.now() - start) / 1000
      if (seen !== count * job.size) throw new Error(`${seen} results came back for ${count * job.size} items`)
      return seconds
    },
    results: call,
    close: () => pool.close(),
  }
}

/** Looks at every result: a text by its length, a record by its fields. */
class Tally {
  items = 0
  sum = 0

  add(result: unknown): this {
    this.items += 1
    if (typeof result === 'string') this.sum += result.length
    else this.sum += Object.keys(result as object).length
    return this
  }
}

function* repeat(batches: readonly (readonly unknown[])[], count: number): Generator<unknown> {
  for (let done = 0; done < count; done += 1) yield* batches[done % batches.length]!
}

/** On the main thread, which has nothing else to do here. */
async function openSync(work: Work, variant: Variant): Promise<Session> {
  const { pool, handler } = await open(work, variant)
  const options = { onMainThread: true, inline: true }
  return blockingSession(
    work,
    (batch) => handler.callSync(batch as readonly unknown[], options) as Batch,
    () => void pool.close(),
  )
}

const OPENERS = { call: openCalls, sync: openSync, stream: openStream } as const

function driver(name: string, label: string, variant: Variant): Driver {
  const { shape } = variant
  return {
    name,
    label,
    role: 'ours',
    concurrent: shape !== 'sync',
    carries: shape === 'call' ? ['strings', 'records', 'frames', 'array'] : ['strings', 'records'],
    except: { call: [], sync: ['latency', 'forest-columns'], stream: ['latency'] }[shape],
    unavailable: packageProblem,
    open: (work) => OPENERS[shape](work, variant),
  }
}

/** ×2 stands for two interpreters with a GIL each. */
export const rxjsPython: readonly Driver[] = [
  driver('shared', 'rxjs-python call', { isolation: 'shared', size: 1, shape: 'call' }),
  driver('shared-sync', 'rxjs-python callSync', { isolation: 'shared', size: 1, shape: 'sync' }),
  driver('shared-stream', 'rxjs-python mapPython', { isolation: 'shared', size: 1, shape: 'stream' }),
  driver('namespace', 'rxjs-python call ×2', { isolation: 'namespace', size: 2, shape: 'call' }),
  driver('namespace-stream', 'rxjs-python mapPython ×2', {
    isolation: 'namespace',
    size: 2,
    shape: 'stream',
  }),
  driver('process', 'rxjs-python processes ×2', { isolation: 'process', size: 2, shape: 'call' }),
]
