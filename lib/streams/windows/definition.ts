import { StreamChecker } from '../check'

/** Windows of event time that lie on a grid; tumbling ones are those whose slide is their size. */
export interface TimeWindows {
  readonly type: 'time'
  readonly size: number
  readonly slide: number
  readonly offset: number
}

/** Windows that last as long as items follow each other quickly. */
export interface SessionWindows {
  readonly type: 'session'
  readonly gap: number
}

/** Windows of a number of items, in the order in which they come. */
export interface CountWindows {
  readonly type: 'count'
  readonly size: number
  readonly slide: number
  readonly partial: boolean
}

export type WindowDefinition = TimeWindows | SessionWindows | CountWindows

const LONGEST = Number.MAX_SAFE_INTEGER

/** Windows of `size` milliseconds, one after the other, the first at `offset` (default 0) and multiples of `size`. */
export function tumbling(size: number, options: { offset?: number } = {}): TimeWindows {
  const check = new StreamChecker('tumbling', options, ['offset'])
  const whole = check.requiredWhole('size', size, 1, LONGEST)
  const offset = check.whole('offset', options.offset, -LONGEST, LONGEST) ?? 0
  check.done()
  return { type: 'time', size: whole, slide: whole, offset }
}

/**
 * Windows of `size` milliseconds, a new one every `slide` milliseconds, so that each item is in `size / slide` of them.
 * Where `slide` divides `size`, they cost least.
 */
export function sliding(size: number, slide: number, options: { offset?: number } = {}): TimeWindows {
  const check = new StreamChecker('sliding', options, ['offset'])
  const whole = check.requiredWhole('size', size, 1, LONGEST)
  const step = check.requiredWhole('slide', slide, 1, LONGEST)
  if (step > whole) check.problem(`'slide' (${step}) must not be above 'size' (${whole}): items between would be lost`)
  const offset = check.whole('offset', options.offset, -LONGEST, LONGEST) ?? 0
  check.done()
  return { type: 'time', size: whole, slide: step, offset }
}

/**
 * A window for items of a key that follow each other by less than `gap` milliseconds. It starts with its first item and
 * ends `gap` after its last one; an item between two sessions merges them.
 */
export function session(gap: number): SessionWindows {
  const check = new StreamChecker('session', undefined, [])
  const whole = check.requiredWhole('gap', gap, 1, LONGEST)
  check.done()
  return { type: 'session', gap: whole }
}

/**
 * Windows of `size` items of a key, a new one every `slide` items (default `size`). `partial`: at the end of the stream
 * the items that no full window had are a last, smaller one (default false).
 */
export function countWindow(size: number, options: { slide?: number; partial?: boolean } = {}): CountWindows {
  const check = new StreamChecker('countWindow', options, ['slide', 'partial'])
  const whole = check.requiredWhole('size', size, 1, 2 ** 30)
  const slide = check.whole('slide', options.slide, 1, 2 ** 30) ?? whole
  if (slide > whole)
    check.problem(`'slide' (${slide}) must not be above 'size' (${whole}): items between would be lost`)
  const partial = check.flag('partial', options.partial) ?? false
  check.done()
  return { type: 'count', size: whole, slide, partial }
}

export function isWindowDefinition(value: unknown): value is WindowDefinition {
  const type = (value as { type?: unknown } | null)?.type
  return type === 'time' || type === 'session' || type === 'count'
}
