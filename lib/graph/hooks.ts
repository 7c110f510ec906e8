import type { PythonPool } from '../pool/pool'
import type { GraphApi } from './api'
import type { AlgorithmArgs, NodeSpec } from './types'

/** One execution of a node's algorithm, as hooks and kinds of nodes see it. */
export interface NodeTask {
  readonly node: NodeSpec
  readonly args: AlgorithmArgs
  readonly api: GraphApi
  /** Aborts when the run is over, or the task's time is up. */
  readonly signal: AbortSignal
  /** 1 for the first attempt, 2 for the first retry, and so on. */
  readonly attempt: number
  /** The pipeline's pool. */
  readonly pool: () => Promise<PythonPool>
  /** The pipeline's store: a folder. */
  readonly store: string | undefined
}

/** What is done around each execution of a node. Several hooks nest, the first one outermost. */
export interface NodeHooks {
  /** Environment variables that the algorithm is to see while it runs. In Python they are set around its call. */
  environment?(task: NodeTask): Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>
  /** Gives the task's result, mostly by `next()`, which runs the algorithm. */
  around?(task: NodeTask, next: () => Promise<unknown>): Promise<unknown>
  /** Problems of a node's own fields, as sentences; told with all others when the pipeline is made. */
  check?(node: NodeSpec): readonly string[]
  /** Fields of nodes that the hooks know. */
  readonly fields?: readonly string[]
}

export type TaskEnvironment = Readonly<Record<string, string>>

/** The variables that all hooks ask for; the last one has the last word. */
export async function environmentOf(hooks: readonly NodeHooks[], task: NodeTask): Promise<TaskEnvironment> {
  const all: Record<string, string> = {}
  for (const hook of hooks) if (hook.environment !== undefined) Object.assign(all, await hook.environment(task))
  return all
}

export function around(hooks: readonly NodeHooks[], task: NodeTask, run: () => Promise<unknown>): Promise<unknown> {
  const from = (at: number): Promise<unknown> => {
    const hook = hooks[at]
    if (hook === undefined) return run()
    return hook.around === undefined ? from(at + 1) : hook.around(task, () => from(at + 1))
  }
  return from(0)
}
