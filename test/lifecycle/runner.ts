import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'tsup'
import { packageRoot } from '../../lib/package-root'
import { testPython } from '../fixtures/python'
import { processesOf, waitForEnd } from './processes'
import type { Setting, Step } from './steps'

/** How often each list of steps runs. */
export const ROUNDS = Number(process.env.RXJS_PYTHON_ROUNDS ?? 1)
/** Rounds at the same time. */
const AT_ONCE = 2
/** Milliseconds that a child process may take; far above what any of them needs, on a machine that is busy, too. */
const LIMIT = 300_000

export interface Expectation {
  isolation: Setting['isolation']
  /** The exit code (default 0). */
  code?: number
  /** The signal that ends it, in place of an exit code. */
  signal?: NodeJS.Signals
  /** What standard output holds beside that all steps are done. */
  stdout?: RegExp
  /** What standard error holds; without it, standard error is empty. */
  stderr?: RegExp
  /** Whether the program leaves before its last step is done. */
  leaves?: boolean
}

/** The program of the child processes, as one file: it starts much faster than through a TypeScript loader. */
export class StepRunner {
  private constructor(
    private readonly folder: string,
    private readonly python: string,
  ) {}

  static async make(): Promise<StepRunner> {
    const python = await testPython()
    const cache = join(packageRoot, '.cache')
    await mkdir(cache, { recursive: true })
    const folder = mkdtempSync(join(cache, 'test-lifecycle-'))
    await build({
      config: false,
      entry: [join(__dirname, 'program.ts')],
      outDir: folder,
      format: ['cjs'],
      outExtension: () => ({ js: '.cjs' }),
      target: 'node20',
      platform: 'node',
      // Each of its Workers loads all of it again: rxjs' many files, or a source map, would take longer than the steps.
      noExternal: ['rxjs'],
      silent: true,
    })
    return new StepRunner(folder, python)
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** Runs the steps in child processes, `ROUNDS` of them; each must end as expected. */
  async run(steps: Step[], expected: Expectation): Promise<void> {
    let left = ROUNDS
    const lane = async () => {
      while (left-- > 0) await this.runOnce(steps, expected)
    }
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, ROUNDS) }, lane))
  }

  /** Runs the steps in one child process, which must end as expected and leave no process of its own behind. */
  async runOnce(steps: Step[], expected: Expectation): Promise<void> {
    const { isolation, signal: ending = null, code = ending === null ? 0 : null, stdout, stderr } = expected
    const { leaves = code !== 0 } = expected
    const round = randomUUID()
    const setting: Setting = { python: this.python, isolation, steps, round }
    const program = join(this.folder, 'program.cjs')
    const child = spawn(process.execPath, [program, JSON.stringify(setting)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const output = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const) child[name].on('data', (data) => (output[name] += data))
    let late = false
    const limit = setTimeout(() => {
      late = true
      child.kill('SIGKILL')
    }, LIMIT)
    // A worker process has standard output of its own: a child that left is told by its end, not by that of its pipes.
    const closed = once(child, 'close')
    const [status, signal] = await once(child, 'exit')
    clearTimeout(limit)
    const orphans = await waitForEnd(() => processesOf(round))
    if (orphans.length > 0) for (const { pid } of orphans) process.kill(pid, 'SIGKILL')
    await closed
    const said = `\n${output.stdout}\n${output.stderr}`
    assert(!late, `it hung${said}`)
    assert.deepEqual(orphans, [], `it left processes behind${said}`)
    assert.equal(signal, ending, `it was ended by ${signal}${said}`)
    assert.equal(status, code, `exit code${said}`)
    if (!leaves) assert.match(output.stdout, /all steps done/, said)
    if (stdout !== undefined) assert.match(output.stdout, stdout, said)
    if (stderr === undefined) assert.equal(output.stderr, '')
    else assert.match(output.stderr, stderr)
  }
}
