import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

const fromSources = __filename.endsWith('.ts')

/**
 * The program that runs the job of a module: that of the package which the module itself imports, since operators and
 * `runJob` must come from the same one.
 */
export function programFor(file: string): string {
  // In the repository everything runs from its sources.
  if (fromSources) return join(__dirname, '..', 'cli', 'bin.ts')
  try {
    const manifest = createRequire(file).resolve('rxjs-python/package.json')
    const theirs = join(dirname(manifest), 'dist', 'cli.cjs')
    if (existsSync(theirs)) return theirs
  } catch {
    // A module that needs nothing of ours, or has it from somewhere else.
  }
  return join(__dirname, 'cli.cjs')
}

/** The options of Node for it: this process's own, but found from wherever the job was submitted. */
export function execArguments(): string[] {
  if (!fromSources) return process.execArgv
  return ['--import', pathToFileURL(createRequire(__filename).resolve('tsx')).href]
}
