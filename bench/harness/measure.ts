import { createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { threadSeconds, treeMemoryMiB } from './resources'
import type { Measurement, Session, Work } from './types'

/** Items whose results are hashed: enough to notice a wrong answer, few enough to cost nothing. */
const DIGEST_ITEMS = 256
/** Calls of a latency case, however short the measurement is to be, and calls before it. */
const FEWEST_CALLS = 20
const LATENCY_WARM_UP = 200

/** What a session does in the time that was asked for. */
export async function measure(session: Session, work: Work): Promise<Measurement> {
  const digest = await digestOf(session, work)
  const measured = work.case.measures === 'latency' ? await latencies(session, work) : await throughput(session, work)
  return { ...measured, digest, memoryMiB: treeMemoryMiB() }
}

type Measured = Omit<Measurement, 'digest' | 'memoryMiB'>

/** Warms the session up, finds out how many batches fill the time, and times that many. */
async function throughput(session: Session, work: Work): Promise<Measured> {
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
  const before = threadSeconds()
  const seconds = await session.run(batches)
  const after = threadSeconds()
  const items = batches * work.case.itemsIn(job.size)
  const threadUsPerItem = before === undefined || after === undefined ? undefined : ((after - before) / items) * 1e6
  return { batches, seconds, itemsPerSecond: items / seconds, threadUsPerItem }
}

/** Calls at a fixed rate, whether or not the last one is back; each is timed from its start to its result. */
async function latencies(session: Session, { batches, job }: Work): Promise<Measured> {
  const call = async (index: number) => {
    const start = performance.now()
    const [own] = await session.results(batches[index % batches.length]!)
    return (performance.now() - start) * 1000 - Number(own)
  }
  for (let done = 0; done < LATENCY_WARM_UP; done += 1) await call(done)
  const count = Math.max(FEWEST_CALLS, Math.ceil(job.size * job.seconds))
  const started = performance.now()
  const calls: Promise<number>[] = []
  while (calls.length < count) {
    const wait = started + (calls.length * 1000) / job.size - performance.now()
    if (wait > 0) await pause(wait)
    calls.push(call(calls.length))
  }
  const latenciesUs = await Promise.all(calls)
  const seconds = (performance.now() - started) / 1000
  return { batches: count, seconds, itemsPerSecond: count / seconds, latenciesUs }
}

async function digestOf(session: Session, work: Work): Promise<string> {
  const perBatch = work.case.itemsIn(work.job.size)
  const hash = createHash('sha256')
  for (let done = 0, at = 0; done < DIGEST_ITEMS && at < work.batches.length; done += perBatch, at += 1) {
    const batch = work.batches[at]!
    const results = await session.results(batch)
    work.case.consume(results, batch)
    for (const text of work.case.fingerprint(results).slice(0, DIGEST_ITEMS - done)) hash.update(`${text}\n`)
  }
  return hash.digest('hex').slice(0, 16)
}
