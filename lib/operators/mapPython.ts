import type { OperatorFunction } from 'rxjs'
import type { Handler, HandlerSpec } from '../pool/handler'
import type { OperatorOptions, SpecOperatorOptions } from './options'
import { stage } from './stage'

/**
 * Runs a Python function over the stream: it gets items in batches and returns one result for each.
 *
 * ```ts
 * records$.pipe(mapPython(score, { batch: 1024 }))
 * records$.pipe(mapPython('salary:handle', { pool, codec: 'json' }))
 * ```
 *
 * Throws an `OptionError` at once where options are wrong. The stream errors with a `PythonError` and the like, see
 * `onError`.
 */
export function mapPython<I, O>(handler: Handler<I, O>, options?: OperatorOptions<I, O>): OperatorFunction<I, O>
export function mapPython<I = unknown, O = unknown>(
  handler: HandlerSpec,
  options?: SpecOperatorOptions<I, O>,
): OperatorFunction<I, O>
export function mapPython<I, O>(
  handler: Handler<I, O> | HandlerSpec,
  options?: SpecOperatorOptions<I, O>,
): OperatorFunction<I, O> {
  return stage<I, O>('mapPython', 'map', handler, options)
}
