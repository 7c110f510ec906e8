import type { SpecOperatorOptions } from '../operators/options'
import { stage } from '../operators/stage'
import type { Handler, HandlerSpec } from '../pool/handler'
import { StreamChecker } from './check'
import type { EventOperator, Item } from './event'
import { through } from './through'

/** Options of `mapPythonKeyed`: those of `mapPython` that leave each item its one result, in its place. */
export interface PythonKeyedOptions<T, R>
  extends Pick<
    SpecOperatorOptions<T, R>,
    | 'batch'
    | 'codec'
    | 'concurrency'
    | 'bufferSize'
    | 'init'
    | 'metrics'
    | 'pool'
    | 'schema'
    | 'signal'
    | 'timeout'
    | 'transfer'
  > {
  /** `'error'` (default), or a function that gives one value for each item of a batch that failed. */
  onError?: 'error' | ((error: unknown, items: readonly T[]) => readonly R[])
}

const KNOWN = [
  'batch',
  'codec',
  'concurrency',
  'bufferSize',
  'init',
  'metrics',
  'onError',
  'pool',
  'schema',
  'signal',
  'timeout',
  'transfer',
]

/**
 * A Python stage behind `keyBy`: each key's items come to the same interpreter, in their order, so a handler may keep something for
 * each key (`KeyedState` in Python). A batch is divided among the interpreters that its keys belong to; results, times and keys
 * stay in their places, as with `throughItems`. Keys are texts or numbers.
 *
 * A key stays where it is when its interpreter is replaced, but what that one kept is lost; a pool that changes its size moves as
 * few keys as it can.
 */
export function mapPythonKeyed<T, R, K extends string | number = string>(
  handler: Handler<T, R> | HandlerSpec,
  options: PythonKeyedOptions<T, R> = {},
): EventOperator<T, R, K> {
  const check = new StreamChecker('mapPythonKeyed', options, KNOWN)
  const { onError } = options
  if (onError !== undefined && onError !== 'error' && typeof onError !== 'function') {
    check.problem("'onError' must be 'error' or a function: each item has one result here", onError)
  }
  check.done()
  const run = stage<Item<T, K>, R>(
    'mapPythonKeyed',
    'map',
    handler as Handler<never, unknown> as Handler<Item<T, K>, unknown>,
    {
      ...(options as SpecOperatorOptions<never, R>),
      key: (item: Item<T, K>) => item.key,
      ...(typeof onError === 'function' && { onError: (error, items) => onError(error, items.map(pick)) }),
    } as SpecOperatorOptions<Item<T, K>, R>,
    pick,
  )
  return through(run, (item) => item)
}

function pick<T>(item: Item<T, unknown>): T {
  return item.value
}
