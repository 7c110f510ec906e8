import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { preparePython } from '../harness/environment'
import { packageFolder } from '../harness/paths'

/** Where scripts/free-threaded.sh puts what it builds. */
const FOLDER = process.env.RXJS_PYTHON_TEST_PYTHONS ?? join(packageFolder, '.cache', 'pythons')

/** scikit-learn before 1.8 has the GIL switched on again. */
const REQUIREMENTS = join(packageFolder, 'bench', 'requirements-free-threaded.txt')

export const HOW_TO_GET_ONE =
  'no free-threaded Python here: name one in RXJS_PYTHON_FREE_THREADED, or build one with scripts/free-threaded.sh'

/** An environment with scikit-learn of a Python without a GIL, or undefined where there is no such Python. */
export async function freeThreadedEnvironment(): Promise<string | undefined> {
  const python = process.env.RXJS_PYTHON_FREE_THREADED || built()
  return python === undefined ? undefined : (await preparePython(python, REQUIREMENTS)).python
}

function built(): string | undefined {
  if (!existsSync(FOLDER)) return undefined
  const names = readdirSync(FOLDER).filter((name) => /^\d+\.\d+t$/.test(name))
  const paths = names.map((name) => join(FOLDER, name, 'bin', `python${name}`))
  return paths.find((path) => existsSync(path))
}
