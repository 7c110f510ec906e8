import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { benchFolder, cacheFolder } from './paths'

/** The Python that the benchmark runs on. */
export interface PythonEnvironment {
  /** The executable of an environment that has bench/requirements.txt. */
  readonly python: string
  /** The folder of the Python that the environment was made from. */
  readonly baseFolder: string
}

interface PythonFacts {
  readonly executable: string
  readonly version: string
}

const FACTS = 'import json, sys; print(json.dumps({"executable": sys.executable, "version": sys.version}))'

function factsOf(python: string): PythonFacts {
  try {
    return JSON.parse(execFileSync(python, ['-c', FACTS], { encoding: 'utf8' })) as PythonFacts
  } catch (error) {
    throw new Error(`--python ${python} does not run: ${(error as Error).message}`)
  }
}

function hasUv(): boolean {
  try {
    execFileSync('uv', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Makes the environment at the first run and after a change of the requirements or of the Python. */
export function preparePython(asked = 'python3'): PythonEnvironment {
  const base = factsOf(asked)
  const baseFolder = join(base.executable, '..')
  const requirements = join(benchFolder, 'requirements.txt')
  const key = createHash('sha256').update(readFileSync(requirements)).update(base.executable).update(base.version)
  const folder = join(cacheFolder, `env-${key.digest('hex').slice(0, 16)}`)
  const python = join(folder, 'bin', 'python')
  const stamp = join(folder, '.complete')
  if (existsSync(stamp)) return { python, baseFolder }

  console.error(`making a Python environment for the benchmark (${base.executable})`)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(cacheFolder, { recursive: true })
  const env = { ...process.env, UV_PYTHON_DOWNLOADS: 'never' }
  const run = (command: string, args: string[]) =>
    execFileSync(command, args, { env, stdio: ['ignore', 'ignore', 'inherit'] })
  if (hasUv()) {
    run('uv', ['venv', '--quiet', '--python', base.executable, folder])
    run('uv', ['pip', 'install', '--quiet', '--python', python, '-r', requirements])
  } else {
    run(base.executable, ['-m', 'venv', folder])
    run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements])
  }
  writeFileSync(stamp, '')
  return { python, baseFolder }
}
