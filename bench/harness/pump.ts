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
  let open = 0
  let finish: () => void
  let fail: (error: unknown) => void

  // No loop around an await: a suspended function holds on to the last results until the next ones come.
  const start = () => {
    const batch = batches[next]!
    next = next + 1 === batches.length ? 0 : next + 1
    left -= 1
    open += 1
    call(batch).then((results) => {
      consume(results, batch.length)
      open -= 1
      if (left > 0) start()
      else if (open === 0) finish()
    }, fail)
  }

  return {
    async run(count) {
      left = count
      const started = performance.now()
      await new Promise<void>((resolve, reject) => {
        finish = resolve
        fail = reject
        for (let lane = Math.min(job.inFlight, count); lane > 0; lane -= 1) start()
      })
      return (performance.now() - started) / 1000
    },
    results: (batch) => call(batch),
    close: async () => close(),
  }
}
