import type { Batch, Session, Work } from './types'

export type Call = (batch: Batch) => Promise<Batch>

/** A session for drivers that answer one call with one promise: as many calls are kept in flight as the job says. */
export function callSession(work: Work, call: Call, close: () => Promise<void> | void): Session {
  const { batches, job } = work
  const { consume } = work.case
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
      consume(results, batch)
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
    results: call,
    close: async () => close(),
  }
}

/** A session for drivers that block until the answer is there. */
export function blockingSession(work: Work, call: (batch: Batch) => Batch, close: () => void): Session {
  const { batches } = work
  const { consume } = work.case
  let next = 0
  return {
    async run(count) {
      const start = performance.now()
      for (let done = 0; done < count; done += 1) {
        const batch = batches[next]!
        next = next + 1 === batches.length ? 0 : next + 1
        consume(call(batch), batch)
      }
      return (performance.now() - start) / 1000
    },
    results: async (batch) => call(batch),
    close: async () => close(),
  }
}
