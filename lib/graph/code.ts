import { createHash } from 'node:crypto'
import type { Catalog } from './catalog'
import type { Plan, PlannedNode } from './plan'
import { codeOfPython } from './python'

/**
 * What tells one state of a node's code from another: the function's text, the Python source or the file that it is in, and
 * the `version`. Not what they use of other files. Undefined where that is not known, and so no result can be stored.
 */
export async function codeOf(
  catalog: Catalog,
  { algorithm, kind, spec }: PlannedNode,
  /** The pipelines that this is asked for, one inside the other. */
  within: readonly string[] = [],
): Promise<string | undefined> {
  if (kind !== undefined) {
    const code = await kind.code?.(spec, (name) => codeOfPipeline(catalog, catalog.plan(name), within))
    return code === undefined ? undefined : `${spec.kind}:${code}`
  }
  if (algorithm === undefined) return undefined
  const version = algorithm.version ?? ''
  if (algorithm.python !== undefined) {
    return `python:${version}:${await codeOfPython(await catalog.poolOf(algorithm), algorithm.python.spec)}`
  }
  const text = String(algorithm.start)
  if (text.includes('[native code]') && algorithm.version === undefined) return undefined
  return `javascript:${version}:${sha256(text)}`
}

/** The same of all that a pipeline does; undefined also where it comes back to itself. */
async function codeOfPipeline(
  catalog: Catalog,
  { name, nodes, settings }: Plan,
  within: readonly string[],
): Promise<string | undefined> {
  if (within.includes(name)) return undefined
  const parts: unknown[] = [settings]
  for (const node of nodes) {
    const code = node.isOutput ? 'output' : await codeOf(catalog, node, [...within, name])
    if (code === undefined) return undefined
    const { input, operation, retries, ttl } = node
    parts.push([node.name, code, input, operation, retries, ttl])
  }
  return sha256(JSON.stringify(parts))
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
