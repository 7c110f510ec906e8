// Runs of tests side by side: each in a process of its own, its output whole and in one piece, and what failed beside
// others once more alone.
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, createReadStream, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

/** A run of tests in a process of its own, which writes what it counted to the file in `RXJS_PYTHON_TEST_TOTALS`. */
export interface Run {
  title: string
  command: string
  args: string[]
  env?: NodeJS.ProcessEnv
  /** The same for these files only; absent where the run cannot be cut. */
  only?: (files: string[]) => Run
}

/** Runs all test files that match, in one process; `timeout` is milliseconds for each test. */
export function mochaRun(title: string, spec: readonly string[], timeout: number, root: string): Run {
  const program = join(root, 'node_modules', 'mocha', 'bin', 'mocha.js')
  const reporter = join(root, 'scripts', 'mocha-totals.cjs')
  return {
    title,
    command: process.execPath,
    args: [program, '--timeout', String(timeout), '--reporter', reporter, ...spec],
    only: (files) => mochaRun(title, files, timeout, root),
  }
}

export interface FailedTest {
  /** Absent where the failure belongs to no file. */
  file?: string
  title: string
  message: string
}

export interface Totals {
  passes: number
  failures: number
  /** Tests that say themselves that they cannot run here. */
  pending?: number
  failed: FailedTest[]
}

interface Outcome {
  run: Run
  totals: Totals
  /** Whether it came to its last test and ended as it should. */
  whole: boolean
}

/** Minutes after which a run is ended: it hangs. */
const MOST_MINUTES = 40

/**
 * Runs all of `runs`, `lanes` at a time, and returns their figures. Tests that mind the time may fail for no reason but
 * what runs beside them, so that with more than one lane, or with `repeat`, a file with a failed test runs again alone: its second figures
 * are those that count, and the first failure is printed.
 */
export async function runAll(
  runs: readonly Run[],
  lanes: number,
  cwd: string,
  { repeat = lanes > 1 }: { repeat?: boolean } = {},
): Promise<Totals> {
  const waiting = [...runs]
  const outcomes: Outcome[] = []
  const lane = async () => {
    for (let run = waiting.shift(); run !== undefined; run = waiting.shift())
      outcomes.push(await start(run, lanes, cwd))
  }
  await Promise.all(Array.from({ length: lanes }, lane))

  const sum: Totals = { passes: 0, failures: 0, failed: [] }
  for (const outcome of outcomes) {
    const { passes, failures, pending = 0, failed } = repeat ? await again(outcome, cwd) : outcome.totals
    sum.passes += passes
    sum.failures += failures
    sum.pending = (sum.pending ?? 0) + pending
    sum.failed.push(...failed)
  }
  return sum
}

async function start(run: Run, lanes: number, cwd: string): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'rxjs-python-test-'))
  const file = join(folder, 'totals.json')
  const log = join(folder, 'log')
  console.log(lanes > 1 ? `--- started: ${run.title}` : `\n=== ${run.title} ===`)
  const began = Date.now()
  const out = lanes > 1 ? openSync(log, 'w') : undefined
  const child = spawn(run.command, run.args, {
    cwd,
    env: { ...process.env, ...run.env, RXJS_PYTHON_TEST_TOTALS: file },
    stdio: ['ignore', out ?? 'inherit', out ?? 'inherit'],
    detached: true,
  })
  const ended = await end(child)
  if (out !== undefined) {
    closeSync(out)
    console.log(`\n=== ${run.title} (${Math.round((Date.now() - began) / 1000)} s) ===`)
    await pipeline(createReadStream(log), process.stdout, { end: false })
  }
  const totals: Totals = existsSync(file)
    ? (JSON.parse(readFileSync(file, 'utf8')) as Totals)
    : { passes: 0, failures: 0, failed: [] }
  // A crash on the way out is a failure that the run's own figures do not know.
  const whole = existsSync(file) && ended === Math.min(totals.failures, 255)
  rmSync(folder, { recursive: true, force: true })
  for (const test of totals.failed) test.title = `${run.title}: ${test.title}`
  if (!whole) {
    totals.failures++
    totals.failed.push({ title: run.title, message: `ended with ${ended}` })
  }
  return { run, totals, whole }
}

/** The exit status or the signal that ended the process, and with it all that it had started in its group. */
function end(child: ChildProcess): Promise<number | string> {
  return new Promise((resolve) => {
    const stop = () => {
      if (child.pid !== undefined) kill(child.pid)
    }
    const limit = setTimeout(stop, MOST_MINUTES * 60_000)
    process.once('exit', stop)
    const done = (status: number | string) => {
      clearTimeout(limit)
      process.off('exit', stop)
      resolve(status)
    }
    child.once('error', (error) => done(error.message))
    child.once('exit', (status, signal) => done(signal ?? status ?? 'nothing'))
  })
}

function kill(group: number): void {
  try {
    process.kill(-group, 'SIGKILL')
  } catch {
    // It is gone.
  }
}

async function again({ run, totals, whole }: Outcome, cwd: string): Promise<Totals> {
  const files = [...new Set(totals.failed.map((test) => test.file))]
  if (!whole || run.only === undefined || files.length === 0 || files.includes(undefined)) return totals
  console.log(`\nOnce more, alone: ${files.join(', ')}`)
  const second = await start(run.only(files as string[]), 1, cwd)
  const still = new Set(second.totals.failed.map((test) => test.title))
  for (const { title, message } of totals.failed) {
    if (!still.has(title)) console.log(`UNSTEADY (failed beside others, passed alone): ${title}: ${message}`)
  }
  return {
    ...totals,
    passes: totals.passes + Math.max(totals.failures - second.totals.failures, 0),
    failures: second.totals.failures,
    failed: second.totals.failed,
  }
}
