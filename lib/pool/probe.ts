import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { PythonUnusableError } from '../errors'
import { pythonRoot } from '../package-root'

/** What the chosen Python says of itself. */
export interface PythonInfo {
  /** Major, minor and micro version. */
  version: [number, number, number]
  /** `sys.executable`: the environment's own where it is a virtual environment, never a shim. */
  executable: string
  /** `sys.prefix`: the environment. */
  prefix: string
  /** `sys.base_prefix`: the installation that the environment was made from. */
  basePrefix: string
  /** The path of the shared library, libpython; null where there is none, which isolation `process` does without. */
  library: string | null
  /** Built without a GIL (`Py_GIL_DISABLED`). */
  freeThreaded: boolean
  /** Whether it starts with a GIL: always, but for free-threaded builds (there PYTHON_GIL=1 asks for it). */
  gil: boolean
  /** Built with `Py_DEBUG`. */
  debug: boolean
  /** Always `CPython`: others are refused. */
  implementation: string
  /** It is a virtual environment. */
  venv: boolean
}

/** What _probe.py prints: a PythonInfo that may not be usable, and what is needed to say why. */
interface Answer extends PythonInfo {
  searched: string[]
  machine: string
  bits: number
  multiarch: string | null
}

const PROBE = join(pythonRoot, 'rxjs_python', '_probe.py')
const MARK = 'rxjs-python-probe:'
/** Milliseconds; a cold disk or an emulated machine may take seconds. */
const TIME_LIMIT = 15_000
const OLDEST = [3, 9] as const
const OUTPUT_LIMIT = 64 * 1024

/** Node's name of an architecture by what `platform.machine()` says. */
const ARCH_OF_MACHINE: Readonly<Record<string, string>> = {
  x86_64: 'x64',
  amd64: 'x64',
  aarch64: 'arm64',
  arm64: 'arm64',
}

/**
 * Runs the executable once and checks that this process can embed it.
 *
 * @throws PythonUnusableError
 */
export async function probePython(executable: string, env: NodeJS.ProcessEnv, cwd: string): Promise<PythonInfo> {
  const answer = parse(executable, await run(executable, env, cwd))
  const name = `${answer.implementation} ${answer.version.join('.')}`
  if (answer.implementation !== 'CPython') {
    throw new PythonUnusableError('ERR_PYTHON_BROKEN', executable, `it is ${name}; only CPython can be embedded.`)
  }
  if (answer.version[0] < OLDEST[0] || (answer.version[0] === OLDEST[0] && answer.version[1] < OLDEST[1])) {
    throw new PythonUnusableError(
      'ERR_PYTHON_TOO_OLD',
      executable,
      `it is Python ${answer.version.join('.')}; the oldest that works is ${OLDEST.join('.')}. ` +
        'Install a newer one and name it with the option `python`.',
    )
  }
  const arch = ARCH_OF_MACHINE[answer.machine.toLowerCase()]
  if (answer.bits !== 64 || (arch !== undefined && arch !== process.arch)) {
    throw new PythonUnusableError(
      'ERR_PYTHON_BROKEN',
      executable,
      `it was built for ${answer.machine} (${answer.bits} bits), and Node runs as ${process.arch}: ` +
        'install a Python for the same architecture.',
    )
  }
  const info = infoOf(executable, answer)
  if (info.library === null) libraries.set(info.executable, noLibrary(answer))
  return info
}

/** By executable: why there is no shared library, and what to do. */
const libraries = new Map<string, string>()

/** For a Python that was found to have no shared library, where one is needed. */
export function noLibraryError({ executable }: PythonInfo): PythonUnusableError {
  return new PythonUnusableError('ERR_PYTHON_NO_SHARED_LIBRARY', executable, libraries.get(executable) ?? '')
}

function infoOf(executable: string, answer: Answer): PythonInfo {
  return {
    version: answer.version,
    executable: answer.executable || executable,
    prefix: answer.prefix,
    basePrefix: answer.basePrefix,
    library: answer.library,
    freeThreaded: answer.freeThreaded,
    gil: answer.gil,
    debug: answer.debug,
    implementation: answer.implementation,
    venv: answer.venv,
  }
}

function run(executable: string, env: NodeJS.ProcessEnv, cwd: string): Promise<string> {
  return new Promise((done, fail) => {
    const broken = (message: string, options?: ErrorOptions) =>
      fail(new PythonUnusableError('ERR_PYTHON_BROKEN', executable, message, options))
    // With the environment that an embedded Python obeys too (PYTHONHOME): what it breaks is found out here, where it can
    // be told, since there it would end the process. Not -I, which Python 2 does not know.
    const child = spawn(executable, ['-s', PROBE], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
    const output = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        // The answer comes last, the reason of a crash too: the end is what counts.
        output[name] = (output[name] + text).slice(-OUTPUT_LIMIT)
      })
    }
    let late = false
    const timer = setTimeout(() => {
      late = true
      child.kill('SIGKILL')
      // A grandchild may hold the pipes open; nobody waits for it.
      child.stdout.destroy()
      child.stderr.destroy()
    }, TIME_LIMIT)
    child.once('error', (error) => {
      clearTimeout(timer)
      broken(`it could not be run: ${error.message}`, { cause: error })
    })
    child.once('close', (status, signal) => {
      clearTimeout(timer)
      if (late) broken(`it did not answer within ${TIME_LIMIT / 1000} s.`)
      else if (status === 0) done(output.stdout)
      else
        broken(
          `it ${signal ? `was ended by ${signal}` : `exited with ${status}`} when asked what it is.${tail(output.stderr)}`,
        )
    })
  })
}

function parse(executable: string, output: string): Answer {
  const start = output.lastIndexOf(MARK)
  const line = start < 0 ? '' : output.slice(start + MARK.length).split('\n', 1)[0]!
  try {
    return JSON.parse(line) as Answer
  } catch (cause) {
    throw new PythonUnusableError(
      'ERR_PYTHON_BROKEN',
      executable,
      `it did not answer as a Python does.${output ? tail(output) : ' It printed nothing.'}`,
      { cause },
    )
  }
}

function noLibrary(answer: Answer): string {
  const [major, minor] = answer.version
  const name = `libpython${major}.${minor}${answer.freeThreaded ? 't' : ''}`
  const shown = answer.searched.slice(0, 6).map((path) => `\n  - ${path}`)
  return `it has no shared library (${name}.so), which is what a program embeds. ${remedy(answer, name)} Or use isolation 'process', which needs none. Looked at:${shown.join('')}`
}

function remedy({ basePrefix, version: [major, minor, micro], freeThreaded }: Answer, name: string): string {
  if (/[/\\]\.?pyenv[/\\]/.test(basePrefix)) {
    const version = `${major}.${minor}.${micro}${freeThreaded ? 't' : ''}`
    return `Build it anew: PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install --force ${version}.`
  }
  if (/conda|mamba|miniforge/i.test(basePrefix)) {
    return `Install it into the environment: conda install python=${major}.${minor} (the package brings the library).`
  }
  if (basePrefix === '/usr') {
    return `Install it: on Debian and Ubuntu apt install ${name}, on Fedora and RHEL dnf install python${major}.${minor}-libs.`
  }
  return 'Build Python with ./configure --enable-shared, or use one that has it: from pyenv, uv, conda or the distribution.'
}

function tail(text: string): string {
  const lines = text.trimEnd().split('\n').slice(-8)
  return lines.join('') === '' ? '' : ` It said:${lines.map((line) => `\n  ${line}`).join('')}`
}
