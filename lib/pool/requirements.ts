import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { PythonAbortError, PythonUnusableError, RequirementsError } from '../errors'
import { type Lock, lockByFile } from './file-lock'
import { environmentPython, makeEnvironment, type RequirementsProgress } from './installer'
import { locatePython } from './locate'
import type { PythonInfo } from './probe'
import { readRequirements } from './requirements-file'

export type { RequirementsProgress } from './installer'

export interface EnsureEnvironmentOptions {
  /** The requirements file; relative to the working directory. */
  requirements: string
  /** The Python that the environment is made for. */
  python: PythonInfo
  /** Told of each step while an environment is made, and not at all where it is there already. */
  onProgress?: ((progress: RequirementsProgress) => void) | undefined
  signal?: AbortSignal | undefined
  /** `RXJS_PYTHON_CACHE`, `XDG_CACHE_HOME` and what the installers read. Default: the process's. */
  env?: NodeJS.ProcessEnv | undefined
  /** How processes keep out of each other's way. */
  lock?: Lock | undefined
}

/** Names the environment that is whole; written last, so that without it there is nothing to use. */
const MARKER = 'complete.json'
/** Raised when environments are made differently: those of before are then not used any more. */
const LAYOUT = 1
/** Milliseconds after which a folder that no marker names counts as left behind. */
const LEFT_BEHIND = 60 * 60 * 1000

/**
 * A virtual environment with the requirements installed, out of the cache or newly made.
 *
 * It is kept in `$RXJS_PYTHON_CACHE/envs`, else `$XDG_CACHE_HOME/rxjs-python/envs`, else `~/.cache/rxjs-python/envs`,
 * under a key of what the file (with those it includes) says and of the Python. Each attempt has a folder of its own and
 * counts only once a marker names it: an attempt that was killed leaves nothing that could be taken for whole.
 *
 * @throws RequirementsError where the file cannot be read or the installer fails
 * @throws PythonAbortError where `signal` aborts
 */
export async function ensureEnvironment(options: EnsureEnvironmentOptions): Promise<PythonInfo> {
  const { python, signal, env = process.env, lock = lockByFile } = options
  const file = await readRequirements(resolve(options.requirements))
  const home = join(cacheFolder(env), 'envs', keyOf(file.hash, python))
  const onProgress = options.onProgress ?? defaultProgress(env)

  await refuseOpenFolder(home)
  const ready = await existing(home, env)
  if (ready !== undefined) return ready

  await mkdirOrExplain(home)
  const release = await takeLock(lock, join(home, 'lock'), { signal, onProgress })
  try {
    // Another process may have made it while this one waited.
    const made = await existing(home, env)
    if (made !== undefined) return made
    await removeLeftBehind(home)
    const name = `${Date.now().toString(36)}-${randomUUID().slice(0, 8)}`
    const folder = join(home, name)
    try {
      await makeEnvironment({
        folder,
        requirements: file.path,
        packages: file.packages,
        python,
        env,
        signal,
        onProgress,
      })
      await complete(home, name, file.path)
    } catch (error) {
      await rm(folder, { recursive: true, force: true })
      throw error
    }
    const info = await existing(home, env)
    if (info === undefined) throw new RequirementsError(`The environment ${folder} was made and is not usable.`)
    onProgress({ phase: 'done', message: `environment ready: ${info.prefix}`, fraction: 1 })
    return info
  } finally {
    await release()
  }
}

/** Where environments are kept, by the conventions of the XDG base directories. */
export function cacheFolder(env: NodeJS.ProcessEnv): string {
  if (env.RXJS_PYTHON_CACHE) return resolve(env.RXJS_PYTHON_CACHE)
  const base = env.XDG_CACHE_HOME ? env.XDG_CACHE_HOME : join(env.HOME ? env.HOME : homedir(), '.cache')
  return resolve(base, 'rxjs-python')
}

