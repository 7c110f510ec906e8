import type { Session, Work } from './types'

export type Call = (batch: readonly string[]) => Promise<readonly string[]>

/** Reads every result once, so that a driver which puts work off until a result is looked at gains nothing. */
export function consume(results: readonly string[], expected: number): number {
  if (results.length !== expected) throw new Error(`${results.length} results came back for ${expected} items`)
  let characters = 0
  for (let index = 0; index < results.length; index += 1) characters += results[index]!.length
  return characters
}

/** A session for drivers that answer one call with one promise: as many calls are kept in flight as the job says. */
export function callSession(work: Work, call: Call, close: () => Promise<void> | void): Session {
  const { batches, job } = work
  let next = 0
  let left = 0

  const lane = async () => {
    while (left > 0) {
      left -= 1
      const batch = batches[next]!
      next = next + 1 === batches.length ? 0 : next + 1
      consume(await call(batch), batch.length)
    }
  }

  return {
    async run(count) {
      left = count
      const start = performance.now()
      await Promise.all(Array.from({ length: Math.min(job.inFlight, count) }, lane))
      return (performance.now() - start) / 1000
    },
    results: (batch) => call(batch),
    close: async () => close(),
  }
}
