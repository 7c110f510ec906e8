import { inspect } from 'node:util'

/** How a Python exception travels to JavaScript: as plain data, never as a handle. */
export interface ErrorReport {
  code: string
  type: string
  message: string
  traceback: string
  notes: string[]
  cause: ErrorReport | null
  item: number | null
  /** Of a worker process that ended: the signal that ended it, such as SIGSEGV, else null. */
  signal?: string | null
  /** Of a worker process that ended by itself, else null. */
  exitCode?: number | null
}

/** Where a Python exception was raised, as far as the JavaScript side knows. */
export interface ErrorPlace {
  handler?: string | undefined
  batchSize?: number | undefined
}

/** The base of every error that this package makes. `code` is stable; messages may change. */
export class RxjsPythonError extends Error {
  /** A name for programs to compare with, such as `ERR_TIMEOUT`. */
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    nameOf(this, new.target.name)
  }
}

/**
 * A Python exception, or something found wrong on the Python side.
 *
 * Codes: `ERR_PYTHON_EXCEPTION` for what a handler raised; the subclasses have their own.
 */
export class PythonError extends RxjsPythonError {
  /** The exception's class: `ValueError`, or with its module for what is not built in: `json.decoder.JSONDecodeError`. */
  readonly pythonType: string
  /** What `str(exception)` gave. */
  readonly pythonMessage: string
  /** The full traceback as Python prints it, the causes included. */
  readonly pythonTraceback: string
  /** The notes that Python code added to the exception (`add_note`, Python 3.11 and later). */
  readonly notes: readonly string[]
  /** The handler that was called, where known. */
  declare readonly handler?: string
  /** How many items the batch had, where known. */
  declare readonly batchSize?: number
  /** The index of the item in its batch that the exception belongs to, where known. */
  declare readonly itemIndex?: number

  constructor(report: ErrorReport, place: ErrorPlace = {}) {
    super(report.code, describe(report, place))
    this.pythonType = report.type
    this.pythonMessage = report.message
    this.pythonTraceback = report.traceback
    this.notes = [...report.notes]
    if (place.handler !== undefined) this.handler = place.handler
    if (place.batchSize !== undefined) this.batchSize = place.batchSize
    if (report.item !== null) this.itemIndex = report.item
    if (report.cause !== null) {
      Object.defineProperty(this, 'cause', {
        value: PythonError.fromReport(report.cause),
        configurable: true,
        writable: true,
      })
    }
  }

  /** The error of the class that the report's code stands for, with its chain of causes. */
  static fromReport(report: ErrorReport, place: ErrorPlace = {}): PythonError {
    const Class = CLASS_OF_CODE.get(report.code) ?? PythonError
    return new Class(report, place)
  }

