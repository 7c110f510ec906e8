import type { HyperLogLog } from 'hyperlolo'
import type { TDigest } from 'tdigest'
import { StreamChecker } from '../check'
import type { Aggregate } from './aggregate'
import { itself, requireSelector } from './numbers'

export interface DistinctOptions {
  /**
   * The sketch has 2^precision registers of a byte each (4 to 12, default 12): a standard error of 1.6 % in 4 KiB.
   * The library's hash has no room for more.
   */
  precision?: number
  /** Up to so many different values are counted exactly (default 256). */
  exact?: number
}

/** Exact while there are few, then a HyperLogLog. */
export interface DistinctState {
  few: Set<string> | undefined
  /** The library's sketch. */
  many: unknown
}

/** Holds the library's t-digest. */
export interface QuantileState {
  readonly digest: unknown
}

/**
 * How many different values `selector` gives: exact for few, by HyperLogLog for many. Values are told apart by type and
 * text: strings, numbers, booleans, bigints, null, dates; objects by their JSON.
 */
export function distinct<T = unknown>(
  selector: (value: T) => unknown = itself,
  options: DistinctOptions = {},
): Aggregate<T, DistinctState, number> {
  const check = new StreamChecker('distinct', options, ['precision', 'exact'])
  check.fn('selector', selector, true)
  const precision = check.whole('precision', options.precision, 4, 12) ?? 12
  const exact = check.whole('exact', options.exact, 0, 1 << 20) ?? 256
  check.done()
  const { HyperLogLog: Sketch } = require('hyperlolo') as typeof import('hyperlolo')
  const add = (state: DistinctState, text: string) => {
    const { few } = state
    if (few === undefined) {
      ;(state.many as HyperLogLog).add(text)
      return
    }
    few.add(text)
    if (few.size > exact) grow(state, few)
  }
  const grow = (state: DistinctState, few: Set<string>) => {
    const many = new Sketch({ hasherId: 'jenkins32', precision })
    for (const text of few) many.add(text)
    state.few = undefined
    state.many = many
  }
  return {
    create: () => ({ few: new Set(), many: undefined }),
    accumulate(state, value) {
      add(state, textOf(selector(value)))
      return state
    },
    combine(into, from) {
      if (from.few !== undefined) {
        for (const text of from.few) add(into, text)
        return into
      }
      if (into.few !== undefined) grow(into, into.few)
      into.many = (into.many as HyperLogLog).merge(from.many as HyperLogLog)
      return into
    },
    finish: ({ few, many }) => (few !== undefined ? few.size : Math.round((many as HyperLogLog).count())),
    save: ({ few, many }) => (few === undefined ? Uint8Array.from((many as HyperLogLog).serialize()) : few),
    load: (saved) =>
      saved instanceof Set
        ? { few: saved, many: undefined }
        : { few: undefined, many: Sketch.deserialize(Buffer.from(saved as Uint8Array)) },
  }
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return `s${value}`
  if (typeof value === 'object' && value !== null) {
    return value instanceof Date ? `d${value.getTime()}` : `o${JSON.stringify(value)}`
  }
  return `${(typeof value)[0]}${String(value)}`
}

export interface QuantileOptions {
  /** The digest keeps about 1/delta points (default 0.01). */
  delta?: number
}

/** The quantiles (0 to 1) of what `selector` returns, by a t-digest, in the order asked for; `NaN` where there is none. */
export function quantiles<T = number>(
  probabilities: readonly number[],
  selector: (value: T) => number = itself,
  options: QuantileOptions = {},
): Aggregate<T, QuantileState, number[]> {
  const check = new StreamChecker('quantiles', options, ['delta'])
  const valid = (p: unknown) => typeof p === 'number' && p >= 0 && p <= 1
  if (!Array.isArray(probabilities) || probabilities.length === 0 || !probabilities.every(valid)) {
    check.problem("'probabilities' must be a list of numbers from 0 to 1", probabilities)
  }
  const delta = options.delta ?? 0.01
  if (!(typeof delta === 'number' && delta > 0 && delta <= 1)) check.problem("'delta' must be above 0, up to 1", delta)
  check.done()
  requireSelector('quantiles', selector)
  const asked = [...probabilities]
  const { TDigest: Digest } = require('tdigest') as typeof import('tdigest')
  return {
    create: () => ({ digest: new Digest(delta) }),
    accumulate(state, value) {
      const number = selector(value)
      if (!Number.isNaN(number)) digestOf(state).push(number)
      return state
    },
    combine(into, from) {
      for (const { mean, n } of digestOf(from).toArray()) digestOf(into).push(mean, n)
      return into
    },
    finish: (state) => asked.map((p) => digestOf(state).percentile(p) ?? Number.NaN),
    save: (state) => digestOf(state).toArray(),
    load(saved) {
      const digest = new Digest(delta)
      for (const { mean, n } of saved as { mean: number; n: number }[]) digest.push(mean, n)
      return { digest }
    },
  }
}

function digestOf(state: QuantileState): TDigest {
  return state.digest as TDigest
}
