/** `npm run bench`: measures, prints a table, and writes JSON and charts into bench/results. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findCase } from './cases'
import { findDriver } from './drivers'
import { preparePython } from './harness/environment'
import { describeMachine } from './harness/machine'
import { BENCH_HELP, type BenchOptions, parseBenchOptions } from './harness/options'
import { resultsFolder } from './harness/paths'
import { makePlan } from './harness/plan'
import { disagreements, type Result, runRounds } from './harness/rounds'
import type { Job } from './harness/types'
import { caseChart } from './report/case-chart'
import { tables } from './report/table'

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

/** Results are shown to others, whom the folders of this machine do not concern. */
function withoutPaths(result: Result): object {
  const { python: _, ...job } = result.job
  return { ...result, job }
}

function writeResults(results: readonly Result[], details: object): void {
  mkdirSync(resultsFolder, { recursive: true })
  writeFileSync(
    join(resultsFolder, 'bench.json'),
    `${JSON.stringify({ ...details, results: results.map(withoutPaths) }, null, 2)}\n`,
  )
  for (const name of new Set(results.map(({ job }) => job.case))) {
    const ofCase = results.filter(({ job }) => job.case === name)
    writeFileSync(join(resultsFolder, `${name}.svg`), caseChart(findCase(name), ofCase))
  }
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

  console.log(tables(results))
  writeResults(results, { date: new Date().toISOString(), machine, skipped })
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
