import { Checker } from '../checker'
import type { Clock } from '../clock'
import { OptionError } from '../errors'

/** Checks of options that only stream operators have. */
export class StreamChecker extends Checker {
  constructor(where: string, options: object | undefined, known: readonly string[]) {
    super(where)
    if (options !== undefined && !this.object('options', options, known)) throw new OptionError(this.problems)
  }

  fn(name: string, value: unknown, required = false): void {
    if (typeof value === 'function' || (value === undefined && !required)) return
    this.problem(`'${name}' must be a function`, value)
  }

  requiredWhole(name: string, value: unknown, min: number, max: number): number {
    if (value === undefined) this.problem(`'${name}' is missing`)
    return this.whole(name, value, min, max) ?? min
  }

  requiredTime(name: string, value: unknown): number {
    if (value === undefined) this.problem(`'${name}' is missing`)
    return this.time(name, value, false) ?? 1
  }

  /** For operators that take one function and nothing else. */
  requireFn(name: string, value: unknown): void {
    this.fn(name, value, true)
    this.done()
  }

  /** What `next` or a call takes values: an observer or a function. */
  observer<T>(name: string, value: unknown): ((value: T) => void) | undefined {
    if (value === undefined) return undefined
    if (typeof value === 'function') return value as (value: T) => void
    const observer = value as { next?: (value: T) => void } | null
    if (typeof observer?.next === 'function') return (one) => observer.next?.(one)
    this.problem(`'${name}' must be a function or an observer`, value)
    return undefined
  }

  clock(value: unknown): Clock | undefined {
    if (value === undefined) return undefined
    const clock = value as Partial<Clock> | null
    const whole = [clock?.now, clock?.setTimeout, clock?.clearTimeout].every((part) => typeof part === 'function')
    if (whole) return value as Clock
    this.problem("'clock' must have now(), setTimeout() and clearTimeout()", value)
    return undefined
  }

  /** For what a function of the user's must have returned. */
  requireStream(value: unknown): void {
    this.observable('pipeline', value)
    this.done()
  }

  observable(name: string, value: unknown): void {
    if (typeof (value as { subscribe?: unknown } | null)?.subscribe === 'function') return
    this.problem(`'${name}' must be an Observable`, value)
  }
}
