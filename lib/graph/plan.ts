import type { KnownAlgorithm } from './algorithms'
import type { NodeKind } from './kinds'
import type { NodeSpec, ProgressLevel } from './types'

/** A node, checked. */
export interface PlannedNode {
  readonly name: string
  readonly spec: NodeSpec
  readonly input: readonly unknown[]
  readonly operation: 'indexed' | 'cartesian'
  readonly algorithm: KnownAlgorithm | undefined
  readonly kind: NodeKind | undefined
  readonly isOutput: boolean
  /** The nodes that its input refers to. */
  readonly needs: readonly string[]
  readonly fansOut: boolean
  readonly concurrency: number | undefined
  readonly retries: number
  /** Milliseconds. */
  readonly ttl: number | undefined
  readonly stored: boolean
}

export interface PlannedSettings {
  /** Percent. */
  readonly batchTolerance: number
  readonly runs: number | undefined
  readonly rejectOnFailure: boolean
  readonly level: ProgressLevel
  /** Milliseconds. */
  readonly ttl: number | undefined
  readonly concurrency: number | undefined
}

/** A pipeline, checked: its nodes so that each comes after those that it needs. */
export interface Plan {
  readonly name: string
  readonly nodes: readonly PlannedNode[]
  readonly output: PlannedNode | undefined
  /** Nodes that none depends on. */
  readonly leaves: readonly PlannedNode[]
  readonly flowInput: unknown
  readonly settings: PlannedSettings
}

/** Who needs whom, for the order and for what is wrong with it. */
export type Needs = ReadonlyMap<string, readonly string[]>

/** The names so that each comes after those that it needs, in the order given where that is free; those in cycles are left out. */
export function ordered(needs: Needs): string[] {
  const done = new Set<string>()
  const order: string[] = []
  let grown = true
  while (grown) {
    grown = false
    for (const [name, of] of needs) {
      if (done.has(name) || !of.every((one) => done.has(one) || !needs.has(one))) continue
      done.add(name)
      order.push(name)
      grown = true
    }
  }
  return order
}

/** One cycle for each group of names that lead to each other, from its first name on. */
export function cycles(needs: Needs): string[][] {
  const left = new Set([...needs.keys()])
  for (const name of ordered(needs)) left.delete(name)
  const found: string[][] = []
  while (left.size > 0) {
    const path: string[] = []
    let at: string | undefined = [...left][0]!
    while (at !== undefined && !path.includes(at)) {
      path.push(at)
      at = needs.get(at)!.find((one) => left.has(one))
    }
    if (at !== undefined) found.push(path.slice(path.indexOf(at)).reverse())
    for (const name of path) left.delete(name)
  }
  return found
}

/** The named node and all that need it, at once or through others. */
export function dependents(plan: Plan, name: string): Set<string> {
  const found = new Set([name])
  for (const node of plan.nodes) if (node.needs.some((one) => found.has(one))) found.add(node.name)
  return found
}
