import { nameOf, RxjsPythonError } from './base'

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
