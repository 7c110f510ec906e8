import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The package's own folder, from `lib/` in the repository as from `dist/` in the package. */
export const packageRoot: string = findRoot(__dirname)

/** The folder with the Python side, for `sys.path`. */
export const pythonRoot: string = join(packageRoot, 'python')

function findRoot(start: string): string {
  for (let folder = start; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder
    if (folder === dirname(folder))
      throw new Error(`rxjs-python: no package.json above ${start}; is the package whole?`)
  }
}
