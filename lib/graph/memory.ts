import type { Plan, PlannedNode } from './plan'
import type { NodeReport, RunState } from './types'

/** What a run finds of earlier ones, and leaves for later ones. */
export interface Memory {
  begun(id: string, plan: Plan, origin: { readonly flowInput: unknown; readonly nested: boolean }): Promise<void>
  /** The result of a node with these inputs, where it may be taken from an earlier run. */
  find(id: string, node: PlannedNode, tasks: Tasks): Promise<Stored>
  ended(id: string, state: RunState, nodes: Readonly<Record<string, NodeReport>>): Promise<void>
  /** That of a pipeline that an algorithm starts. */
  ofSubpipeline(): Memory
}

export type Tasks = readonly (readonly unknown[])[]

export type Stored =
  | { readonly found: true; readonly value: unknown }
  | { readonly found: false; readonly keep: (value: unknown) => Promise<void> }

const NOTHING: Stored = { found: false, keep: async () => {} }

/** That of pipelines without a store. */
export const noMemory: Memory = {
  begun: async () => {},
  find: async () => NOTHING,
  ended: async () => {},
  ofSubpipeline: () => noMemory,
}
