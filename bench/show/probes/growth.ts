/** Streams of more and more items through `mapPython`: what one costs, and what the process holds. */
import { setImmediate as turn } from 'node:timers/promises'
import { lastValueFrom, reduce } from 'rxjs'
import { loadPackage } from '../../harness/package'
import { handlersFolder } from '../../harness/paths'
import { answer } from './answer'

export interface GrowthRequest {
  /** Lengths of the streams, the shortest first. */
  readonly lengths: readonly number[]
  readonly batch: number
}

export interface GrowthAnswer {
  readonly runs: readonly { readonly items: number; readonly itemsPerSecond: number; readonly rssMiB: number }[]
  /** Resident memory at every tenth of the longest stream. */
  readonly tenthsMiB: readonly number[]
}

/** A short stream is repeated until it fills this time, since a clock says little about milliseconds. */
const SHORTEST_S = 0.5
/** Before that, code is still being compiled and heaps find their size. */
const WARM_UP_S = 2
const TENTHS = 10
const RING = 65_536

/** Without what is garbage already. */
function resident(): number {
  globalThis.gc!()
  return process.memoryUsage().rss / 2 ** 20
}

async function settled(): Promise<number> {
  globalThis.gc!()
  await turn()
  return resident()
}

answer<GrowthRequest, GrowthAnswer>(async ({ python, lengths, batch }) => {
  const { PythonPool, fromIterable, mapPython } = loadPackage()
  const pool = await PythonPool.open({ python, path: [handlersFolder], size: 1, isolation: 'shared' })
  const handler = pool.handler<string, string>('identity:handle', { codec: 'string' })
  const items = Array.from({ length: RING }, (_, index) => `item ${index} `.padEnd(40, 'x'))

  function* stream(length: number): Generator<string> {
    for (let index = 0; index < length; index += 1) yield items[index % RING]!
  }

  /** Seconds of one stream of this length, without those that samples take. */
  async function pass(length: number, sample?: () => void): Promise<number> {
    const step = Math.floor(length / TENTHS)
    let sampling = 0
    const start = performance.now()
    const results = fromIterable(() => stream(length)).pipe(
      mapPython(handler, { batch: { maxItems: batch }, concurrency: 8 }),
      reduce((seen, text, index) => {
        if (sample !== undefined && (index + 1) % step === 0) {
          const before = performance.now()
          sample()
          sampling += performance.now() - before
        }
        return seen + text.length
      }, 0),
    )
    const characters = await lastValueFrom(results)
    if (characters !== length * 40) throw new Error(`${characters} characters came back for ${length} items`)
    return (performance.now() - start - sampling) / 1000
  }

  const ready = performance.now() + WARM_UP_S * 1000
  while (performance.now() < ready) await pass(lengths[0]! * 10)
  const runs: { items: number; itemsPerSecond: number; rssMiB: number }[] = []
  const tenthsMiB: number[] = []
  for (const [at, length] of lengths.entries()) {
    const last = at === lengths.length - 1
    let seconds = 0
    let done = 0
    while (done === 0 || seconds < SHORTEST_S) {
      seconds += await pass(length, last ? () => tenthsMiB.push(resident()) : undefined)
      done += length
      if (last) break
    }
    runs.push({ items: length, itemsPerSecond: done / seconds, rssMiB: await settled() })
  }
  await pool.close()
  return { runs, tenthsMiB }
})
