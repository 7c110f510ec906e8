import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { packageFolder } from './paths'
import type { Job, Measurement } from './types'

export interface LaunchOptions {
  readonly variables?: Readonly<Record<string, string>>
  readonly nodeOptions?: readonly string[]
  /** Seconds after which the process is killed. */
  readonly limit?: number
}

/** One thread for numeric libraries in every measured process: what is compared is the way to Python, not OpenMP. */
const ONE_THREAD = { OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1', MKL_NUM_THREADS: '1' }

/** Runs a TypeScript file of this folder in a fresh Node and returns the JSON that it writes to file 3. */
export function launch<T>(script: string, argument: unknown, options: LaunchOptions = {}): Promise<T> {
  const { variables = {}, nodeOptions = [], limit = 180 } = options
  const child = spawn(process.execPath, [...nodeOptions, '--import=tsx', script, JSON.stringify(argument)], {
    cwd: packageFolder,
    env: { ...process.env, ...ONE_THREAD, ...variables },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  const answer = gather(child.stdio[3] as NodeJS.ReadableStream)
  const output = [gather(child.stdout!), gather(child.stderr!)]
  const timer = setTimeout(() => child.kill('SIGKILL'), limit * 1000)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status, signal) => {
      clearTimeout(timer)
      const text = answer()
      if (status === 0 && text !== '') return resolve(JSON.parse(text) as T)
      const ended =
        signal === 'SIGKILL' ? `did not end within ${limit} s` : `ended with ${signal ?? `status ${status}`}`
      reject(new Error(`the measured process ${ended}\n${output.map((read) => read()).join('')}`.trim()))
    })
  })
}

function gather(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  return () => Buffer.concat(chunks).toString('utf8')
}

/** What a measurement may take beside what it times: Python's imports, 64 MiB through JSON. */
const LIMIT_S = 60

/** One measurement in a process of its own. */
export function measureOnce(job: Job, variables: Readonly<Record<string, string>>): Promise<Measurement> {
  return launch<Measurement>(join(__dirname, 'child.ts'), job, { variables, limit: LIMIT_S + 10 * job.seconds })
}
