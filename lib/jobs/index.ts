export type { Migrate } from '../checkpoint/part'
export { type Job, type JobState, runJob } from './job'
export type { CheckpointOptions, JobContext, JobOptions } from './options'
export { type FromSourceOptions, fromSource, type ToSinkOptions, toSink } from './plain'
export { type AppendOptions, appendFile, type EpochOfResults, idempotentSink, type Sink } from './sinks'
export {
  fileLines,
  type Positioned,
  type PositionedLists,
  type ReplaySource,
  replay,
  type Source,
} from './sources'
export { type StepOptions, step } from './step'
