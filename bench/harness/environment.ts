import { join } from 'node:path'
import { locatePython } from '../../lib/pool/locate'
import { ensureEnvironment } from '../../lib/pool/requirements'
import { packageFolder } from './paths'

/** The Python that the benchmark runs on. */
export interface PythonEnvironment {
  /** The executable of an environment that has what the salary example needs. */
  readonly python: string
  /** The folder with the executables of the Python that the environment was made from. */
  readonly baseFolder: string
}

/** The environment of the salary example, which is enough for the benchmark, too. */
const REQUIREMENTS = join(packageFolder, 'examples', '02-salary', 'requirements.txt')

/** Finds a Python as a pool does, and gives it an environment with these requirements. */
export async function preparePython(
  asked: string | undefined,
  requirements: string = REQUIREMENTS,
): Promise<PythonEnvironment> {
  const { executable, basePrefix } = await ensureEnvironment({ requirements, python: await locatePython(asked) })
  return { python: executable, baseFolder: join(basePrefix, 'bin') }
}
