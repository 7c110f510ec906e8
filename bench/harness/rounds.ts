import { findCase } from '../cases'
import { findDriver } from '../drivers'
import { measureOnce } from './launch'
import { median, quantile, type Summary, summarise } from './stats'
import type { Job, Measurement } from './types'

/** What one job came to over all rounds, or why it could not be measured. */
export interface Result {
  readonly job: Job
  readonly rounds: number[]
  readonly summary?: Summary
  readonly digest?: string
  /** Microseconds above the handler's own time, over the calls of all rounds; latency cases alone. */
  readonly latency?: { readonly p50: number; readonly p99: number; readonly calls: number }
  /** CPU time of the JavaScript thread for each item, and memory with all children: medians of the rounds. */
  readonly threadUsPerItem?: number
  readonly memoryMiB?: number
  readonly failure?: string
}

export interface RoundOptions {
  readonly rounds: number
  /** Variables for the measured process of a job. */
  variables(job: Job): Readonly<Record<string, string>>
  /** Told before each measurement. */
  readonly progress?: (done: number, total: number, job: Job) => void
}

/**
 * Measures every job once in each round, so that a slow minute of the machine falls on all of them alike; two
 * measurements never run at once. The order turns by one from round to round: nobody is always after the same neighbour.
 */
export async function runRounds(jobs: readonly Job[], options: RoundOptions): Promise<Result[]> {
  const measured: Measurement[][] = jobs.map(() => [])
  const failures: (string | undefined)[] = jobs.map(() => undefined)
  let done = 0
  for (let round = 0; round < options.rounds; round += 1) {
    for (let step = 0; step < jobs.length; step += 1) {
      const index = (step + round) % jobs.length
      const job = jobs[index]!
      options.progress?.(done, jobs.length * options.rounds, job)
      done += 1
      if (failures[index] !== undefined) continue
      try {
        measured[index]!.push(await measureJob(job, options.variables(job)))
      } catch (error) {
        failures[index] = (error as Error).message
      }
    }
  }
  return jobs.map((job, index) => toResult(job, measured[index]!, failures[index]))
}

function measureJob(job: Job, variables: Readonly<Record<string, string>>): Promise<Measurement> {
  return (findDriver(job.driver).measure ?? measureOnce)(job, variables)
}

function toResult(job: Job, measured: Measurement[], failure: string | undefined): Result {
  const rounds = measured.map((one) => one.itemsPerSecond)
  if (failure !== undefined) return { job, rounds, failure }
  const calls = measured.flatMap(({ latenciesUs }) => latenciesUs ?? [])
  return {
    job,
    rounds,
    summary: summarise(rounds),
    digest: measured[0]!.digest,
    latency: calls.length > 0 ? { p50: median(calls), p99: quantile(calls, 0.99), calls: calls.length } : undefined,
    threadUsPerItem: known(measured.map((one) => one.threadUsPerItem)),
    memoryMiB: known(measured.map((one) => one.memoryMiB)),
  }
}

function known(values: readonly (number | undefined)[]): number | undefined {
  const numbers = values.filter((value) => value !== undefined)
  return numbers.length > 0 ? median(numbers) : undefined
}

/** What must have given the same results: lists are one sequence of items at any size, arrays are not. */
function comparable({ job }: Result): string {
  return findCase(job.case).payload === 'array' ? `${job.case} of ${job.size} bytes` : job.case
}

/** Problems of results that ought to agree: every driver of a case has to give the same answers. */
export function disagreements(results: readonly Result[]): string[] {
  const problems: string[] = []
  for (const name of new Set(results.map(comparable))) {
    const digests = new Map<string, string[]>()
    for (const result of results) {
      const { job, digest } = result
      if (comparable(result) !== name || digest === undefined) continue
      digests.set(digest, [...(digests.get(digest) ?? []), `${job.driver} at ${job.size}`])
    }
    if (digests.size > 1) {
      const sides = [...digests.values()].map((who) => who.slice(0, 3).join(', '))
      problems.push(`${name}: the drivers do not give the same results: ${sides.join(' against ')}`)
    }
  }
  return problems
}
