import { createHash } from 'node:crypto'
import type { Measurement, Session, Work } from './types'

/** Items whose results are hashed: enough to notice a wrong answer, few enough to cost nothing. */
const DIGEST_ITEMS = 256

/** Cuts the case's items into a ring of batches of one size; items repeat where there are too few for two batches. */
export function cut(items: readonly string[], size: number): string[][] {
  const count = Math.max(2, Math.floor(items.length / size))
  return Array.from({ length: count }, (_, batch) =>
    Array.from({ length: size }, (_, index) => items[(batch * size + index) % items.length]!),
  )
}

/** Warms the session up, finds out how many batches fill the time that was asked for, and times that many. */
export async function measure(session: Session, work: Work): Promise<Measurement> {
  const digest = await digestOf(session, work)
  const { job } = work
  const warmUp = Math.max(0.1, job.seconds / 2)
  let count = job.inFlight
  let spent = 0
  let perBatch = 0
  while (spent < warmUp) {
    const seconds = await session.run(count)
    spent += seconds
    perBatch = seconds / count
    if (seconds < warmUp / 2) count *= 2
  }
  const batches = Math.max(Math.ceil(job.seconds / perBatch), job.inFlight)
  const seconds = await session.run(batches)
  return { batches, seconds, itemsPerSecond: (batches * job.size) / seconds, digest }
}

async function digestOf(session: Session, work: Work): Promise<string> {
  const { size } = work.job
  const hash = createHash('sha256')
  for (let done = 0; done < DIGEST_ITEMS; done += size) {
    const batch = work.batches[done / size]!
    const results = await session.results(batch)
    if (results.length !== batch.length) throw new Error(`${results.length} results came back for ${size} items`)
    for (const result of results.slice(0, DIGEST_ITEMS - done)) hash.update(`${result}\n`)
  }
  return hash.digest('hex').slice(0, 16)
}
