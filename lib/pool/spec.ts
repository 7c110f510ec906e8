import { existsSync } from 'node:fs'
import { basename, isAbsolute, resolve } from 'node:path'
import { OptionError } from '../errors'
import type { HandlerSpec } from './handler'

/** A handler's place, as the Python side's Host takes it. */
export type PythonSpec =
  | { kind: 'module'; module: string; function: string | null }
  | { kind: 'file'; file: string; function: string | null }
  | { kind: 'source'; source: string; function: string | null }
  /** What belongs to another handler: its `snapshot` and `restore`. */
  | { kind: 'state'; of: number; function: null }

const IDENTIFIER = '[\\p{L}_][\\p{L}\\p{N}_]*'
const DOTTED = `${IDENTIFIER}(?:\\.${IDENTIFIER})*`
const MODULE = new RegExp(`^(${DOTTED})(?::(${DOTTED}))?$`, 'u')
const FILE = new RegExp(`^(.*\\.py)(?::(${DOTTED}))?$`, 'u')
/** A text of more than one line, or of one that can be nothing but code. */
const SOURCE = /\n|^\s*(lambda\b|def\s|async\s+def\s|class\s|import\s|from\s|@)/

/**
 * Reads `'module:function'`, `'folder/file.py:function'` or source code.
 *
 * @param folders where a relative file is looked for when the working directory has none
 */
export function parseSpec(spec: HandlerSpec, folders: readonly string[]): PythonSpec {
  if (typeof spec !== 'string') return { kind: 'source', source: spec.source, function: spec.function ?? null }
  if (SOURCE.test(spec)) return { kind: 'source', source: spec, function: null }
  const file = FILE.exec(spec)
  if (file) return { kind: 'file', file: findFile(file[1]!, folders), function: file[2] ?? null }
  const module = MODULE.exec(spec)
  if (module) return { kind: 'module', module: module[1]!, function: module[2] ?? null }
  throw new OptionError([
    `pool.handler: '${spec}' names no handler: write 'module:function', 'folder/file.py:function', or Python source`,
  ])
}

/** A short name for errors and logs. */
export function specName(spec: PythonSpec): string {
  const name = spec.function ?? 'handle'
  if (spec.kind === 'module') return `${spec.module}:${name}`
  if (spec.kind === 'file') return `${basename(spec.file)}:${name}`
  return spec.function === null ? '<inline>' : `<inline>:${spec.function}`
}

function findFile(file: string, folders: readonly string[]): string {
  if (isAbsolute(file)) return file
  for (const folder of folders) {
    const candidate = resolve(folder, file)
    if (!existsSync(resolve(file)) && existsSync(candidate)) return candidate
  }
  return resolve(file)
}