  /** Shows the Python traceback below the message; the JavaScript stack, which says less, comes after it. */
  [inspect.custom](_depth: number, options: object, inspectValue: typeof inspect = inspect): string {
    const details = Object.entries({ handler: this.handler, batchSize: this.batchSize, itemIndex: this.itemIndex })
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name}: ${inspectValue(value, options)}`)
    const head = `${this.name} [${this.code}]: ${this.message}`
    const frames = stackFrames(this.stack)
    return [
      head,
      ...(details.length > 0 ? [`  { ${details.join(', ')} }`] : []),
      ...(this.pythonTraceback ? [indent(this.pythonTraceback)] : []),
      ...(frames ? [frames] : []),
    ].join('\n')
  }

  /** `name: message`, then the Python traceback: what `String(error)` and template strings show. */
  override toString(): string {
    const head = `${this.name}: ${this.message}`
    return this.pythonTraceback ? `${head}\n${indent(this.pythonTraceback)}` : head
  }
}

/**
 * The handler could not be made: `ERR_HANDLER_NOT_FOUND` (no such module, file or function), `ERR_HANDLER_SYNTAX`,
 * `ERR_HANDLER_INIT` (its import or its `init` raised), `ERR_CODEC` (its codec needs a package that Python does not have).
 */
export class HandlerError extends PythonError {}

/**
 * The handler returned something that cannot be taken: `ERR_RESULT_LENGTH` (not one result for each item),
 * `ERR_RESULT_TYPE` (not a list), `ERR_RESULT_ENCODE` (a value that the codec cannot carry).
 */
export class ResultError extends PythonError {}

/** The call was interrupted in Python (`ERR_INTERRUPTED`), because of a time limit, a signal or a closing pool. */
export class PythonInterruptedError extends PythonError {}

/**
 * The worker process that ran the batch ended (`ERR_PYTHON_CRASH`): a crash of C code, an exit, or the system ran out of
 * memory. `pythonTraceback` is what faulthandler wrote at that moment. Another process takes its place.
 */
export class PythonCrashError extends PythonError {
  /** The signal that ended the process, such as `'SIGSEGV'`; null where it exited. */
  readonly signal: string | null
  /** The code that the process exited with; null where a signal ended it. */
  readonly exitCode: number | null

  constructor(report: ErrorReport, place: ErrorPlace = {}) {
    super(report, place)
    this.signal = report.signal ?? null
    this.exitCode = report.exitCode ?? null
    // Not a property that a console shows: everything in it is one already.
    Object.defineProperty(this, 'report', { value: report })
  }

  declare private readonly report: ErrorReport

  /** @internal The same crash, as that of one item of a batch. */
  at(item: number, batchSize: number): PythonCrashError {
    return new PythonCrashError({ ...this.report, item }, { handler: this.handler, batchSize })
  }
}

/**
 * Interpreters are stuck in calls that do not stop (`ERR_PYTHON_STUCK`): so none is left for this call, or the state of
 * its handler is out of reach.
 */
export class PythonStuckError extends PythonError {
  /** @internal */
  static because(message: string): PythonStuckError {
    const report = { type: '', message, traceback: '', notes: [], cause: null, item: null }
    return new PythonStuckError({ code: 'ERR_PYTHON_STUCK', ...report })
  }
}

const CLASS_OF_CODE: ReadonlyMap<string, typeof PythonError> = new Map<string, typeof PythonError>([
  ['ERR_HANDLER_NOT_FOUND', HandlerError],
  ['ERR_HANDLER_SYNTAX', HandlerError],
  ['ERR_HANDLER_INIT', HandlerError],
  ['ERR_CODEC', HandlerError],
  ['ERR_RESULT_LENGTH', ResultError],
  ['ERR_RESULT_TYPE', ResultError],
  ['ERR_RESULT_ENCODE', ResultError],
  ['ERR_INTERRUPTED', PythonInterruptedError],
  ['ERR_PYTHON_CRASH', PythonCrashError],
  ['ERR_PYTHON_STUCK', PythonStuckError],
])

/** One or more options are wrong (`ERR_OPTION`); all problems are reported at once. */
export class OptionError extends RxjsPythonError {
  /** One sentence for each problem. */
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super('ERR_OPTION', problems.length === 1 ? problems[0]! : `${problems.length} options are wrong:${list(problems)}`)
    this.problems = [...problems]
  }
}

/** A JavaScript value that the codec cannot carry to Python (`ERR_ITEM_ENCODE`). */
export class EncodeError extends RxjsPythonError {
  /** The item's index in its batch, where known. */
  declare readonly itemIndex?: number
  /** Where in the item the value lies, such as `.tags[3]`; empty for the item itself. */
  readonly path: string

  constructor(message: string, place: { itemIndex?: number | undefined; path?: string | undefined } = {}) {
    const path = place.path ?? ''
    const item = place.itemIndex === undefined ? '' : `item ${place.itemIndex}${path}: `
    super('ERR_ITEM_ENCODE', `${item}${message}`)
    if (place.itemIndex !== undefined) this.itemIndex = place.itemIndex
    this.path = path
  }
}

/** `callSync` was called where the thread must not wait (`ERR_SYNC_CALL`). */
export class SyncCallError extends RxjsPythonError {
  constructor(why: string) {
    super('ERR_SYNC_CALL', `callSync: ${why}`)
  }
}

/** No trial of a search for hyper-parameters came to a value (`ERR_TUNING`). */
export class TuningError extends RxjsPythonError {
  readonly trials: readonly { number: number; error: string | null }[]

  constructor(trials: readonly { number: number; error: string | null }[]) {
    const [first] = trials
    super(
      'ERR_TUNING',
      `none of ${trials.length} trials came to a value; the first one: ${first?.error ?? 'none was made'}`,
    )
    this.trials = trials
  }
}

/** A call took longer than its `timeout` (`ERR_TIMEOUT`). The Python code was interrupted. */
export class PythonTimeoutError extends RxjsPythonError {
  /** The limit in milliseconds. */
  readonly timeout: number
  declare readonly handler?: string

  constructor(timeout: number, handler?: string, options?: ErrorOptions) {
    super('ERR_TIMEOUT', `${handler ? `${handler}: the` : 'the'} call took longer than ${timeout} ms`, options)
    this.timeout = timeout
    if (handler !== undefined) this.handler = handler
  }
}

/** What was asked for was aborted by an `AbortSignal` (`ERR_ABORTED`); `cause` is the signal's reason. */
export class PythonAbortError extends RxjsPythonError {
  constructor(reason?: unknown, message = 'the call was aborted') {
    super('ERR_ABORTED', message, reason === undefined ? undefined : { cause: reason })
    // The name that the platform gives such errors, so that code which looks for it treats this one alike.
    nameOf(this, 'AbortError')
  }
}

/** The pool, or the handler, is closed (`ERR_POOL_CLOSED`). */
export class PoolClosedError extends RxjsPythonError {
  constructor(message = 'the pool is closed: open another one for further calls', options?: ErrorOptions) {
    super('ERR_POOL_CLOSED', message, options)
  }
}

/**
 * Python called a function that the pool does not expose, or one whose result cannot go to Python (`ERR_CALLBACK`). Python
 * sees it as `host.JavaScriptError`.
 */
export class CallbackError extends RxjsPythonError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_CALLBACK', message, options)
  }
}

/** A source that cannot be stopped sent more than the stage may hold, and `overflow` is `'error'` (`ERR_OVERFLOW`). */
export class OverflowError extends RxjsPythonError {
  constructor(message: string) {
    super('ERR_OVERFLOW', message)
  }
}

/** A timestamp that is neither a finite number of milliseconds nor a valid `Date` (`ERR_TIMESTAMP`). */
export class TimestampError extends RxjsPythonError {
  constructor(value: unknown) {
    super('ERR_TIMESTAMP', `a timestamp must be milliseconds or a valid Date; got ${inspect(value, { depth: 0 })}`)
  }
}

/** Keyed state has more keys, or a join more items, than it may hold (`ERR_STATE_FULL`). */
export class StateFullError extends RxjsPythonError {
  constructor(message: string) {
    super('ERR_STATE_FULL', message)
  }
}

/** An operator inside `throughItems` did not give one result for each item, in order (`ERR_ITEM_COUNT`). */
export class ItemCountError extends RxjsPythonError {
  constructor(message: string) {
    super('ERR_ITEM_COUNT', message)
  }
}

/** A call that `mapAsync` made took longer than its `timeout` (`ERR_ASYNC_TIMEOUT`). */
export class AsyncTimeoutError extends RxjsPythonError {
  /** The limit in milliseconds. */
  readonly timeout: number

  constructor(timeout: number) {
    super('ERR_ASYNC_TIMEOUT', `mapAsync: the call took longer than ${timeout} ms`)
    this.timeout = timeout
  }
}

/**
 * A job cannot do what it was asked for: `ERR_JOB_STATE` (not in the state that the job is in), `ERR_JOB_RUNNING` (another
 * process runs it), `ERR_JOB_RECOVERY` (what was saved does not fit the pipeline), `ERR_JOB_SAVE` (what an operator keeps
 * cannot be saved), `ERR_JOB_SINK` (the sink is not as the last checkpoint left it).
 */
export class JobError extends RxjsPythonError {
  constructor(
    code: 'ERR_JOB_STATE' | 'ERR_JOB_RUNNING' | 'ERR_JOB_RECOVERY' | 'ERR_JOB_SAVE' | 'ERR_JOB_SINK',
    message: string,
    options?: ErrorOptions,
  ) {
    super(code, message, options)
  }
}

/** A node of a pipeline failed (`ERR_NODE`); `cause` is what its algorithm threw, or why it has no input. */
export class NodeError extends RxjsPythonError {
  readonly pipelineName: string
  readonly nodeName: string
  /** Which task of a node that fans out, from 0. */
  declare readonly batchIndex?: number

  constructor(pipelineName: string, nodeName: string, batchIndex: number | undefined, cause: unknown, more?: string) {
    const task = batchIndex === undefined ? '' : `, task ${batchIndex}`
    const what = reasonOf(cause)
    const count = more === undefined ? '' : `${more}: `
    super('ERR_NODE', `pipeline '${pipelineName}', node '${nodeName}'${task}: ${count}${what}`, { cause })
    this.pipelineName = pipelineName
    this.nodeName = nodeName
    if (batchIndex !== undefined) this.batchIndex = batchIndex
  }
}

/**
 * A run of a pipeline did not come to its end: `ERR_RUN_TIMEOUT` (its time, or a node's, is up), `ERR_RUN_REJECTED` (as many
 * run already as may).
 */
export class GraphRunError extends RxjsPythonError {
  constructor(code: 'ERR_RUN_TIMEOUT' | 'ERR_RUN_REJECTED', message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

/** A message was sent along a flow that is not there, or that its node is not in (`ERR_FLOW`). */
export class GraphFlowError extends RxjsPythonError {
  constructor(message: string) {
    super('ERR_FLOW', message)
  }
}

/** A connector's client package is not installed, or in a version that does not fit (`ERR_CLIENT_MISSING`). */
export class ClientMissingError extends RxjsPythonError {
  constructor(
    /** The package to install. */
    readonly packageName: string,
    /** The versions that fit. */
    readonly range: string,
    /** The version that is there. */
    readonly found: string | undefined,
    options?: ErrorOptions,
  ) {
    const newest = range.split('||').at(-1)!.trim()
    const what = found === undefined ? 'is not installed' : `is there in version ${found}, and ${range} is needed`
    super(
      'ERR_CLIENT_MISSING',
      `the package ${packageName} ${what}: run 'npm install ${packageName}@${newest}'`,
      options,
    )
  }
}

/** A connector could not reach its server, or lost it, and `retry` allows no more attempts (`ERR_CONNECTION`). */
export class ConnectionError extends RxjsPythonError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_CONNECTION', message, options)
  }
}

/**
 * What was asked of a job node cannot be done: `ERR_JOB_NODE_ABSENT` (no node listens there), `ERR_JOB_NODE_RUNNING` (one does already),
 * `ERR_JOB_NODE_FOLDER` (its folder is not only its user's, or its socket's path is too long), `ERR_JOB_NODE_FULL` (it takes no
 * further job), `ERR_JOB_NODE_JOB` (no such job, or one of that name is there), `ERR_JOB_NODE_START` (the job failed as it started),
 * `ERR_JOB_NODE_REQUEST` (a request that the node does not understand, or an answer that did not come).
 */
export class JobNodeError extends RxjsPythonError {
  constructor(
    code: `ERR_JOB_NODE_${'ABSENT' | 'RUNNING' | 'FOLDER' | 'FULL' | 'JOB' | 'START' | 'REQUEST'}`,
    message: string,
  ) {
    super(code, message)
  }
}

/**
 * A database is not as a connector needs it: `ERR_DATABASE_SETUP` (a table, a key, a setting or a right is missing),
 * `ERR_DATABASE_LOG` (its log no longer has what lies behind the position), `ERR_DATABASE_BUSY` (another connection writes
 * under the same name).
 */
export class DatabaseError extends RxjsPythonError {
  constructor(
    code: 'ERR_DATABASE_SETUP' | 'ERR_DATABASE_LOG' | 'ERR_DATABASE_BUSY',
    message: string,
    options?: ErrorOptions,
  ) {
    super(code, message, options)
  }
}

/** A stream, a queue or a consumer is missing, or is not as a connector needs it (`ERR_QUEUE_SETUP`): the server says the same next time. */
export class QueueError extends RxjsPythonError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_QUEUE_SETUP', message, options)
  }
}

/**
 * Something about Kafka: `ERR_KAFKA_CLIENT` (what the client reports), `ERR_KAFKA_FENCED` (another producer has taken over), `ERR_KAFKA_TOPIC`
 * (a topic is missing, or not as it has to be), `ERR_KAFKA_STATE` (state and offsets do not belong together),
 * `ERR_KAFKA_BROKER` (the broker for tests does not start).
 */
export class KafkaError extends RxjsPythonError {
  constructor(
    code: 'ERR_KAFKA_CLIENT' | 'ERR_KAFKA_FENCED' | 'ERR_KAFKA_TOPIC' | 'ERR_KAFKA_STATE' | 'ERR_KAFKA_BROKER',
    message: string,
    options?: ErrorOptions,
  ) {
    super(code, message, options)
  }
}

/**
 * Avro and its registry: `ERR_SCHEMA` (a record or a schema that does not fit, or that the registry refuses), `ERR_SCHEMA_REGISTRY` (the
 * registry cannot be reached).
 */
export class SchemaError extends RxjsPythonError {
  constructor(code: 'ERR_SCHEMA' | 'ERR_SCHEMA_REGISTRY', message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

/** No Python was found where one was looked for (`ERR_PYTHON_NOT_FOUND`). */
export class PythonNotFoundError extends RxjsPythonError {
  /** The places that were looked at, in order. */
  readonly tried: readonly string[]

  constructor(message: string, tried: readonly string[] = [], options?: ErrorOptions) {
    super('ERR_PYTHON_NOT_FOUND', tried.length > 0 ? `${message} Looked at:${list(tried)}` : message, options)
    this.tried = [...tried]
  }
}

/**
 * A Python that cannot be embedded: `ERR_PYTHON_TOO_OLD`, `ERR_PYTHON_NO_SHARED_LIBRARY`, or `ERR_PYTHON_BROKEN` (does
 * not run, is not CPython, was built for another machine).
 */
export class PythonUnusableError extends RxjsPythonError {
  /** The executable in question. */
  readonly executable: string

  constructor(
    code: 'ERR_PYTHON_TOO_OLD' | 'ERR_PYTHON_NO_SHARED_LIBRARY' | 'ERR_PYTHON_BROKEN',
    executable: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(code, `${executable}: ${message}`, options)
    this.executable = executable
  }
}

/**
 * Python was found and could not be started in this process: `ERR_PYTHON_START`, `ERR_PYTHON_CONFLICT` (another Python
 * already runs here), `ERR_NAMESPACE` (no further private copy of it could be made).
 */
export class PythonStartError extends RxjsPythonError {
  constructor(
    code: 'ERR_PYTHON_START' | 'ERR_PYTHON_CONFLICT' | 'ERR_NAMESPACE',
    message: string,
    options?: ErrorOptions,
  ) {
    super(code, message, options)
  }
}

/** The environment for `requirements` could not be made (`ERR_REQUIREMENTS`). */
export class RequirementsError extends RxjsPythonError {
  /** The end of what the installer printed, without credentials. */
  readonly output: string

  constructor(message: string, output = '', options?: ErrorOptions) {
    super('ERR_REQUIREMENTS', output ? `${message}\n${indent(output)}` : message, options)
    this.output = output
  }
}

/** The native part of the package could not be loaded (`ERR_NATIVE_LOAD`). */
export class NativeLoadError extends RxjsPythonError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_NATIVE_LOAD', message, options)
  }
}

/** Of a Python exception what it says, without the name of the handler that is ours. */
function reasonOf(cause: unknown): string {
  if (cause instanceof PythonError && cause.pythonType !== '') return `${cause.pythonType}: ${cause.pythonMessage}`
  return cause instanceof Error ? cause.message : String(cause)
}

function describe(report: ErrorReport, { handler, batchSize }: ErrorPlace): string {
  const what = report.type && report.message ? `${report.type}: ${report.message}` : report.type || report.message
  if (handler === undefined) return what
  const item = report.item === null ? '' : `item ${report.item}`
  const batch = batchSize === undefined ? '' : `batch of ${batchSize}`
  const where = [item, batch].filter(Boolean).join(', ')
  return `${handler}${where ? ` (${where})` : ''}: ${what}`
}

/** Like the name of a built-in error: there, and not among the properties that a console shows. */
function nameOf(error: Error, name: string): void {
  Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true })
}

function stackFrames(stack: string | undefined): string | undefined {
  const start = stack?.search(/^ {4}at /m) ?? -1
  return stack === undefined || start < 0 ? undefined : stack.slice(start)
}

function list(entries: readonly string[]): string {
  return entries.map((entry) => `\n  - ${entry}`).join('')
}

function indent(text: string): string {
  return text.trimEnd().replace(/^(?=.)/gm, '  ')
}
