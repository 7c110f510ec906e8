import { inspect } from 'node:util'
import { indent, RxjsPythonError } from './base'

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

function describe(report: ErrorReport, { handler, batchSize }: ErrorPlace): string {
  const what = report.type && report.message ? `${report.type}: ${report.message}` : report.type || report.message
  if (handler === undefined) return what
  const item = report.item === null ? '' : `item ${report.item}`
  const batch = batchSize === undefined ? '' : `batch of ${batchSize}`
  const where = [item, batch].filter(Boolean).join(', ')
  return `${handler}${where ? ` (${where})` : ''}: ${what}`
}

function stackFrames(stack: string | undefined): string | undefined {
  const start = stack?.search(/^ {4}at /m) ?? -1
  return stack === undefined || start < 0 ? undefined : stack.slice(start)
}
