import { isText } from '../checker'
import type { HandlerSpec } from '../pool/handler-types'
import { PythonPool } from '../pool/pool'
import { Slots } from './slots'
import type { Algorithm, AlgorithmStart } from './types'

/** An algorithm as runs use it. */
export interface KnownAlgorithm {
  readonly name: string
  readonly start: AlgorithmStart | undefined
  readonly python: { readonly spec: HandlerSpec; readonly pool: PythonPool | undefined } | undefined
  readonly version: string | undefined
  readonly slots: Slots
}

const FIELDS = ['start', 'python', 'pool', 'concurrency', 'version']

/** The algorithm that a value stands for; what is wrong with it goes to `problem`. */
export function knownAlgorithm(
  name: string,
  value: Algorithm,
  problem: (text: string) => void,
): KnownAlgorithm | undefined {
  if (typeof value === 'function') {
    return { name, start: value, python: undefined, version: undefined, slots: new Slots(undefined) }
  }
  if (typeof value !== 'object' || value === null) {
    problem("an algorithm is a function, { start } or { python: 'file.py' }")
    return undefined
  }
  const { start, python, pool, concurrency, version } = value as unknown as Partial<Record<string, unknown>>
  let fine = true
  const demand = (condition: boolean, text: string) => {
    if (condition) return
    fine = false
    problem(text)
  }
  // A module may export more than its `start`.
  if (python !== undefined) {
    for (const key of Object.keys(value)) demand(FIELDS.includes(key), `'${key}' is no field of an algorithm in Python`)
  }
  demand(python !== undefined || typeof start === 'function', "it has neither a function 'start' nor 'python'")
  demand(python === undefined || start === undefined, "it has both 'start' and 'python'")
  demand(python === undefined || isSpec(python), "'python' must be a file, 'module:function' or source")
  demand(pool === undefined || pool instanceof PythonPool, "'pool' must be a PythonPool")
  demand(pool === undefined || python !== undefined, "'pool' is for algorithms in Python")
  demand(
    concurrency === undefined || (Number.isInteger(concurrency) && (concurrency as number) > 0),
    "'concurrency' must be a whole number above 0",
  )
  demand(version === undefined || typeof version === 'string', "'version' must be a text")
  if (!fine) return undefined
  return {
    name,
    start: start as AlgorithmStart | undefined,
    python: python === undefined ? undefined : { spec: python as HandlerSpec, pool: pool as PythonPool | undefined },
    version: version as string | undefined,
    slots: new Slots(concurrency as number | undefined),
  }
}

function isSpec(value: unknown): boolean {
  if (typeof value === 'string') return isText(value)
  const { source, function: name } = (value ?? {}) as { source?: unknown; function?: unknown }
  return typeof source === 'string' && isText(source) && (name === undefined || typeof name === 'string')
}
