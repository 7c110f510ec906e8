import { isObservable, type Observable } from 'rxjs'
import { OptionError } from '../../errors'
import type { PoolOptions } from '../../options'
import { PythonPool } from '../../pool/pool'
import { fromIterable, type IterableInput } from '../../sources/fromIterable'
import { type KnownAlgorithm, knownAlgorithm } from '../algorithms'
import { GraphChecker, unknownName } from '../check'
import type { Algorithm } from '../types'
import { type Flow, parseFlow } from './flows'
import type { GraphOptions, StatefulAlgorithm, StatelessAlgorithm, StreamAlgorithm, StreamNodeSpec } from './types'

/** Interpreters that a node has for itself. */
export interface NodeSize {
  readonly min: number
  readonly max: number
  /** Milliseconds; undefined: as the pools of the graph have it. */
  readonly idleAfter?: number
}

export interface PlannedStreamNode {
  readonly name: string
  readonly spec: StreamNodeSpec
  readonly stateful: boolean
  readonly source: Observable<unknown> | undefined
  readonly stateless: StatelessAlgorithm | undefined
  readonly state: StatefulAlgorithm | undefined
  readonly python: KnownAlgorithm | undefined
  /** Nothing comes to it by a flow. */
  readonly isEntry: boolean
  readonly size: NodeSize | undefined
  readonly batch: number
  readonly concurrency: number
  readonly algorithmName: string
}

export interface GraphPlan {
  readonly name: string
  readonly nodes: readonly PlannedStreamNode[]
  readonly flows: ReadonlyMap<string, Flow>
  readonly defaultFlow: string
  readonly pool: PythonPool | undefined
  readonly poolOptions: PoolOptions
  readonly capacity: number
  readonly onError: 'error' | 'skip'
}

const FIELDS = ['name', 'nodes', 'flows', 'defaultFlow', 'algorithms', 'pool', 'poolOptions', 'capacity', 'onError']
const NODE_FIELDS = [
  'nodeName',
  'algorithmName',
  'algorithm',
  'source',
  'stateType',
  'input',
  'interpreters',
  'batch',
  'concurrency',
]
const NAME = /^[\w-]{1,100}$/
const BATCH = 64
const CAPACITY = 4096
const MOST = 2 ** 31

/** Checks a streaming graph. @throws OptionError with all that is wrong, each with its place */
export function planGraph(options: GraphOptions): GraphPlan {
  const check = new GraphChecker('graph')
  if (!check.object('options', options, FIELDS)) throw new OptionError(check.problems)
  const name = check.text('name', options.name)
  if (name === undefined) check.problem("'name' is missing")
  const here = check.at(`graph '${name}'`)
  const given = Array.isArray(options.nodes) ? (options.nodes as readonly StreamNodeSpec[]) : []
  if (given.length === 0) here.problem("'nodes' must be a list of at least one node", options.nodes)
  const names = namesOf(here, given)
  const flows = flowsOf(here, options.flows, names)
  const targets = new Set([...flows.values()].flatMap((flow) => [...flow.values()].flat()))
  const inFlows = new Set([...flows.values()].flatMap((flow) => [...flow.keys()]))
  const nodes = given
    .filter((spec) => typeof spec?.nodeName === 'string')
    .map((spec) => planNode(here.at(`node '${spec.nodeName}'`), spec, options, !targets.has(spec.nodeName)))
  for (const node of names) if (!inFlows.has(node)) here.problem(`node '${node}' is in no flow`)
  const defaultFlow = defaultOf(here, options, flows)
  const { pool, poolOptions } = options
  if (pool !== undefined && !(pool instanceof PythonPool)) here.problem("'pool' must be a PythonPool", pool)
  if (poolOptions !== undefined) here.object('poolOptions', poolOptions, Object.keys(poolOptions))
  const sharing = nodes.filter((node) => node.python !== undefined && node.size === undefined && !node.isEntry)
  if (pool !== undefined && pool.info().max > 1) {
    for (const node of sharing.filter(({ stateful }) => stateful)) {
      here.problem(`node '${node.name}' is stateful, and the pool has several interpreters: give it 'interpreters: 1'`)
    }
  }
  const capacity = here.whole('capacity', options.capacity, 1, MOST) ?? CAPACITY
  const onError = here.oneOf('onError', options.onError, ['error', 'skip']) ?? 'error'
  check.done()
  return {
    name: name!,
    nodes,
    flows,
    defaultFlow: defaultFlow!,
    pool,
    poolOptions: poolOptions ?? {},
    capacity,
    onError,
  }
}

function namesOf(check: GraphChecker, nodes: readonly StreamNodeSpec[]): string[] {
  const names: string[] = []
  for (const [at, node] of nodes.entries()) {
    const name = node?.nodeName
    if (typeof name !== 'string' || !NAME.test(name)) {
      check.problem(`nodes[${at}]: 'nodeName' must be 1 to 100 letters, digits, '-' or '_'`, name)
    } else if (names.includes(name)) {
      check.problem(`nodes[${at}]: there is a node '${name}' already`)
    } else {
      names.push(name)
    }
  }
  return names
}

function flowsOf(check: GraphChecker, given: unknown, names: readonly string[]): Map<string, Flow> {
  const flows = new Map<string, Flow>()
  if (typeof given !== 'object' || given === null || Object.keys(given).length === 0) {
    check.problem("'flows' must be an object with at least one flow, such as { master: 'first >> second' }", given)
    return flows
  }
  for (const [name, text] of Object.entries(given)) {
    const { flow, problems } = parseFlow(text, names, (one) => unknownName('node', one, names))
    for (const problem of problems) check.at(`flow '${name}'`).problem(problem)
    flows.set(name, flow)
  }
  return flows
}

