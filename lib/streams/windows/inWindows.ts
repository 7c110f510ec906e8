import type { OperatorFunction } from 'rxjs'
import { type Clock, systemClock } from '../../clock'
import { type AnyAggregate, checkAggregate } from '../aggregates/aggregate'
import { PythonAggregate, withPython } from '../aggregates/python'
import { StreamChecker } from '../check'
import type { Item, StreamEvent } from '../event'
import { stageOperator } from '../stage'
import { CountWindowStage } from './count'
import { isWindowDefinition, type WindowDefinition } from './definition'
import type { WindowResult, WindowSettings } from './result'
import { SessionWindowStage } from './session'
import { TimeWindowStage } from './time'

export interface WindowOptions<T, K = undefined> {
  /**
   * How long after its end (in event time, by the watermark) a window still takes items, in milliseconds (default 0). Each
   * gives a result of kind `'late'` at once. Not for count windows, where nothing is late.
   */
  lateness?: number
  /** Takes the items that came too late for every window they belong to; default: they are dropped. */
  late?: ((item: Item<T, K>) => void) | { next(item: Item<T, K>): void }
  /** Milliseconds by the clock after which a change to an open window is told by a result of kind `'early'`. */
  early?: number
  /** The most keys with open windows; one more ends the stream with a `StateFullError`. Default: no limit. */
  maxKeys?: number
  /** Where `early` gets its time from; default: the system. */
  clock?: Clock
}

const KNOWN = ['lateness', 'late', 'early', 'maxKeys', 'clock']

/**
 * Aggregates the items of each key in windows: `inWindows(tumbling(60_000), sum((sale) => sale.price))`.
 *
 * A window's result comes when the watermark reaches its end; results of one key come in the order of their windows. The
 * event time of a result is the last millisecond of its window, so windows of results work as well.
 */
export function inWindows<T, R, K = undefined>(
  definition: WindowDefinition,
  aggregate: AnyAggregate<T, R> | PythonAggregate<T, R>,
  options?: WindowOptions<T, K>,
): OperatorFunction<StreamEvent<T, K>, StreamEvent<WindowResult<R, K>, K>> {
  if (aggregate instanceof PythonAggregate) {
    const settings = checkWindowOptions('inWindows', definition, options, () => {})
    return withPython<T, R, WindowResult<R, K>, K>(
      aggregate,
      (recorder) => windowOperator(definition, recorder as AnyAggregate<T, R>, settings),
      (result) => result.value,
      (result, value) => ({ ...result, value }),
    )
  }
  const settings = checkWindowOptions('inWindows', definition, options, (check) => checkAggregate(check, aggregate))
  return windowOperator(definition, aggregate, settings)
}

/** For operators that are built on windows. */
export function windowOperator<T, R, K>(
  definition: WindowDefinition,
  aggregate: AnyAggregate<T, R>,
  settings: WindowSettings<T, K>,
): OperatorFunction<StreamEvent<T, K>, StreamEvent<WindowResult<R, K>, K>> {
  return stageOperator((out) => {
    if (definition.type === 'time') return new TimeWindowStage(definition, aggregate, settings, out)
    if (definition.type === 'session') return new SessionWindowStage(definition, aggregate, settings, out)
    return new CountWindowStage(definition, aggregate, settings, out)
  })
}

export function checkWindowOptions<T, K>(
  where: string,
  definition: WindowDefinition,
  options: WindowOptions<T, K> | undefined,
  more: (check: StreamChecker) => void,
  known: readonly string[] = KNOWN,
): WindowSettings<T, K> {
  const check = new StreamChecker(where, options, known)
  if (!isWindowDefinition(definition)) {
    check.problem('the window must be tumbling(…), sliding(…), session(…) or countWindow(…)', definition)
  }
  more(check)
  const lateness = check.time('lateness', options?.lateness, true) ?? 0
  if (definition?.type === 'count' && lateness > 0) {
    check.problem("'lateness' is not for count windows, where nothing is late")
  }
  const settings = {
    lateness,
    late: check.observer<Item<T, K>>('late', options?.late),
    early: check.time('early', options?.early, false),
    maxKeys: check.whole('maxKeys', options?.maxKeys, 1, Number.MAX_SAFE_INTEGER) ?? Number.POSITIVE_INFINITY,
    clock: check.clock(options?.clock) ?? systemClock,
  }
  check.done()
  return settings
}
