import { spawn } from 'node:child_process'
import { dirname } from 'node:path'
import { PythonAbortError, RequirementsError } from '../errors'
import type { PythonInfo } from './probe'

/** One step of making an environment. */
export interface RequirementsProgress {
  phase: 'wait' | 'create' | 'install' | 'done'
  message: string
  /** How much of the whole is done, from 0 to 1, where that can be said. */
  fraction?: number
}

export interface InstallOptions {
  /** The folder of the environment to make; it is not there yet. */
  folder: string
  /** The absolute path of the requirements file. */
  requirements: string
  /** How many packages it asks for directly. */
  packages: number
  python: PythonInfo
  env: NodeJS.ProcessEnv
  signal?: AbortSignal | undefined
  onProgress: (progress: RequirementsProgress) => void
}

interface Finished {
  status: number
  output: string
}

/** Characters of an installer's output that are kept for the error. */
const TAIL = 4000
/** pip's first major version that installs into an environment other than its own (`--python`). */
const PIP_WITH_PYTHON = 23

/** Makes a virtual environment and installs the requirements into it: with uv where there is one, else with pip. */
export async function makeEnvironment(options: InstallOptions): Promise<void> {
  const uv = await findUv(options)
  if (uv !== undefined) await withUv(uv, options)
  else await withPip(options)
}

export function environmentPython(folder: string): string {
  return `${folder}/bin/python`
}

async function withUv(uv: string[], options: InstallOptions): Promise<void> {
  const { folder, python, requirements } = options
  options.onProgress({ phase: 'create', message: `making an environment with uv for Python ${versionOf(python)}` })
  await must(options, [...uv, 'venv', '--no-project', '--python', python.executable, folder], 'uv could not make it')
  options.onProgress({ phase: 'install', message: `installing ${requirements} with uv`, fraction: 0.1 })
  const install = ['pip', 'install', '--python', environmentPython(folder), '--requirement', requirements]
  await must(options, [...uv, ...install], `uv could not install ${requirements}`, (line) => {
    const stage = /^(Resolved|Prepared|Installed) \d+ packages?/.exec(line)?.[1]
    if (stage === undefined) return
    options.onProgress({
      phase: 'install',
      message: line,
      fraction: { Resolved: 0.3, Prepared: 0.8, Installed: 1 }[stage],
    })
  })
}

async function withPip(options: InstallOptions): Promise<void> {
  const { folder, python, requirements, packages } = options
  options.onProgress({ phase: 'create', message: `making an environment for Python ${versionOf(python)}` })
  const venv = [python.executable, '-m', 'venv', '--without-pip', folder]
  await must(options, venv, `\`${python.executable} -m venv\` failed (Debian: apt install python3-venv)`)
  const pip = await findPip(options)
  options.onProgress({ phase: 'install', message: `installing ${requirements} with pip`, fraction: 0.1 })
  let collected = 0
  const install = ['install', '--progress-bar', 'off', '--requirement', requirements]
  await must(options, [...pip, ...install], `pip could not install ${requirements}`, (line) => {
    if (!/^(Collecting|Processing|Building|Installing|Successfully installed) /.test(line)) return
    if (line.startsWith('Collecting')) collected++
    // Of the dependencies nobody knows how many come: the packages asked for make up half of the bar at most.
    const fraction = line.startsWith('Success') ? 1 : 0.1 + 0.7 * (collected / (collected + packages))
    options.onProgress({ phase: 'install', message: line.slice(0, 200), fraction })
  })
}

async function findUv(options: InstallOptions): Promise<string[] | undefined> {
  for (const uv of [['uv'], [options.python.executable, '-m', 'uv']]) {
    // Asked for its version, because what lies on PATH may be a shim with nothing behind it.
    const found = await run(options, [...uv, '--version']).catch(passAbort)
    if (found?.status === 0) return uv
  }
  return undefined
}

/** pip of the Python at hand, told to work for the environment; else one inside the environment. */
async function findPip(options: InstallOptions): Promise<string[]> {
  const target = environmentPython(options.folder)
  const own = await run(options, [options.python.executable, '-m', 'pip', '--version']).catch(passAbort)
  const major = own?.status === 0 ? Number(/^pip (\d+)/m.exec(own.output)?.[1]) : 0
  if (major >= PIP_WITH_PYTHON) return [options.python.executable, '-m', 'pip', '--python', target]
  const what = `${options.python.executable} has neither uv nor pip to install with (Debian: apt install python3-pip or python3-venv)`
  await must(options, [target, '-m', 'ensurepip', '--default-pip'], what)
  return [target, '-m', 'pip']
}

