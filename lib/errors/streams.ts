import { inspect } from 'node:util'
import { RxjsPythonError } from './base'

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