function keyOf(hash: string, python: PythonInfo): string {
  const parts = [LAYOUT, hash, python.version.join('.'), python.executable, python.basePrefix, process.arch]
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 32)
}

/** The environment that the marker names; undefined where there is none, or where its Python has gone. */
async function existing(home: string, env: NodeJS.ProcessEnv): Promise<PythonInfo | undefined> {
  let folder: string
  try {
    const marker: { folder: string } = JSON.parse(await readFile(join(home, MARKER), 'utf8'))
    folder = join(home, marker.folder)
    await stat(environmentPython(folder))
  } catch {
    return undefined
  }
  try {
    return await locatePython(environmentPython(folder), env)
  } catch (error) {
    // The Python that it was made from was changed under it: it is made anew.
    if (error instanceof PythonUnusableError) return undefined
    throw error
  }
}

async function complete(home: string, folder: string, requirements: string): Promise<void> {
  const draft = join(home, `${MARKER}.${folder}`)
  await writeFile(draft, `${JSON.stringify({ folder, requirements, made: new Date().toISOString() }, undefined, 2)}\n`)
  await rename(draft, join(home, MARKER))
}

/** What lies in an environment is run: where anybody may write into it, it is anybody's code. */
async function refuseOpenFolder(home: string): Promise<void> {
  const status = await stat(home).catch(() => undefined)
  if (status === undefined || (status.mode & 0o002) === 0) return
  throw new RequirementsError(
    `Every user of this machine may write into ${home}, from where Python would run code. ` +
      `Take that right away (chmod o-w), or name another folder with the environment variable RXJS_PYTHON_CACHE.`,
    '',
  )
}

async function mkdirOrExplain(home: string): Promise<void> {
  try {
    await mkdir(home, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new RequirementsError(
      `The environment cannot be kept in ${home} (${(cause as Error).message}). ` +
        'Name another folder with the environment variable RXJS_PYTHON_CACHE.',
      '',
      { cause },
    )
  }
}

async function takeLock(
  lock: Lock,
  path: string,
  { signal, onProgress }: { signal: AbortSignal | undefined; onProgress: (progress: RequirementsProgress) => void },
): Promise<() => void | Promise<void>> {
  if (signal?.aborted) throw abortError(signal)
  const waiting = setTimeout(
    () => onProgress({ phase: 'wait', message: 'waiting for another process that makes the same environment' }),
    500,
  )
  const taken = lock(path, { signal })
  try {
    return await orAborted(taken, signal)
  } catch (error) {
    // A lock that comes after all is given back at once.
    taken.then((release) => release()).catch(() => {})
    if (signal?.aborted) throw abortError(signal)
    throw new RequirementsError(`The lock ${path} could not be taken: ${(error as Error).message}`, '', {
      cause: error,
    })
  } finally {
    clearTimeout(waiting)
  }
}

/** A lock need not know of signals: waiting for it ends all the same. */
async function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise
  let stop: (() => void) | undefined
  const aborted = new Promise<never>((_, fail) => {
    stop = () => fail(abortError(signal))
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', stop!)
  }
}

function abortError(signal: AbortSignal): PythonAbortError {
  return new PythonAbortError(signal.reason, 'making the environment for `requirements` was aborted')
}

/** Under the lock: removes what attempts that were killed have left. */
async function removeLeftBehind(home: string): Promise<void> {
  for (const entry of await readdir(home, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue
    const path = join(home, entry.name)
    const age = Date.now() - (await stat(path)).mtimeMs
    if (age > LEFT_BEHIND) await rm(path, { recursive: true, force: true })
  }
}

/** Lines on stderr where somebody may read them, else silence. */
function defaultProgress(env: NodeJS.ProcessEnv): (progress: RequirementsProgress) => void {
  if (!process.stderr.isTTY && !env.CI) return () => {}
  return ({ message }) => process.stderr.write(`rxjs-python: ${message}\n`)
}
