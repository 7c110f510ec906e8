import { Checker, closest } from '../checker'
import { checkDebug } from '../pool/debug'
import { type KnownAlgorithm, knownAlgorithm } from './algorithms'
import type { NodeHooks } from './hooks'
import { FLOW_INPUT, referencesOf } from './inputs'
import { kindNames, kindOf } from './kinds'
import { cycles, ordered, type Plan, type PlannedNode } from './plan'
import { checkSettings, timeToLive } from './settings'
import type { NodeSpec, PipelineSpec } from './types'

const NAME = /^[\w-]{1,100}$/
const PIPELINE_NAME = /^[\w.-]{1,100}$/
const NODE_FIELDS = [
  'nodeName',
  'kind',
  'algorithmName',
  'algorithm',
  'input',
  'batchOperation',
  'concurrency',
  'ttl',
  'retries',
  'spec',
  'cache',
  'debug',
]

/** What nodes may refer to. */
export interface Known {
  readonly algorithms: ReadonlyMap<string, KnownAlgorithm>
  readonly pipelines: readonly string[]
  readonly hooks: readonly NodeHooks[]
}

/** Says what is wrong, and where in the pipeline. */
export class GraphChecker extends Checker {
  constructor(
    where: string,
    private readonly place = '',
    problems: string[] = [],
  ) {
    super(place === '' ? where : place, problems)
  }

  /** A checker of something inside, whose problems are this one's. */
  at(place: string): GraphChecker {
    return new GraphChecker(this.where, this.place === '' ? place : `${this.place}, ${place}`, this.problems)
  }
}

/** Makes a plan of what a pipeline is given as; all that is wrong goes to `check`, and then there is none. */
export function planPipeline(check: GraphChecker, spec: PipelineSpec, known: Known): Plan | undefined {
  const before = check.problems.length
  const { name, nodes, options } = spec
  if (typeof name !== 'string' || !PIPELINE_NAME.test(name)) {
    check.problem("'name' must be 1 to 100 letters, digits, '.', '-' or '_'", name)
  }
  const here = check.at(`pipeline '${name}'`)
  const settings = checkSettings(here, options)
  if (!Array.isArray(nodes) || nodes.length === 0) {
    here.problem("'nodes' must be a list of at least one node", nodes)
    return undefined
  }
  const names = namesOf(here, nodes)
  const planned = nodes.map((node) => planNode(here, node, names, known)).filter((node) => node !== undefined)
  const needs = new Map(planned.map((node) => [node.name, node.needs]))
  for (const cycle of cycles(needs)) {
    here.problem(`a cycle: ${[...cycle, cycle[0]].map((one) => `'${one}'`).join(' -> ')}`)
  }
  checkOutput(here, planned)
  if (check.problems.length > before) return undefined
  const byName = new Map(planned.map((node) => [node.name, node]))
  const order = ordered(needs).map((one) => byName.get(one)!)
  const needed = new Set(order.flatMap((node) => node.needs))
  return {
    name,
    nodes: order,
    output: order.find((node) => node.isOutput),
    leaves: order.filter((node) => !needed.has(node.name)),
    flowInput: spec.flowInput,
    settings,
  }
}

function namesOf(check: GraphChecker, nodes: readonly NodeSpec[]): string[] {
  const names: string[] = []
  for (const [at, node] of nodes.entries()) {
    const name = (node as NodeSpec | null)?.nodeName
    if (typeof name !== 'string' || !NAME.test(name)) {
      check.problem(`nodes[${at}]: 'nodeName' must be 1 to 100 letters, digits, '-' or '_'`, name)
    } else if (name === FLOW_INPUT) {
      check.problem(`nodes[${at}]: a node cannot be named '${FLOW_INPUT}', which is the run's input`)
    } else if (names.includes(name)) {
      check.problem(`nodes[${at}]: there is a node '${name}' already`)
    } else {
      names.push(name)
    }
  }
  return names
}