function defaultOf(check: GraphChecker, { defaultFlow }: GraphOptions, flows: Map<string, Flow>): string | undefined {
  const names = [...flows.keys()]
  if (defaultFlow === undefined) {
    if (names.length > 1)
      check.problem(`'defaultFlow' is missing: which of ${names.map((one) => `'${one}'`).join(', ')}`)
    return names[0]
  }
  if (!flows.has(defaultFlow)) check.problem(`'defaultFlow': ${unknownName('flow', String(defaultFlow), names)}`)
  return defaultFlow
}

function planNode(
  check: GraphChecker,
  spec: StreamNodeSpec,
  { algorithms = {} }: GraphOptions,
  isEntry: boolean,
): PlannedStreamNode {
  check.object('options', spec, NODE_FIELDS)
  const stateful = (check.oneOf('stateType', spec.stateType, ['stateless', 'stateful']) ?? 'stateless') === 'stateful'
  let algorithm: StreamAlgorithm | undefined = spec.algorithm
  if (algorithm === undefined && spec.algorithmName !== undefined) {
    algorithm = Object.hasOwn(algorithms, spec.algorithmName) ? algorithms[spec.algorithmName] : undefined
    if (algorithm === undefined) check.problem(unknownName('algorithm', spec.algorithmName, Object.keys(algorithms)))
  }
  const algorithmName = spec.algorithmName ?? (spec.algorithm === undefined ? '' : spec.nodeName)
  const python = isPython(algorithm)
    ? knownAlgorithm(algorithmName, algorithm as Algorithm, (text) => check.problem(`'algorithm': ${text}`))
    : undefined
  if (python?.python?.pool !== undefined) check.problem("'pool' is for pipelines: nodes of a graph have 'interpreters'")
  checkJavaScript(check, algorithm, stateful)
  if (spec.input !== undefined && !Array.isArray(spec.input)) check.problem("'input' must be a list", spec.input)
  const size = sizeOf(check, spec)
  if (size !== undefined && !isPython(algorithm)) check.problem("'interpreters' is for nodes in Python")
  if (stateful && (size?.max ?? 1) > 1) check.problem('a stateful node has one interpreter: its state is there')
  if (spec.source !== undefined && algorithm !== undefined)
    check.problem("it has a 'source' and an algorithm: one of them")
  if (spec.source !== undefined && !isEntry) check.problem("it has a 'source', and a flow leads to it")
  if (isEntry && isPython(algorithm) && !stateful) {
    check.problem(
      "nothing leads to it: make it 'stateful', so that its 'start' sends messages, or put a node before it",
    )
  }
  return {
    name: spec.nodeName,
    spec,
    stateful,
    source: sourceOf(check, spec.source),
    stateless: typeof algorithm === 'function' ? algorithm : undefined,
    state: typeof algorithm === 'object' && !isPython(algorithm) ? (algorithm as StatefulAlgorithm) : undefined,
    python,
    isEntry,
    size,
    batch: check.whole('batch', spec.batch, 1, MOST) ?? BATCH,
    concurrency: check.whole('concurrency', spec.concurrency, 1, MOST) ?? 1,
    algorithmName,
  }
}

function isPython(algorithm: StreamAlgorithm | undefined): boolean {
  return typeof algorithm === 'object' && algorithm !== null && 'python' in algorithm
}

function checkJavaScript(check: GraphChecker, algorithm: StreamAlgorithm | undefined, stateful: boolean): void {
  if (algorithm === undefined || isPython(algorithm)) return
  if (typeof algorithm === 'function') {
    if (stateful) check.problem("a stateful algorithm is an object with 'start' and 'onMessage'")
    return
  }
  const { start, onMessage } = (algorithm ?? {}) as StatefulAlgorithm
  if (typeof onMessage !== 'function' && typeof start !== 'function') {
    check.problem("an algorithm is a function, { start, onMessage } or { python: 'file.py' }", algorithm)
  } else if (!stateful) {
    check.problem("an algorithm with 'start' and 'onMessage' is for nodes with stateType: 'stateful'")
  }
}

function sizeOf(check: GraphChecker, { interpreters }: StreamNodeSpec): NodeSize | undefined {
  if (interpreters === undefined) return undefined
  if (typeof interpreters === 'number') {
    const size = check.whole('interpreters', interpreters, 1, 256) ?? 1
    return { min: size, max: size }
  }
  if (!check.object('interpreters', interpreters, ['min', 'max', 'idleAfter'])) return { min: 1, max: 1 }
  const min = check.whole('interpreters.min', interpreters.min, 1, 256) ?? 1
  const max = check.whole('interpreters.max', interpreters.max, 1, 256) ?? min
  if (max < min) check.problem("'interpreters.max' is less than 'interpreters.min'", interpreters)
  const idleAfter = check.time('interpreters.idleAfter', interpreters.idleAfter, false)
  return idleAfter === undefined ? { min, max } : { min, max, idleAfter }
}

function sourceOf(check: GraphChecker, source: StreamNodeSpec['source']): Observable<unknown> | undefined {
  if (source === undefined) return undefined
  if (isObservable(source)) return source
  const iterable = source as IterableInput<unknown> & { [Symbol.iterator]?: unknown; [Symbol.asyncIterator]?: unknown }
  const fits =
    typeof iterable === 'function' ||
    (typeof iterable === 'object' &&
      iterable !== null &&
      (Symbol.iterator in iterable || Symbol.asyncIterator in iterable))
  if (fits) return fromIterable(iterable)
  check.problem("'source' must be an Observable or an iterable", source)
  return undefined
}
