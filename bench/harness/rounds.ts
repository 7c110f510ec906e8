import { measureOnce } from './launch'
import { type Summary, summarise } from './stats'
import type { Job, Measurement } from './types'

/** What one job came to over all rounds, or why it could not be measured. */
export interface Result {
  readonly job: Job
  readonly rounds: number[]
  readonly summary?: Summary
  readonly digest?: string
  readonly failure?: string
}

export interface RoundOptions {
  readonly rounds: number
  /** Variables for the measured processes, by case. */
  readonly variables: Readonly<Record<string, Record<string, string>>>
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
        measured[index]!.push(await measureOnce(job, options.variables[job.case] ?? {}))
      } catch (error) {
        failures[index] = (error as Error).message
      }
    }
  }
  return jobs.map((job, index) => toResult(job, measured[index]!, failures[index]))
}

function toResult(job: Job, measured: Measurement[], failure: string | undefined): Result {
  const rounds = measured.map((one) => one.itemsPerSecond)
  if (failure !== undefined) return { job, rounds, failure }
  return { job, rounds, summary: summarise(rounds), digest: measured[0]!.digest }
}

/** Problems of results that ought to agree: every driver of a case has to give the same answers. */
export function disagreements(results: readonly Result[]): string[] {
  const problems: string[] = []
  for (const name of new Set(results.map((result) => result.job.case))) {
    const digests = new Map<string, string[]>()
    for (const { job, digest } of results) {
      if (job.case !== name || digest === undefined) continue
      digests.set(digest, [...(digests.get(digest) ?? []), `${job.driver} at ${job.size}`])
    }
    if (digests.size > 1) {
      const sides = [...digests.values()].map((who) => who.slice(0, 3).join(', '))
      problems.push(`${name}: the drivers do not give the same results: ${sides.join(' against ')}`)
    }
  }
  return problems
}
