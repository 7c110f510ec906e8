import { OptionError } from '../../errors'
import { StreamChecker } from '../check'

/**
 * How many values become one. `A` is the accumulator, `R` the result.
 *
 * - `accumulate` and `combine` may change their first argument and return it; they never change, nor keep parts of, the second.
 * - `combine` must be associative; the first argument holds the earlier values.
 * - `finish` must leave the accumulator as it is: early results ask for it more than once.
 */
export interface Aggregate<T, A, R> {
  create(): A
  accumulate(accumulator: A, value: T): A
  combine(into: A, from: A): A
  finish(accumulator: A): R
  /**
   * The reverse of `combine`, where there is an exact one: sliding windows then cost less. May return `undefined` where it
   * cannot be exact for these two.
   */
  deduct?(from: A, what: A): A | undefined
  /**
   * For accumulators that are more than data: how a job's checkpoint keeps one, and makes it again. Without them it is kept
   * as `structuredClone` would copy it.
   */
  save?(accumulator: A): unknown
  load?(saved: unknown): A
}

/** How accumulators go into a checkpoint and come back. */
export interface Saving {
  save(accumulator: unknown): unknown
  load(saved: unknown): unknown
}

/** Undefined accumulators, such as that of `max` before its first value, and slots that are not in use stay what they are. */
export function savingOf(aggregate: AnyAggregate<never, unknown>): Saving {
  return {
    save: (accumulator) => (aggregate.save === undefined ? accumulator : aggregate.save(accumulator)),
    load: (saved) => (aggregate.load === undefined ? saved : aggregate.load(saved)),
  }
}

/** Any aggregate of values of type `T` with results of type `R`. */
// biome-ignore lint/suspicious/noExplicitAny: an accumulator is nobody's business but the aggregate's
export type AnyAggregate<T, R> = Aggregate<T, any, R>

const PARTS = ['create', 'accumulate', 'combine', 'finish'] as const

/** Checks that `aggregate` is one; the problems go to `check`. */
export function checkAggregate(check: StreamChecker, aggregate: unknown, name = 'aggregate'): void {
  const parts = aggregate as Partial<Record<string, unknown>> | null
  const missing = PARTS.filter((part) => typeof parts?.[part] !== 'function')
  if (typeof parts !== 'object' || parts === null || missing.length > 0) {
    check.problem(`'${name}' must be an aggregate with the functions ${PARTS.join(', ')}`, aggregate)
  } else {
    for (const part of ['deduct', 'save', 'load']) {
      if (parts[part] !== undefined) check.fn(`${name}.${part}`, parts[part])
    }
  }
}

/** An aggregate of your own, checked at once. */
export function aggregate<T, A, R>(parts: Aggregate<T, A, R>): Aggregate<T, A, R> {
  const check = new StreamChecker('aggregate', undefined, [])
  checkAggregate(check, parts)
  check.done()
  return parts
}

type ResultsOf<C> = { [P in keyof C]: C[P] extends Aggregate<never, infer _A, infer R> ? R : never }
// biome-ignore lint/suspicious/noExplicitAny: the types of the values are found in the aggregates themselves
type ValueOf<C> = C[keyof C] extends Aggregate<infer T, any, any> ? T : never

/** Several aggregates at once, in one pass; the result has the same names: `allOf({ n: count(), mean: average() })`. */
// biome-ignore lint/suspicious/noExplicitAny: as above
export function allOf<C extends Record<string, Aggregate<any, any, any>>>(
  aggregates: C,
): Aggregate<ValueOf<C>, unknown[], ResultsOf<C>> {
  if (typeof aggregates !== 'object' || aggregates === null) {
    throw new OptionError(['allOf: give an object of aggregates by name'])
  }
  const names = Object.keys(aggregates)
  const check = new StreamChecker('allOf', undefined, [])
  for (const name of names) checkAggregate(check, aggregates[name], name)
  if (names.length === 0) check.problem('give at least one aggregate')
  check.done()
  const parts = names.map((name) => aggregates[name]!)
  const whole: Aggregate<ValueOf<C>, unknown[], ResultsOf<C>> = {
    create: () => parts.map((part) => part.create()),
    accumulate(all, value) {
      for (let i = 0; i < parts.length; i++) all[i] = parts[i]!.accumulate(all[i], value)
      return all
    },
    combine(into, from) {
      for (let i = 0; i < parts.length; i++) into[i] = parts[i]!.combine(into[i], from[i])
      return into
    },
    finish: (all) =>
      Object.fromEntries(names.map((name, i) => [name, parts[i]!.finish(all[i])])) as unknown as ResultsOf<C>,
  }
  if (parts.some((part) => part.save !== undefined || part.load !== undefined)) {
    const savings = parts.map(savingOf)
    whole.save = (all) => all.map((each, i) => savings[i]!.save(each))
    whole.load = (saved) => (saved as unknown[]).map((each, i) => savings[i]!.load(each))
  }
  if (parts.every((part) => part.deduct !== undefined)) {
    whole.deduct = (from, what) => {
      for (let i = 0; i < parts.length; i++) {
        from[i] = parts[i]!.deduct!(from[i], what[i])
        if (from[i] === undefined) return undefined
      }
      return from
    }
  }
  return whole
}
