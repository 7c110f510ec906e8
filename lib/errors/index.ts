export { OptionError, RxjsPythonError } from './base'
export {
  CallbackError,
  EncodeError,
  PoolClosedError,
  PythonAbortError,
  PythonTimeoutError,
  SyncCallError,
} from './calls'
export { ClientMissingError, ConnectionError, DatabaseError, KafkaError, QueueError, SchemaError } from './connectors'
export { GraphFlowError, GraphRunError, NodeError, TuningError } from './graph'
export { JobError, JobNodeError } from './jobs'
export {
  type ErrorPlace,
  type ErrorReport,
  HandlerError,
  PythonCrashError,
  PythonError,
  PythonInterruptedError,
  PythonStuckError,
  ResultError,
} from './python'
export { NativeLoadError, PythonNotFoundError, PythonStartError, PythonUnusableError, RequirementsError } from './start'
export { AsyncTimeoutError, ItemCountError, OverflowError, StateFullError, TimestampError } from './streams'
