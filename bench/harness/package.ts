import { existsSync, readdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { packageFolder } from './paths'

export type Package = typeof import('../../lib')

/** The package as its users get it: the built one, not the sources. */
export function loadPackage(): Package {
  return createRequire(join(packageFolder, 'package.json'))('rxjs-python') as Package
}

/** What keeps the built package from being measured, or undefined. */
export function packageProblem(): string | undefined {
  const built = join(packageFolder, 'dist', 'index.cjs')
  if (!existsSync(built)) return 'the package is not built: run npm run build'
  if (newest(join(packageFolder, 'lib')) > statSync(built).mtimeMs) {
    return 'lib/ has changed since the package was built: run npm run build'
  }
  return undefined
}

function newest(folder: string): number {
  const times = readdirSync(folder, { withFileTypes: true }).map((entry) => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? newest(path) : statSync(path).mtimeMs
  })
  return Math.max(0, ...times)
}
