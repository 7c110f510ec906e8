import type { NodeTask } from './hooks'
import type { NodeSpec } from './types'

/** A kind of node besides `algorithm` and `output`: what it does instead of running an algorithm. */
export interface NodeKind {
  /** Problems of the node's `spec`, as sentences; told with all others when the pipeline is made. */
  check(node: NodeSpec, known: { readonly pipelines: readonly string[] }): readonly string[]
  run(task: NodeTask): Promise<unknown>
  /**
   * What stored results are found by, besides the input; undefined: they are not stored.
   *
   * @param pipeline the same of one of the pipelines, all of its nodes
   */
  code?(node: NodeSpec, pipeline: (name: string) => Promise<string | undefined>): Promise<string | undefined>
}

const kinds = new Map<string, NodeKind>()

/** Adds a kind of node, for all pipelines that are made from now on. */
export function registerKind(name: string, kind: NodeKind): void {
  kinds.set(name, kind)
}

export function kindOf(name: string | undefined): NodeKind | undefined {
  return name === undefined ? undefined : kinds.get(name)
}

export function kindNames(): string[] {
  return ['algorithm', 'output', ...kinds.keys()]
}
