import type { TaskEnvironment } from './hooks'
import type { NodeSpec, RunSettings } from './types'

/** What a subpipeline comes to where its result is not asked for. */
export interface SubpipelineStatus {
  jobId: string
  status: 'completed'
}

/**
 * What an algorithm is given besides its arguments: it starts algorithms and pipelines, and gets their results as promises.
 * (In Python the names are `start_algorithm` and so on; they wait, or give a future with `blocking=False`.)
 */
export interface GraphApi {
  /** Aborts when the run is over, or the task's time is up. */
  readonly signal: AbortSignal
  /** Variables that hooks have set for this task. */
  readonly env: TaskEnvironment
  /** Runs an algorithm within the current run. */
  startAlgorithm(algorithmName: string, input?: readonly unknown[], includeResult?: boolean): Promise<unknown>
  /** Runs a pipeline of `pipelines`. Its result is the output node's, or the last nodes' by name. */
  startStoredSubpipeline(pipelineName: string, flowInput?: unknown, includeResult?: boolean): Promise<unknown>
  /** Runs a pipeline made of these nodes. `webhooks` must be empty: progress is where the run was started. */
  startRawSubpipeline(
    name: string,
    nodes: readonly NodeSpec[],
    flowInput?: unknown,
    options?: RunSettings,
    webhooks?: object,
    includeResult?: boolean,
  ): Promise<unknown>
}
