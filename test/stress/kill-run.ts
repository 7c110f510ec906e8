import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { packageRoot } from '../../lib/package-root'
import { type Random, seeded, whole } from './random'

export interface KillOptions {
  python: string
  seed: number
  kills: number
  /** The implementation: `dist/main.cjs`, or `lib/main.ts` by default. */
  main?: string
  /** Lines that a job reads (default 60,000). */
  lines?: number
  /** Called after each kill. */
  onKill?: (kills: number) => void
}

export interface KillReport {
  kills: number
  /** Runs of the three jobs that came to their end, with kills on the way. */
  finished: number
  /** Files of results that were compared. */
  compared: number
  different: string[]
}

const RESULTS = ['slides', 'sessions', 'joins']
const HANDLERS = join(__dirname, 'handlers')

/**
 * Kills jobs by SIGKILL at random moments, starts them again, and when they have come to their end compares their files with
 * those of jobs that nobody disturbed, byte for byte. Goes on with other data until there were as many kills as asked for.
 */
export async function killRun(options: KillOptions): Promise<KillReport> {
  const random = seeded(options.seed)
  const report: KillReport = { kills: 0, finished: 0, compared: 0, different: [] }
  const folder = await mkdtemp(join(tmpdir(), 'rxjs-python-kills-'))
  try {
    for (let round = 0; report.kills < options.kills; round++) {
      await oneRound(join(folder, `${round}`), random, options, report)
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  return report
}

async function oneRound(folder: string, random: Random, options: KillOptions, report: KillReport): Promise<void> {
  const lines = linesOf(random, options.lines ?? 60_000)
  const [calm, killed] = [`${folder}-calm`, `${folder}-killed`]
  for (const path of [calm, killed]) {
    await rm(path, { recursive: true, force: true })
    await mkdir(path)
    await writeFile(join(path, 'lines.txt'), lines)
  }
  const began = performance.now()
  await ended(start(calm, options))
  const undisturbed = performance.now() - began
  for (;;) {
    const child = start(killed, options)
    const over = ended(child)
    // Some before anything has begun, some when nearly all is done.
    if (report.kills < options.kills) {
      const moment = sleep(random() * undisturbed * 1.1)
      await Promise.race([over, moment])
      if (child.exitCode === null && child.kill('SIGKILL')) {
        const wasKilled = await over
        if (wasKilled) {
          report.kills++
          options.onKill?.(report.kills)
          continue
        }
        break
      }
    }
    if (!(await over)) break
  }
  report.finished++
  for (const name of RESULTS) {
    const files = await Promise.all([calm, killed].map((path) => readFile(join(path, `${name}.out`))))
    report.compared++
    if (!files[0]!.equals(files[1]!)) {
      const kept = join(tmpdir(), `rxjs-python-kills-${options.seed}-${name}`)
      await Promise.all(files.map((file, index) => writeFile(`${kept}.${index === 0 ? 'calm' : 'killed'}`, file)))
      report.different.push(`${kept}.killed differs from ${kept}.calm`)
    }
  }
  await Promise.all([calm, killed].map((path) => rm(path, { recursive: true, force: true })))
}

function linesOf(random: Random, count: number): string {
  const lines: string[] = []
  for (let time = 0; lines.length < count; time += whole(random, 0, 3)) {
    const late = random() < 0.02 ? 100 : whole(random, 0, 30)
    lines.push(`k${whole(random, 0, 40)} ${Math.max(0, time - late)} ${whole(random, 0, 99)}`)
  }
  return `${lines.join('\n')}\n`
}

function start(folder: string, { python, main = join(packageRoot, 'lib', 'main.ts') }: KillOptions): ChildProcess {
  const task = { main, folder, python, handlers: HANDLERS, every: 15 }
  const loader = main.endsWith('.ts') ? ['--import=tsx'] : []
  return spawn(process.execPath, [...loader, join(__dirname, 'kill-job.mjs'), JSON.stringify(task)], {
    cwd: packageRoot,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
}

/** Whether it was killed; throws where it ended in any other way than by itself, whole. */
async function ended(child: ChildProcess): Promise<boolean> {
  let errors = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  const [status, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  if (signal === 'SIGKILL') return true
  if (status === 0) return false
  throw new Error(`the job's process ended with ${signal ?? status}: ${errors}`)
}
