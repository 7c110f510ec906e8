export type { Clock } from '../clock'
export { type Aggregate, type AnyAggregate, aggregate, allOf } from './aggregates/aggregate'
export { type Ranked, type TopOptions, toList, topN } from './aggregates/lists'
export {
  average,
  type Best,
  count,
  type ExactSum,
  linearRegression,
  type Moments,
  max,
  min,
  type Regression,
  sum,
  type Total,
} from './aggregates/numbers'
export { PythonAggregate, type PythonAggregateOptions, pythonAggregate } from './aggregates/python'
export {
  type DistinctOptions,
  type DistinctState,
  distinct,
  type QuantileOptions,
  type QuantileState,
  quantiles,
} from './aggregates/sketches'
export { type DiskStateOptions, diskState } from './diskState'
export {
  Barrier,
  type ControlEvent,
  END_OF_TIME,
  type EventOperator,
  type EventStream,
  Item,
  type StreamEvent,
  Watermark,
} from './event'
export { filterItems, flatMapItems, keyBy, mapItems, values } from './items'
export { type HashJoinOptions, hashJoin, type TableChange } from './joins/hashJoin'
export { mergeEvents } from './joins/mergeEvents'
export { coGroup, type JoinKind, type Side, type StreamJoinOptions, streamJoin } from './joins/streamJoin'
export { type KeyedOptions, mapKeyed, type Rolled, rolling, type StateOfKey } from './keyed'
export { mapPythonKeyed, type PythonKeyedOptions } from './keyedPython'
export { type AsyncCall, type MapAsyncOptions, mapAsync, type RetryOptions } from './mapAsync'
export { memoryState, type StateOptions, type StateStore } from './state'
export { throughItems } from './through'
export { type TimeOptions, timestampBy, withTimestamps } from './time'
export {
  type CountWindows,
  countWindow,
  type SessionWindows,
  session,
  sliding,
  type TimeWindows,
  tumbling,
  type WindowDefinition,
} from './windows/definition'
export { inWindows, type WindowOptions } from './windows/inWindows'
export type { ResultKind, WindowResult } from './windows/result'
