import type { OperatorFunction } from 'rxjs'
import type { Aggregate } from '../aggregates/aggregate'
import type { StreamChecker } from '../check'
import type { EventStream, StreamEvent } from '../event'
import { flatMapItems, mapItems } from '../items'
import type { WindowDefinition } from '../windows/definition'
import { checkWindowOptions, type WindowOptions, windowOperator } from '../windows/inWindows'
import type { WindowResult } from '../windows/result'
import { mergeEvents } from './mergeEvents'

/** An item of one of two streams that are joined. */
export type Side<L, R> = { side: 'left'; value: L } | { side: 'right'; value: R }

interface Groups<L, R> {
  left: L[]
  right: R[]
}

const groups: Aggregate<Side<unknown, unknown>, Groups<unknown, unknown>, Groups<unknown, unknown>> = {
  create: () => ({ left: [], right: [] }),
  accumulate(both, item) {
    both[item.side].push(item.value)
    return both
  },
  combine(into, from) {
    for (const value of from.left) into.left.push(value)
    for (const value of from.right) into.right.push(value)
    return into
  },
  finish: ({ left, right }) => ({ left: [...left], right: [...right] }),
}

/**
 * Brings the items of two streams together that have the same key and are in the same window. `project` gets both lists (one
 * may be empty) and gives the result, as from `inWindows`, whose options apply.
 */
export function coGroup<L, R, O, K>(
  right: EventStream<R, K>,
  window: WindowDefinition,
  project: (left: L[], right: R[], key: K) => O,
  options?: WindowOptions<Side<L, R>, K>,
): OperatorFunction<StreamEvent<L, K>, StreamEvent<WindowResult<O, K>, K>> {
  const settings = checkWindowOptions('coGroup', window, options, (check) => {
    check.observable('right', right)
    check.fn('project', project, true)
  })
  return (left) =>
    bothSides<L, R, K>(left, right).pipe(
      windowOperator(window, groups as Aggregate<Side<L, R>, Groups<L, R>, Groups<L, R>>, settings),
      mapItems((result: WindowResult<Groups<L, R>, K>): WindowResult<O, K> => {
        return { ...result, value: project(result.value.left, result.value.right, result.key) }
      }),
    )
}

/** Which items without a partner are in the result: none, those of the left stream, of the right one, or of both. */
export type JoinKind = 'inner' | 'left' | 'right' | 'outer'

const KINDS: readonly JoinKind[] = ['inner', 'left', 'right', 'outer']

export interface StreamJoinOptions<L, R, O, K> extends Pick<WindowOptions<Side<L, R>, K>, 'late' | 'maxKeys'> {
  /** Default `'inner'`. */
  kind?: JoinKind
  /** What a pair becomes; a side is undefined where there is no partner. Default: `{ left, right }`. */
  select?: (left: L | undefined, right: R | undefined, key: K) => O
}

/**
 * Joins two streams: a result for each pair of items, one of each stream, that have the same key and are in the same window
 * (tumbling or session; in sliding windows a pair would come once for each). The results come when the window closes.
 */
export function streamJoin<L, R, K, O = { left: L | undefined; right: R | undefined }>(
  right: EventStream<R, K>,
  window: WindowDefinition,
  options: StreamJoinOptions<L, R, O, K> = {},
): OperatorFunction<StreamEvent<L, K>, StreamEvent<O, K>> {
  const {
    kind = 'inner',
    select = pairOf as unknown as NonNullable<typeof options.select>,
    late,
    maxKeys,
  } = options ?? {}
  const given = options
  const check = (checker: StreamChecker) => {
    if (!checker.object('options', given, ['late', 'maxKeys', 'kind', 'select'])) return
    checker.observable('right', right)
    checker.oneOf('kind', kind, KINDS)
    checker.fn('select', select)
    if (window?.type === 'time' && window.slide !== window.size) {
      checker.problem('the window must not be sliding: a pair would come once for each window that has it')
    }
  }
  const settings = checkWindowOptions<Side<L, R>, K>('streamJoin', window, { late, maxKeys }, check)
  const leftOuter = kind === 'left' || kind === 'outer'
  const rightOuter = kind === 'right' || kind === 'outer'
  return (left) =>
    bothSides<L, R, K>(left, right).pipe(
      windowOperator(window, groups as Aggregate<Side<L, R>, Groups<L, R>, Groups<L, R>>, settings),
      flatMapItems(function* ({ value, key }: WindowResult<Groups<L, R>, K>): Generator<O> {
        if (value.right.length === 0) {
          if (leftOuter) for (const one of value.left) yield select(one, undefined, key)
        } else if (value.left.length === 0) {
          if (rightOuter) for (const one of value.right) yield select(undefined, one, key)
        }
        for (const one of value.left) for (const other of value.right) yield select(one, other, key)
      }),
    )
}

function pairOf<L, R>(left: L | undefined, right: R | undefined): { left: L | undefined; right: R | undefined } {
  return { left, right }
}

function bothSides<L, R, K>(left: EventStream<L, K>, right: EventStream<R, K>): EventStream<Side<L, R>, K> {
  return mergeEvents<Side<L, R>, K>(
    left.pipe(mapItems((value: L): Side<L, R> => ({ side: 'left', value }))) as EventStream<Side<L, R>, K>,
    right.pipe(mapItems((value: R): Side<L, R> => ({ side: 'right', value }))) as EventStream<Side<L, R>, K>,
  )
}
