import { PythonPool } from '../../lib/index'
import { type Memory, memoryNow } from './memory-log'
import { oneOf, seeded } from './random'
import { Tally } from './soak-books'
import { MOST, type Mode, Pools } from './soak-pools'
import { callWork, streamWork } from './soak-work'

export interface SoakRequest {
  readonly python: string
  readonly seed: number
  /** Batches that go through after those that warm it up. */
  readonly batches: number
  readonly modes: readonly Mode[]
  /** Told after each hundredth. */
  readonly progress?: (tally: Tally, memory: Memory) => void
}

export interface SoakReport {
  readonly tally: Tally
  /** After each hundredth of the batches, while nothing runs. */
  readonly memory: readonly Memory[]
  readonly pools: Readonly<Record<string, Pools['totals']>>
}

/** Pieces of work at the same time. */
const LANES = 4
const SAMPLES = 100
/** Share of the batches that comes first, for each isolation: until then its heaps find their size. */
const WARM_UP = 1 / 5

/** Pools that are open at a time: one that is used, and those that it replaced. */
const AT_A_TIME = 3

/** A private copy of Python stays for the next pool; so that the memory of all of them counts from the beginning. */
async function makeCopies(python: string): Promise<void> {
  const open = () => PythonPool.open({ python, isolation: 'namespace', size: MOST })
  const pools = await Promise.all(Array.from({ length: AT_A_TIME }, open))
  for (const pool of pools) await pool.close()
}

/** Runs streams and calls, many at once, until so many batches have gone through. */
export async function soakRun({ python, seed, batches, modes, progress }: SoakRequest): Promise<SoakReport> {
  const random = seeded(seed)
  const tally = new Tally()
  const mark = `soak of ${process.pid}`
  const pools = modes.map((mode) => new Pools(mode, python, seeded(`${seed} ${mode}`), mark))
  const memory: Memory[] = []
  let piece = 0
  if (modes.includes('namespace')) await makeCopies(python)
  const lane = async (until: number) => {
    while (tally.batches < until) {
      const own = seeded(`${seed} piece ${piece++}`)
      const work = random() < 0.7 ? streamWork : callWork
      await oneOf(random, pools).use((pool) => work(pool, own, tally))
    }
  }
  try {
    const before = batches * WARM_UP * modes.length
    await Promise.all(Array.from({ length: LANES }, () => lane(before)))
    for (let sample = 1; sample <= SAMPLES; sample++) {
      const until = before + (batches * sample) / SAMPLES
      await Promise.all(Array.from({ length: LANES }, () => lane(until)))
      memory.push(await memoryNow(mark))
      progress?.(tally, memory.at(-1)!)
    }
  } finally {
    for (const one of pools) await one.close()
  }
  return { tally, memory, pools: Object.fromEntries(pools.map((one) => [one.mode, one.totals])) }
}