async function must(
  options: InstallOptions,
  command: string[],
  failure: string,
  onLine?: (line: string) => void,
): Promise<void> {
  let finished: Finished
  try {
    finished = await run(options, command, onLine)
  } catch (cause) {
    if (cause instanceof PythonAbortError) throw cause
    throw new RequirementsError(`${failure}: ${(cause as Error).message}`, '', { cause })
  }
  if (finished.status === 0) return
  const output = redact(finished.output).trimEnd()
  const missing = missingPackage(output)
  const reason =
    missing === undefined ? '' : ` The package ${missing} was not found: is the name right, and its version?`
  throw new RequirementsError(`${redact(failure)} (exit status ${finished.status}).${reason}`, output)
}

function run(
  { env, requirements, signal }: InstallOptions,
  [command, ...args]: string[],
  onLine?: (line: string) => void,
): Promise<Finished> {
  return new Promise((done, fail) => {
    if (signal?.aborted) return fail(aborted(signal))
    const child = spawn(command!, args, {
      // Paths of local packages are relative to the file that names them.
      cwd: dirname(requirements),
      env: installerEnv(env),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      let rest = ''
      stream.setEncoding('utf8').on('data', (text: string) => {
        output = (output + text).slice(-TAIL)
        const lines = (rest + text).split(/\r?\n|\r/)
        rest = lines.pop()!
        for (const line of lines) onLine?.(redact(line))
      })
    }
    const stop = () => child.kill('SIGTERM')
    signal?.addEventListener('abort', stop, { once: true })
    child.once('error', fail)
    child.once('close', (status, killed) => {
      signal?.removeEventListener('abort', stop)
      if (signal?.aborted) fail(aborted(signal))
      else done({ status: status ?? 1, output: killed ? `${output}\nended by ${killed}` : output })
    })
  })
}

/** The environment for uv and pip: what would lead them elsewhere is left out; pip's settings count for uv too. */
function installerEnv(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const {
    PYTHONHOME: _home,
    PYTHONPATH: _path,
    PIP_TARGET: _target,
    PIP_PREFIX: _prefix,
    PIP_USER: _user,
    VIRTUAL_ENV: _venv,
    ...rest
  } = env
  const settings: NodeJS.ProcessEnv = {
    UV_DEFAULT_INDEX: env.PIP_INDEX_URL,
    UV_INDEX: env.PIP_EXTRA_INDEX_URL,
    UV_FIND_LINKS: env.PIP_FIND_LINKS,
    SSL_CERT_FILE: env.PIP_CERT,
    ...rest,
    PIP_DISABLE_PIP_VERSION_CHECK: '1',
    PIP_NO_INPUT: '1',
    PIP_ROOT_USER_ACTION: 'ignore',
    PYTHONIOENCODING: 'utf-8',
    PYTHONUNBUFFERED: '1',
    UV_NO_PROGRESS: '1',
    UV_PYTHON_DOWNLOADS: 'never',
  }
  return settings
}

/** Takes passwords and tokens out of the addresses in a text. */
export function redact(text: string): string {
  return text
    .replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/'"]*@/gi, '$1***@')
    .replace(/([?&#][^=\s&#]*(?:token|key|secret|sig|signature|password|auth)=)[^\s&#'"]+/gi, '$1***')
}

function missingPackage(output: string): string | undefined {
  const pip = /No matching distribution found for ([^\s;]+)/.exec(output)
  const uv =
    /(?:because|and) (\S+) was not found in the (?:package registry|cache|provided)/i.exec(output) ??
    /there (?:is no version|are no versions) of (\S+)/i.exec(output)
  return pip?.[1] ?? uv?.[1]
}

function passAbort(error: unknown): undefined {
  if (error instanceof PythonAbortError) throw error
}

function aborted(signal: AbortSignal): PythonAbortError {
  return new PythonAbortError(signal.reason, 'making the environment for `requirements` was aborted')
}

function versionOf(python: PythonInfo): string {
  return python.version.join('.')
}
