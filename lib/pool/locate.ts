import { constants } from 'node:fs'
import { access, lstat, stat } from 'node:fs/promises'
import { delimiter, isAbsolute, join, resolve, sep } from 'node:path'
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads'
import { PythonNotFoundError, PythonUnusableError } from '../errors'
import { type PythonInfo, probePython } from './probe'

export { noLibraryError, type PythonInfo } from './probe'

/**
 * Finds the Python to embed and asks it, once, what it is.
 *
 * Looked at, in this order: `option` (an executable, a folder that holds one such as a virtual environment, or a name on
 * `PATH`), `VIRTUAL_ENV`, `CONDA_PREFIX`, `.venv` in `cwd`, `python3` on `PATH`, `python` on `PATH`. What is named by the
 * option or by a variable is taken or is an error: another Python never stands in for it.
 *
 * @throws PythonNotFoundError where there is none
 * @throws PythonUnusableError where the one found cannot be embedded
 */
export async function locatePython(
  option?: string,
  env: NodeJS.ProcessEnv = process.env,
  cwd: string = process.cwd(),
): Promise<PythonInfo> {
  const executable = await findExecutable(option, env, cwd)
  return await probeOnce(executable, env, cwd)
}

async function findExecutable(option: string | undefined, env: NodeJS.ProcessEnv, cwd: string): Promise<string> {
  if (option !== undefined) return await fromOption(option, env, cwd)
  for (const name of ['VIRTUAL_ENV', 'CONDA_PREFIX']) {
    const value = env[name]
    if (value) return await fromVariable(name, value, cwd)
  }
  const places = [...inFolder(join(cwd, '.venv')), ...onPath('python3', env, cwd), ...onPath('python', env, cwd)]
  const found = await firstExecutable(places)
  if (found !== undefined) return found
  throw new PythonNotFoundError(
    'No Python was found. Install Python 3.9 or later, or name one with the option `python`.',
    [
      'VIRTUAL_ENV and CONDA_PREFIX (not set)',
      `${join(cwd, '.venv')} (no Python there)`,
      `python3 and python on PATH (${env.PATH ? env.PATH : 'empty'})`,
    ],
  )
}

async function fromOption(option: string, env: NodeJS.ProcessEnv, cwd: string): Promise<string> {
  if (option === '') throw new PythonNotFoundError('The option `python` is empty: leave it out to have one found.')
  const path = resolve(cwd, option)
  const kind = await kindOf(path)
  if (kind === 'folder') return await inNamedFolder(path, `The option python: '${option}'`)
  const isName = !isAbsolute(option) && !option.includes(sep)
  if (isName) {
    const found = await firstExecutable(onPath(option, env, cwd))
    if (found !== undefined) return found
  }
  if (kind === 'nothing') {
    throw new PythonNotFoundError(
      `The option python: '${option}' points to nothing. Name an executable, or a folder that holds one.`,
      [path, ...(isName ? [`${option} on PATH (${env.PATH ? env.PATH : 'empty'})`] : [])],
    )
  }
  if (!(await isExecutable(path))) {
    throw new PythonUnusableError('ERR_PYTHON_BROKEN', path, 'the file is not executable (chmod +x, or name another)')
  }
  return path
}

async function fromVariable(name: string, value: string, cwd: string): Promise<string> {
  const path = resolve(cwd, value)
  if ((await kindOf(path)) === 'folder') return await inNamedFolder(path, `${name}=${value}`)
  throw new PythonNotFoundError(
    `${name}=${value} points to no folder. Unset the variable, make the environment anew, or use the option \`python\`.`,
    [path],
  )
}

async function inNamedFolder(folder: string, why: string): Promise<string> {
  const places = inFolder(folder)
  const found = await firstExecutable(places)
  if (found !== undefined) return found
  throw new PythonNotFoundError(
    `${why} names a folder without a Python. Name an environment's folder, the folder of the executable, or the executable.`,
    places,
  )
}

function inFolder(folder: string): string[] {
  return ['bin/python', 'bin/python3', 'python3', 'python'].map((name) => join(folder, name))
}

function onPath(name: string, env: NodeJS.ProcessEnv, cwd: string): string[] {
  return (env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => resolve(cwd, folder, name))
}

async function firstExecutable(paths: string[]): Promise<string | undefined> {
  for (const path of paths) {
    if ((await kindOf(path)) === 'file' && (await isExecutable(path))) return path
  }
  return undefined
}

async function kindOf(path: string): Promise<'file' | 'folder' | 'nothing'> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file'
  } catch {
    return 'nothing'
  }
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Answers by executable and its time stamps. A promise is kept, so that pools opened together share one probe. */
const answers = new Map<string, Promise<PythonInfo>>()

async function probeOnce(executable: string, env: NodeJS.ProcessEnv, cwd: string): Promise<PythonInfo> {
  const [target, link] = await Promise.all([stat(executable), lstat(executable)])
  // A pyenv shim answers for the folder and the variable, so these belong to the key too.
  const settings = [env.PYENV_VERSION, env.PYTHONHOME, env.PYTHONPATH].map((value) => value ?? '')
  const key = [executable, target.mtimeMs, target.size, link.mtimeMs, cwd, ...settings].join('\0')
  const known = answers.get(key)
  if (known !== undefined) return await known
  const shared = `rxjs-python probe ${key}`
  const inherited = getEnvironmentData(shared) as PythonInfo | undefined
  const answer = inherited === undefined ? probePython(executable, env, cwd) : Promise.resolve(inherited)
  answers.set(key, answer)
  answer.then(
    // Workers that start from here on know it. Why there is no library is known only here.
    (info) => info.library !== null && setEnvironmentData(shared, info as never),
    // A failure may be mended (a library installed): the next pool asks again.
    () => answers.delete(key),
  )
  return await answer
}
