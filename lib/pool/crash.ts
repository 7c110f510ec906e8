import { PoolClosedError, PythonCrashError, PythonTimeoutError } from '../errors'
import type { CallOptions } from './handler'

/** Runs a part of a batch, with what is left of the time limit. */
type Attempt<I, O> = (items: readonly I[], options: CallOptions) => Promise<O[]>

/**
 * `onCrash: 'retry'`. A batch whose worker process crashed runs once more: the reason may have been the process's and not
 * the batch's. When it crashes again, halves of it run, until the item is found that crashes Python on its own.
 *
 * @throws PythonCrashError, with `itemIndex` where one item is to blame, else whatever the last attempt failed with
 */
export async function retryCrash<I, O>(
  items: readonly I[],
  { timeout, runTimeout, signal, key }: CallOptions,
  run: Attempt<I, O>,
): Promise<O[]> {
  const start = performance.now()
  const attempt = (from: number, to: number): Promise<O[]> => {
    const options: CallOptions = {}
    if (signal !== undefined) options.signal = signal
    if (key !== undefined) options.key = key
    if (runTimeout !== undefined) options.runTimeout = runTimeout
    if (timeout !== undefined) options.timeout = Math.max(1, timeout - (performance.now() - start))
    return run(from === 0 && to === items.length ? items : items.slice(from, to), options)
  }
  try {
    const first = await crashOf(attempt(0, items.length))
    if (!(first instanceof PythonCrashError)) return first
    const second = await crashOf(attempt(0, items.length), first)
    if (!(second instanceof PythonCrashError)) return second
    throw await findCulprit(items.length, second, (from, to) => crashOf(attempt(from, to), second))
  } catch (error) {
    // Its own limit is what the caller set, not what was left of it.
    if (error instanceof PythonTimeoutError && timeout !== undefined && error.timeout !== runTimeout)
      throw new PythonTimeoutError(timeout, error.handler)
    throw error
  }
}

/** The error for the batch: narrowed down to one item, or as it was where only several items together crash Python. */
async function findCulprit(
  count: number,
  error: PythonCrashError,
  attempt: (from: number, to: number) => Promise<unknown>,
): Promise<PythonCrashError> {
  let [from, to] = [0, count]
  let last = error
  while (to - from > 1) {
    const middle = (from + to) >> 1
    const lower = await attempt(from, middle)
    const half = lower instanceof PythonCrashError ? lower : await attempt(middle, to)
    if (!(half instanceof PythonCrashError)) return error
    if (half === lower) to = middle
    else from = middle
    last = half
  }
  return count === 0 ? error : last.at(from, count)
}

/** The result, or the crash. Anything else that goes wrong is thrown; where it is the pool that closed, `before`. */
async function crashOf<T>(result: Promise<T>, before?: PythonCrashError): Promise<T | PythonCrashError> {
  try {
    return await result
  } catch (error) {
    if (error instanceof PythonCrashError) return error
    throw before !== undefined && error instanceof PoolClosedError ? before : error
  }
}