function planNode(
  check: GraphChecker,
  spec: NodeSpec,
  names: readonly string[],
  known: Known,
): PlannedNode | undefined {
  if (typeof spec?.nodeName !== 'string') return undefined
  const here = check.at(`node '${spec.nodeName}'`)
  const fields = [...NODE_FIELDS, ...known.hooks.flatMap((hook) => hook.fields ?? [])]
  here.object('options', spec, fields)
  const kindName = here.oneOf('kind', spec.kind, kindNames()) ?? 'algorithm'
  const kind = kindOf(kindName)
  const input = spec.input ?? []
  if (!Array.isArray(input)) here.problem("'input' must be a list", input)
  const { references, problems } = referencesOf(Array.isArray(input) ? input : [])
  for (const problem of problems) here.problem(problem)
  for (const { of, where } of references) {
    if (of === undefined || of === FLOW_INPUT || names.includes(of)) continue
    const near = closest(of, [...names, FLOW_INPUT])
    here.problem(
      `${where}: there is no node '${of}'${near === undefined ? `; there are ${list(names)}` : `; did you mean '${near}'?`}`,
    )
  }
  if (checkDebug(here, spec.debug) && kindName !== 'algorithm') here.problem("'debug' is for algorithms in Python")
  const algorithm = kindName === 'algorithm' ? algorithmOf(here, spec, known) : undefined
  if (kindName !== 'algorithm' && (spec.algorithmName ?? spec.algorithm) !== undefined) {
    here.problem(`a node of kind '${kindName}' runs no algorithm`)
  }
  for (const problem of kind?.check(spec, { pipelines: known.pipelines }) ?? []) here.problem(problem)
  for (const hook of known.hooks) for (const problem of hook.check?.(spec) ?? []) here.problem(problem)
  return {
    name: spec.nodeName,
    spec,
    input,
    operation: here.oneOf('batchOperation', spec.batchOperation, ['indexed', 'cartesian']) ?? 'indexed',
    algorithm,
    kind,
    isOutput: kindName === 'output',
    needs: [
      ...new Set(references.map(({ of }) => of).filter((of) => of !== undefined && names.includes(of))),
    ] as string[],
    fansOut: references.some(({ fanOut }) => fanOut),
    concurrency: here.whole('concurrency', spec.concurrency, 1, 2 ** 31),
    retries: here.whole('retries', spec.retries, 0, 1000) ?? 0,
    ttl: timeToLive(here, spec.ttl),
    stored: here.flag('cache', spec.cache) ?? true,
  }
}

function algorithmOf(check: GraphChecker, spec: NodeSpec, known: Known): KnownAlgorithm | undefined {
  const { algorithm, algorithmName } = spec
  if (algorithm !== undefined) {
    return knownAlgorithm(algorithmName ?? spec.nodeName, algorithm, (text) => check.problem(`'algorithm': ${text}`))
  }
  if (typeof algorithmName !== 'string') {
    check.problem("'algorithmName' is missing: the name of its algorithm", algorithmName)
    return undefined
  }
  const found = known.algorithms.get(algorithmName)
  if (found === undefined) check.problem(unknownAlgorithm(algorithmName, [...known.algorithms.keys()]))
  return found
}

export function unknownAlgorithm(name: string, names: readonly string[]): string {
  return unknownName('algorithm', name, names)
}

/** `there is no algorithm 'gren-alg'; did you mean 'green-alg'?` */
export function unknownName(what: string, name: string, names: readonly string[]): string {
  const near = closest(name, names)
  const hint =
    near !== undefined ? `did you mean '${near}'?` : names.length === 0 ? 'there are none' : `there are ${list(names)}`
  return `there is no ${what} '${name}'; ${hint}`
}

function checkOutput(check: GraphChecker, nodes: readonly PlannedNode[]): void {
  const outputs = nodes.filter((node) => node.isOutput)
  for (const output of outputs) {
    const here = check.at(`node '${output.name}'`)
    if (Array.isArray(output.input) && output.input.length === 0) here.problem("an output node needs an 'input'")
    if (output.fansOut) here.problem("an output node does not fan out: write '@node' instead of '#@node'")
    for (const node of nodes) {
      if (node.needs.includes(output.name)) {
        here.problem(`no node may depend on an output node, and '${node.name}' does`)
      }
    }
  }
  if (outputs.length > 1) {
    check.problem(`there may be one output node, and there are ${list(outputs.map(({ name }) => name))}`)
  }
}

function list(names: readonly string[]): string {
  return names.map((name) => `'${name}'`).join(', ')
}
