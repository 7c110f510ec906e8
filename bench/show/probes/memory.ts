/** Does the same work over and over and samples the resident memory after a garbage collection. */
import { setImmediate as turn } from 'node:timers/promises'
import { loadPackage, type Package } from '../../harness/package'
import { handlersFolder } from '../../harness/paths'
import { answer } from './answer'

type Codec = 'string' | 'json' | 'buffer' | 'array'

export interface MemoryRequest {
  /** Calls of this codec, or handlers that are opened, called once and closed. */
  readonly work: Codec | 'handlers'
  readonly count: number
}

export interface MemoryAnswer {
  /** Bytes of resident memory. */
  readonly samples: number[]
}

type Pool = Awaited<ReturnType<Package['PythonPool']['open']>>

const SAMPLES = 100
/** A fifth of the calls is made beforehand. */
const WARM_UP_SHARE = 5
const IN_FLIGHT = 8
const ITEMS = 16

const PAYLOADS: Record<Codec, () => unknown> = {
  string: () => Array.from({ length: ITEMS }, (_, index) => 'Grüße, 世界 🎈 '.repeat(index)),
  json: () =>
    Array.from({ length: ITEMS }, (_, id) => ({ id, name: `record ${id}`, score: id / 3, tags: ['a', null] })),
  buffer: () => Array.from({ length: ITEMS }, (_, index) => new Uint8Array(index * 64).fill(index)),
  array: () => new Float64Array(1024).fill(1),
}

/** Returns a function that does the work `times` times. */
function workOf(work: MemoryRequest['work'], pool: Pool): (times: number) => Promise<void> {
  if (work === 'handlers') {
    return async (times) => {
      for (let done = 0; done < times; done += 1) {
        const handler = pool.handler<number, number>('memory:handle_json', { codec: 'json' })
        await handler.call([done])
        await handler.close()
      }
    }
  }
  const handler = pool.handler<unknown, unknown>(`memory:handle_${work}`, { codec: work })
  return async (times) => {
    let left = times
    const lane = async () => {
      while (left > 0) {
        left -= 1
        await handler.call(PAYLOADS[work]() as never)
      }
    }
    await Promise.all(Array.from({ length: IN_FLIGHT }, lane))
  }
}

async function sample(): Promise<number> {
  // Twice, with turns of the event loop: what the first one finds dead is given back by finalisers.
  for (let pass = 0; pass < 2; pass += 1) {
    globalThis.gc!()
    await turn()
  }
  return process.memoryUsage().rss
}

answer<MemoryRequest, MemoryAnswer>(async ({ python, work, count }) => {
  const { PythonPool } = loadPackage()
  const pool = await PythonPool.open({ python, path: [handlersFolder], size: 1, isolation: 'shared' })
  const run = workOf(work, pool)
  const samples: number[] = []
  // Code that is compiled late and heaps that find their size are no leak: they come first.
  await run(Math.ceil(count / WARM_UP_SHARE))
  while (samples.length < SAMPLES) {
    await run(Math.ceil(count / SAMPLES))
    samples.push(await sample())
  }
  await pool.close()
  return { samples }
})
