/** Streams of more and more items through `mapPython`: what one costs, and what the process holds. */
import { setImmediate as turn } from 'node:timers/promises'
import { concat, defer, ignoreElements, lastValueFrom, reduce } from 'rxjs'
import { loadPackage } from '../../harness/package'
import { handlersFolder } from '../../harness/paths'
import { answer } from './answer'

export interface GrowthRequest {
  /** Lengths of the streams, the shortest first. */
  readonly lengths: readonly number[]
  readonly batch: number
}

export interface GrowthAnswer {
  readonly runs: readonly { readonly items: number; readonly itemsPerSecond: number }[]
  /** Resident memory at every tenth of the longest stream. */
  readonly tenthsMiB: readonly number[]
}

/** A short stream is repeated until it fills this time, since a clock says little about milliseconds. */
const SHORTEST_S = 2
/** Before that, code is still being compiled and heaps find their size. */
const WARM_UP_S = 2
const TENTHS = 10
/** Items that come round and round: no more than the shortest stream has, or longer ones would be slower by what the caches miss. */
const RING = 8192

/** Without what is garbage already. */
async function resident(): Promise<number> {
  globalThis.gc!()
  await turn()
  globalThis.gc!()
  return process.memoryUsage().rss / 2 ** 20
}

answer<GrowthRequest, GrowthAnswer>(async ({ python, lengths, batch }) => {
  const { PythonPool, fromIterable, mapPython } = loadPackage()
  const pool = await PythonPool.open({ python, path: [handlersFolder], size: 1, isolation: 'shared' })
  const handler = pool.handler<string, string>('identity:handle', { codec: 'string' })
  const items = Array.from({ length: RING }, (_, index) => `item ${index} `.padEnd(40, 'x'))

  function* stream(length: number): Generator<string> {
    for (let index = 0; index < length; index += 1) yield items[index % RING]!
  }

  /** Seconds of one stream of this length, without the rests in which samples are taken: nothing is on its way then. */
  async function pass(length: number, sample?: () => Promise<void>): Promise<number> {
    // Whole batches, or the rest of one would wait for its company until the next part.
    const part = sample === undefined ? length : Math.floor(length / TENTHS / batch) * batch
    let came = 0
    let resting = 0
    const rest = async (sent: number): Promise<void> => {
      while (came < sent) await turn()
      const before = performance.now()
      await sample!()
      resting += performance.now() - before
    }
    const parts = Array.from({ length: Math.ceil(length / part) }, (_, at) => {
      const sent = Math.min(length, (at + 1) * part)
      const some = fromIterable(() => stream(sent - at * part))
      return sent === (at + 1) * part && sample !== undefined
        ? concat(some, defer(() => rest(sent)).pipe(ignoreElements()))
        : some
    })
    const start = performance.now()
    const results = concat(...parts).pipe(
      mapPython(handler, { batch: { maxItems: batch }, concurrency: 8 }),
      reduce((seen, text) => {
        came += 1
        return seen + text.length
      }, 0),
    )
    const characters = await lastValueFrom(results)
    if (characters !== length * 40) throw new Error(`${characters} characters came back for ${length} items`)
    return (performance.now() - start - resting) / 1000
  }

  const ready = performance.now() + WARM_UP_S * 1000
  while (performance.now() < ready) await pass(lengths[0]! * 10)
  // The shorter ones on both sides of the longest: machines are not equally quick for a minute.
  const totals = new Map(lengths.map((items) => [items, { done: 0, seconds: 0 }]))
  for (const length of [...lengths, ...lengths.slice(0, -1)]) {
    const total = totals.get(length)!
    for (let seconds = 0; seconds < SHORTEST_S; ) {
      const taken = await pass(length)
      seconds += taken
      total.seconds += taken
      total.done += length
    }
  }
  const runs = Array.from(totals, ([items, { done, seconds }]) => ({ items, itemsPerSecond: done / seconds }))
  // By itself: a heap that was just collected is a small one, and collects itself more often for a while.
  const tenthsMiB: number[] = []
  await pass(lengths.at(-1)!, async () => void tenthsMiB.push(await resident()))
  await pool.close()
  return { runs, tenthsMiB }
})
