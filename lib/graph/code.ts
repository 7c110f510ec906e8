import { createHash } from 'node:crypto'
import type { Catalog } from './catalog'
import type { PlannedNode } from './plan'
import { codeOfPython } from './python'

/**
 * What tells one state of a node's code from another: the function's text, the Python source or the file that it is in, and
 * the `version`. Not what they use of other files. Undefined where that is not known, and so no result can be stored.
 */
export async function codeOf(catalog: Catalog, { algorithm, kind, spec }: PlannedNode): Promise<string | undefined> {
  if (kind !== undefined) {
    const code = kind.code?.(spec)
    return code === undefined ? undefined : `${spec.kind}:${code}`
  }
  if (algorithm === undefined) return undefined
  const version = algorithm.version ?? ''
  if (algorithm.python !== undefined) {
    return `python:${version}:${await codeOfPython(await catalog.poolOf(algorithm), algorithm.python.spec)}`
  }
  const text = String(algorithm.start)
  if (text.includes('[native code]') && algorithm.version === undefined) return undefined
  return `javascript:${version}:${createHash('sha256').update(text).digest('hex')}`
}
