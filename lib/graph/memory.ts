import type { Catalog } from './catalog'
import { codeOf } from './code'
import { dependents, type Plan, type PlannedNode } from './plan'
import { type RunRecord, type RunStore, resultKey } from './store'
import type { NodeReport, RunState } from './types'

/** What a run finds of earlier ones, and leaves for later ones. */
export interface Memory {
  begun(id: string, plan: Plan, origin: { readonly flowInput: unknown; readonly nested: boolean }): Promise<void>
  /** The result of a node with these inputs, where it may be taken from an earlier run. */
  find(plan: Plan, node: PlannedNode, tasks: Tasks): Promise<Stored>
  ended(id: string, state: RunState, nodes: Readonly<Record<string, NodeReport>>): Promise<void>
  /** That of a pipeline that an algorithm starts. */
  ofSubpipeline(): Memory
}

export type Tasks = readonly (readonly unknown[])[]

export type Stored =
  | { readonly found: true; readonly value: unknown }
  | { readonly found: false; readonly keep: (value: unknown) => Promise<unknown> }

const NOTHING: Stored = { found: false, keep: async () => {} }

/** That of pipelines without a store. */
export const noMemory: Memory = {
  begun: async () => {},
  find: async () => NOTHING,
  ended: async () => {},
  ofSubpipeline: () => noMemory,
}

/** That of one run with a store. */
export class StoredMemory implements Memory {
  private record: RunRecord | undefined

  /** @param from the node from which on everything is run */
  constructor(
    private readonly catalog: Catalog,
    private readonly store: RunStore,
    private readonly from: string | undefined,
  ) {}

  async begun(id: string, plan: Plan, { flowInput, nested }: { flowInput: unknown; nested: boolean }): Promise<void> {
    const { from } = this
    const started = Date.now()
    this.record = {
      id,
      pipelineName: plan.name,
      state: 'running',
      flowInput,
      from,
      nested,
      started,
      ended: undefined,
      nodes: {},
    }
    await this.store.put(this.record)
  }

  async find(plan: Plan, node: PlannedNode, tasks: Tasks): Promise<Stored> {
    if (!node.stored || node.isOutput) return NOTHING
    const code = await codeOf(this.catalog, node)
    const key = code === undefined ? undefined : resultKey(code, tasks)
    if (key === undefined) return NOTHING
    const known = this.mayTake(plan, node) ? this.store.result(key) : undefined
    return known === undefined
      ? { found: false, keep: (value) => this.store.keep(key, value) }
      : { found: true, value: known.value }
  }

  async ended(_id: string, state: RunState, nodes: Readonly<Record<string, NodeReport>>): Promise<void> {
    if (this.record === undefined) return
    await this.store.put({ ...this.record, state, ended: Date.now(), nodes: structuredClone(nodes) })
  }

  ofSubpipeline(): Memory {
    return new StoredMemory(this.catalog, this.store, undefined)
  }

  private mayTake(plan: Plan, node: PlannedNode): boolean {
    return this.from === undefined ? this.catalog.cache : !dependents(plan, this.from).has(node.name)
  }
}
