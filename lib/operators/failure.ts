import { Batch } from '../batch/batch'
import {
  HandlerError,
  NativeLoadError,
  OptionError,
  PoolClosedError,
  PythonError,
  PythonNotFoundError,
  PythonStartError,
  PythonUnusableError,
  RequirementsError,
} from '../errors'
import type { HandlerMode } from '../pool/handler'
import type { OnError } from './options'

const FATAL = [
  HandlerError,
  NativeLoadError,
  OptionError,
  PoolClosedError,
  PythonNotFoundError,
  PythonStartError,
  PythonUnusableError,
  RequirementsError,
]

/** Whether an error is not about one batch: every further one would fail alike, so no policy can go on. */
export function isFatal(error: unknown): boolean {
  if (error instanceof PythonError && error.code === 'ERR_CODEC') return true // numpy is missing
  return FATAL.some((Class) => error instanceof Class)
}

/** What goes on in place of a failed batch's results. Throws what the stream should error with. */
export function settleFailure<I>(onError: OnError<I, unknown>, mode: HandlerMode, batch: Batch<I>): readonly unknown[] {
  const { error, items } = batch
  if (onError === 'error' || batch.fatal) throw error
  if (onError === 'skip') return []
  if (typeof onError !== 'function') {
    onError.deadLetter.next({ error, items })
    return []
  }
  const values = onError(error, items)
  if (values === undefined) return []
  const exact = mode === 'map' || mode === 'scan'
  if (!Array.isArray(values) || (exact && values.length !== items.length)) {
    const got = Array.isArray(values) ? `${values.length} values` : typeof values
    const wanted = exact ? `one value for each of the ${items.length} items` : 'a list of values'
    throw new OptionError([
      `the function 'onError' must return ${wanted}, or undefined to leave them out; it gave ${got}`,
    ])
  }
  return values
}

/**
 * Calls again with smaller and smaller parts of a failed batch, one after the other, until only single items fail.
 * The parts come in the order of their items. Ends early after a failure when `first` is set, or when an error is fatal.
 */
export async function findCulprits<I>(
  failed: Batch<I>,
  call: (items: readonly I[]) => Promise<readonly unknown[]>,
  first: boolean,
): Promise<Batch<I>[]> {
  const parts: Batch<I>[] = []
  const left = split(failed.items, failed.error)
  for (let items = left.pop(); items !== undefined; items = left.pop()) {
    const part = new Batch(items)
    try {
      part.done(await call(items))
    } catch (error) {
      const fatal = isFatal(error)
      if (items.length > 1 && !fatal) {
        left.push(...split(items, error))
        continue
      }
      part.failed(error, fatal)
    }
    parts.push(part)
    if (part.state === 'failed' && (first || part.fatal)) break
  }
  return parts
}

/** The parts of a batch, the last one first; around the item that the error names, where it does, else halves. */
function split<I>(items: readonly I[], error: unknown): (readonly I[])[] {
  const index = error instanceof PythonError ? error.itemIndex : undefined
  const middle = items.length >> 1
  const cuts = index !== undefined && index >= 0 && index < items.length ? [index + 1, index] : [middle]
  const parts: (readonly I[])[] = []
  let end = items.length
  for (const cut of [...cuts, 0]) {
    if (cut < end) parts.push(items.slice(cut, end))
    end = cut
  }
  return parts
}
