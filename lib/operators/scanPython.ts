import type { OperatorFunction } from 'rxjs'
import type { Handler, HandlerSpec } from '../pool/handler'
import type { OperatorOptions, SeedOptions, SpecOperatorOptions } from './options'
import { stage } from './stage'

/**
 * Folds the stream in Python: the function `handler(state, item)` returns the next state, which goes on downstream.
 *
 * The state stays in one interpreter and belongs to one subscription; each starts with `seed`. Results are always in
 * order. A batch that fails leaves the state as it was before the batch, so with `onError: 'skip'` the stream goes on
 * without the batch's items. A batch is never run again: `isolateErrors` and `ordered: false` are refused.
 */
export function scanPython<I, S>(
  handler: Handler<I, S>,
  options?: OperatorOptions<I, S> & SeedOptions,
): OperatorFunction<I, S>
export function scanPython<I = unknown, S = unknown>(
  handler: HandlerSpec,
  options?: SpecOperatorOptions<I, S> & SeedOptions,
): OperatorFunction<I, S>
export function scanPython<I, S>(
  handler: Handler<I, S> | HandlerSpec,
  options?: SpecOperatorOptions<I, S> & SeedOptions,
): OperatorFunction<I, S> {
  return stage<I, S>('scanPython', 'scan', handler, options)
}
