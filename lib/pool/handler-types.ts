import type { NdArray } from '../codec/ndarray'
import type { TypedArray } from '../codec/typed'
import type { PythonPool } from './pool'

/** How items travel between JavaScript and Python. */
export type CodecName = 'string' | 'json' | 'buffer' | 'array' | 'columns'

/** What a handler's results mean; operators choose it. */
export type HandlerMode = 'map' | 'filter' | 'flatMap' | 'scan'

/** `'module:function'`, `'folder/file.py:function'` (function `handle` where none is named), or Python source. */
export type HandlerSpec = string | { source: string; function?: string }

export interface CallOptions {
  /**
   * Milliseconds from the call to its result, the wait for an interpreter included; then Python is interrupted and the
   * call fails with `ERR_TIMEOUT`.
   */
  timeout?: number
  /** Like `timeout`, but counted from the moment when an interpreter takes the batch; the operators' `timeout`. */
  runTimeout?: number
  /** Aborting it takes the call back or interrupts Python; the call fails with `ERR_ABORTED`. */
  signal?: AbortSignal
  /**
   * Batches with the same key are run by the same interpreter while the pool keeps its size, also after its interpreter
   * was replaced; a change of size moves as few keys as it can. Not for mode `scan`, which has its interpreter already.
   */
  key?: string | number
  /** Codecs `buffer` and `array`: move the buffers to Python instead of copying them; the caller's are detached. */
  transfer?: boolean
}

/** Options of `callSync`. There is no `signal`: nobody could abort it while the thread waits. */
export interface SyncCallOptions extends Omit<CallOptions, 'signal'> {
  /**
   * Isolation `shared`, codecs `string` and `json`: where an interpreter is idle, this thread runs the function itself instead
   * of waiting for that one's thread, which for small batches costs most. Not with a time limit: nobody can stop it, and a
   * Worker cannot be terminated before it has returned. Callbacks fail. Where none is idle, and elsewhere, it changes nothing.
   */
  inline?: boolean
  /** Waits on the main thread, too: for programs that have no event loop to speak of, such as scripts. */
  onMainThread?: boolean
}

/** A Python function, ready to be called with batches. Made by `pool.handler`. */
export interface Handler<I = unknown, O = unknown> {
  readonly name: string
  readonly codec: CodecName
  readonly mode: HandlerMode
  readonly pool: PythonPool
  /**
   * Runs the function over one batch.
   *
   * @throws PythonError (also HandlerError, ResultError) for what went wrong in Python, EncodeError for an item that the
   * codec cannot carry, PythonTimeoutError, PythonAbortError, PoolClosedError
   */
  call(batch: readonly I[], options?: CallOptions): Promise<O[]>
  /**
   * Runs the function over one batch while this thread waits: for a Worker that has nothing else to do. Callbacks that it
   * makes fail where they return a promise. Not on the main thread, whose event loop would stand still, unless `onMainThread`
   * says so. A batch that crashes its worker process is not run again, whatever `onCrash` says.
   *
   * @throws what `call` is rejected with, and SyncCallError where the thread must not wait
   */
  callSync(batch: readonly I[], options?: SyncCallOptions): O[]
  /** An estimate of an item's size in bytes, for batch limits. */
  sizeOf(item: I): number
  /** The same function in another mode, on the same pool. */
  variant<R>(mode: HandlerMode, options?: { seed?: unknown }): Handler<I, R>
  /** Forgets the function in all interpreters. Calls that were made before still get their results. */
  close(): Promise<void>
}

/**
 * A handler with codec `array`, where one array is a batch already. For a typed array it answers with one, of all
 * elements of the result in C order; for an `NdArray` with an `NdArray`.
 */
export interface ArrayHandler<
  I extends TypedArray | NdArray = TypedArray,
  O extends TypedArray | NdArray = I extends NdArray ? NdArray : TypedArray,
> extends Handler<I, O> {
  /** Runs the function over one array. Given a list of one array, the answer is such a list, too. */
  call(array: I, options?: CallOptions): Promise<O>
  call(batch: readonly I[], options?: CallOptions): Promise<O[]>
  callSync(array: I, options?: SyncCallOptions): O
  callSync(batch: readonly I[], options?: SyncCallOptions): O[]
}

/** What a job asks a handler's state for. */
export type StateRequest = { op: 'look' } | { op: 'snapshot' } | { op: 'restore'; state: unknown }

export interface StateAnswer {
  /** Whether there are `snapshot` and `restore`. */
  stateful: boolean
  /** Another one where the handler was loaded again, and so has lost its state. */
  life: string
  state?: unknown
}
