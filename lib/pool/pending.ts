import { type ErrorReport, PythonError, ResultError } from '../errors'
import type { Key } from './affinity'

const NO_INPUTS: readonly ArrayBufferView[] = []

/** What a worker process says is data, which a handler may have written over. */
export const UNREADABLE = 'what came back is not the text of a result: the memory of Python was written over'

/** How a call ended. */
export type Answer = { ended: false } | { ended: true; value: unknown } | { ended: true; error: unknown }

/** A call between `call()` and its result. */
export class PendingCall {
  /** The number that its result carries. */
  number = 0
  /** Its promise has its answer; a result that still comes is of no interest. */
  settled = false
  /** Results are cut into strings rather than read as JSON. */
  strings = false
  /** The callback that made it and that Python waits for, or 0. */
  within = 0
  inputs: readonly ArrayBufferView[] = NO_INPUTS
  /** Calls with the same key are run by the same interpreter. */
  key: Key | undefined
  /** The handler that it calls. */
  holder: object | undefined
  /** Undoes the time limit and the abort listener. */
  release: (() => void) | undefined
  /** Set where the thread waits for the answer, which then comes here: the promise only says that the call has ended. */
  answer: Answer | undefined
  readonly promise: Promise<unknown>
  private resolve!: (value: unknown) => void
  private reject!: (error: unknown) => void

  /**
   * @param owner whose call it is
   * @param onSettled told once, before the promise is settled
   * @param finish makes the call's answer of the decoded result
   */
  constructor(
    readonly owner: object | undefined,
    readonly handler: string | undefined,
    readonly batchSize: number | undefined,
    private readonly onSettled: () => void,
    private readonly finish?: (value: unknown) => unknown,
  ) {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
  }

  succeed(value: unknown): void {
    this.settle()
    try {
      const finished = this.finish === undefined ? value : this.finish(value)
      if (this.answer !== undefined) this.answer = { ended: true, value: finished }
      this.resolve(finished)
    } catch (error) {
      this.refuse(error)
    }
  }

  fail(error: unknown): void {
    this.settle()
    this.refuse(error)
  }

  private refuse(error: unknown): void {
    if (this.answer === undefined) {
      this.reject(error)
      return
    }
    this.answer = { ended: true, error }
    this.resolve(undefined) // for those who wait only for its end
  }

  /** Fails with the error that Python reported. */
  failReport(text: string): void {
    let error: PythonError
    try {
      error = PythonError.fromReport(JSON.parse(text) as ErrorReport, {
        handler: this.handler,
        batchSize: this.batchSize,
      })
    } catch {
      this.failResult(UNREADABLE)
      return
    }
    this.fail(error)
  }

  /** Fails because of a result that arrived and that JavaScript has no place for. */
  failResult(message: string): void {
    this.fail(
      new ResultError(
        {
          code: 'ERR_RESULT_ENCODE',
          type: 'rxjs_python.ResultEncodeError',
          message,
          traceback: '',
          notes: [],
          cause: null,
          item: null,
        },
        { handler: this.handler, batchSize: this.batchSize },
      ),
    )
  }

  private settle(): void {
    this.settled = true
    if (this.release !== undefined) this.release()
    this.onSettled()
  }
}
