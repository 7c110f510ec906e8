import { registerKind } from './kinds'
import { hyperparamsTuner } from './tuner'

export type { GraphApi, SubpipelineStatus } from './api'
export type { NodeHooks, NodeTask, TaskEnvironment } from './hooks'
export type { NodeKind } from './kinds'
export { Pipeline, pipeline } from './pipeline'
export { readSpec } from './readSpec'
export type { RunRecord } from './store'
export { Graph, graph } from './stream/graph'
export type * from './stream/types'
export type * from './types'
export { registerKind }

registerKind('hyperparamsTuner', hyperparamsTuner)
