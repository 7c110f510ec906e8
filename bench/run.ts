/** `npm run bench`: measures, prints tables, and writes JSON, charts and a report into bench/results. */
import { findCase } from './cases'
import { findDriver } from './drivers'
import { preparePython } from './harness/environment'
import { describeMachine } from './harness/machine'
import { BENCH_HELP, type BenchOptions, parseBenchOptions } from './harness/options'
import { resultsFolder } from './harness/paths'
import { makePlan } from './harness/plan'
import { disagreements, runRounds } from './harness/rounds'
import type { Job } from './harness/types'
import { tablesOf, textOf } from './report/table'
import { writeResults } from './report/write'

function showProgress(done: number, total: number, job: Job): void {
  if (!process.stderr.isTTY) return
  const line = `${done + 1} of ${total}: ${job.case} · ${job.driver} · batch ${job.size} · ${job.inFlight} in flight`
  process.stderr.write(`\r\x1b[K${line}${done + 1 === total ? '\n' : ''}`)
}

async function prepareCases(jobs: readonly Job[], python: string, options: BenchOptions) {
  const variables: Record<string, Record<string, string>> = {}
  for (const name of new Set(jobs.map((job) => job.case))) {
    variables[name] = await findCase(name).prepare(python, options.data)
  }
  return variables
}

async function main(): Promise<number> {
  const options = parseBenchOptions(process.argv.slice(2))
  if (options === undefined) {
    console.log(BENCH_HELP)
    return 0
  }
  const environment = await preparePython(options.python)
  const { jobs, skipped } = await makePlan(options, environment)
  for (const { driver, reason } of skipped) console.log(`${driver} is left out: ${reason}`)
  if (jobs.length === 0) throw new Error('There is nothing to measure: no case has one of these drivers.')

  const machine = describeMachine(environment.python)
  const variables = await prepareCases(jobs, environment.python, options)
  const results = await runRounds(jobs, {
    rounds: options.rounds,
    variables: (job) => ({ ...variables[job.case], ...findDriver(job.driver).variables?.(environment) }),
    progress: showProgress,
  })

  console.log(textOf(tablesOf(results)))
  const { rounds, seconds, record } = options
  writeResults({ date: new Date().toISOString(), machine, rounds, seconds, skipped }, results, record)
  console.log(`\nresults: ${resultsFolder}`)
  const failures = results.filter(({ failure }) => failure !== undefined)
  for (const { job, failure } of failures) {
    console.error(`\n${job.case} with ${job.driver} at batch ${job.size} failed: ${failure}`)
  }
  const problems = disagreements(results)
  for (const problem of problems) console.error(`\n${problem}`)
  return failures.length + problems.length > 0 ? 1 : 0
}

main().then(
  (status) => {
    process.exitCode = status
  },
  (error) => {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  },
)
