import type { OperatorFunction } from 'rxjs'
import type { Handler, HandlerSpec } from '../pool/handler'
import type { OperatorOptions, SpecOperatorOptions } from './options'
import { stage } from './stage'

/**
 * Like `mapPython` for functions that give any number of results for an item: the function gets a batch and returns a
 * list for each item, whose elements go on one by one. Options and errors as for `mapPython`.
 */
export function flatMapPython<I, O>(
  handler: Handler<I, O | readonly O[]>,
  options?: OperatorOptions<I, O>,
): OperatorFunction<I, O>
export function flatMapPython<I = unknown, O = unknown>(
  handler: HandlerSpec,
  options?: SpecOperatorOptions<I, O>,
): OperatorFunction<I, O>
export function flatMapPython<I, O>(
  handler: Handler<I, unknown> | HandlerSpec,
  options?: SpecOperatorOptions<I, O>,
): OperatorFunction<I, O> {
  return stage<I, O>('flatMapPython', 'flatMap', handler, options)
}
