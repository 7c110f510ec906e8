import type { PythonPool } from '../../lib/index'

/** Milliseconds between two looks at the pool's queue. */
const LOOK_EVERY = 5

/**
 * How long the workers of a pool wait between two of their results while there is something for them to do. Times are of
 * the monotonic clock, which Node and the workers share, in seconds.
 */
export class Waits {
  /** When no call was waiting: whoever waited then had nothing to do. */
  private readonly idle: number[] = []
  /** Beginning and end of a worker's batches, by process. */
  private readonly batches = new Map<number, [begin: number, end: number][]>()
  private readonly timer: NodeJS.Timeout

  constructor(pool: PythonPool) {
    this.timer = setInterval(() => {
      if (pool.info().waiting === 0) this.idle.push(now())
    }, LOOK_EVERY)
  }

  note(worker: number, begin: number, end: number): void {
    const batches = this.batches.get(worker) ?? []
    this.batches.set(worker, batches)
    if (batches.at(-1)?.[1] !== end) batches.push([begin, end])
  }

  longestMs(): number {
    let longest = 0
    for (const batches of this.batches.values()) {
      batches.sort(([, a], [, b]) => a - b)
      for (let i = 1; i < batches.length; i++) {
        const [before, after] = [batches[i - 1]![1], batches[i]![0]]
        if (!this.idle.some((moment) => moment > before && moment < after)) longest = Math.max(longest, after - before)
      }
    }
    return longest * 1000
  }

  stop(): void {
    clearInterval(this.timer)
  }
}

function now(): number {
  return Number(process.hrtime.bigint()) / 1e9
}
