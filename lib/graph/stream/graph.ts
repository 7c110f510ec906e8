import { OptionError } from '../../errors'
import { toMermaid } from '../picture/mermaid'
import type { Picture } from '../picture/picture'
import { toSvg } from '../picture/svg'
import { Engine } from './engine'
import { type GraphPlan, type PlannedStreamNode, planGraph } from './plan'
import type { GraphOptions, RunningGraph } from './types'

/** Nodes that send each other messages, along flows. */
export class Graph {
  readonly name: string
  private readonly plan: GraphPlan

  /** @internal */
  constructor(options: GraphOptions) {
    this.plan = planGraph(options)
    this.name = this.plan.name
  }

  /**
   * Opens what the nodes need and lets messages in. Subscribe to `output` at once.
   *
   * @throws what `PythonPool.open` does, HandlerError where a node does not load
   */
  async start(): Promise<RunningGraph> {
    const engine = new Engine(this.plan)
    await engine.begin()
    return engine
  }

  /** A drawing of its nodes, with lines for each flow. */
  toSvg(): string {
    return toSvg(pictureOf(this.plan))
  }

  /** The same as a Mermaid flowchart. */
  toMermaid(): string {
    return toMermaid(pictureOf(this.plan))
  }
}

/**
 * A streaming graph, checked.
 *
 * @throws OptionError with all that is wrong, each with its place
 */
export function graph(options: GraphOptions): Graph {
  if (typeof options !== 'object' || options === null) throw new OptionError(['graph: the options must be an object'])
  return new Graph(options)
}

/** `'1–4 interpreters'`; empty where it has no more than one of its own. */
function interpretersOf({ size }: PlannedStreamNode): string {
  if (size === undefined) return ''
  return size.max > 1 ? `${size.max > size.min ? `${size.min}–` : ''}${size.max} interpreters` : ''
}

function pictureOf({ name, nodes, flows, defaultFlow }: GraphPlan): Picture {
  const names = [defaultFlow, ...[...flows.keys()].filter((flow) => flow !== defaultFlow)]
  return {
    title: name,
    nodes: nodes.map((node) => ({
      id: node.name,
      detail: [node.algorithmName, node.stateful ? 'stateful' : '', interpretersOf(node)]
        .filter((one) => one !== '' && one !== node.name)
        .join(', '),
      shape: node.isEntry ? 'input' : 'node',
      python: node.python !== undefined,
    })),
    edges: names.flatMap((flow) =>
      [...flows.get(flow)!].flatMap(([from, next]) => next.map((to) => ({ from, to, label: '', flow }))),
    ),
    flows: names,
  }
}
