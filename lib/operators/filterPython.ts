import type { OperatorFunction } from 'rxjs'
import type { Handler, HandlerSpec } from '../pool/handler'
import type { OperatorOptions, SpecOperatorOptions } from './options'
import { stage } from './stage'

/**
 * Lets the items through for which a Python function says so: it gets a batch and returns something true or false for
 * each item. What goes on is the very item, not a copy that has been to Python. Options and errors as for `mapPython`.
 */
export function filterPython<I>(handler: Handler<I, unknown>, options?: OperatorOptions<I, I>): OperatorFunction<I, I>
export function filterPython<I = unknown>(
  handler: HandlerSpec,
  options?: SpecOperatorOptions<I, I>,
): OperatorFunction<I, I>
export function filterPython<I>(
  handler: Handler<I, unknown> | HandlerSpec,
  options?: SpecOperatorOptions<I, I>,
): OperatorFunction<I, I> {
  return stage<I, I>('filterPython', 'filter', handler, options)
}
