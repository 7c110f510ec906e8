import { inspect } from 'node:util'
import { OptionError } from './errors'
import type { Key } from './pool/affinity'

/** What timers take: above it Node would fire at once. */
export const MAX_TIME = 2 ** 31 - 1

/** Collects what is wrong with a set of options, so that all of it can be said at once. */
export class Checker {
  /**
   * @param where the function that was given the options
   * @param problems where they are collected
   */
  constructor(
    protected readonly where: string,
    readonly problems: string[] = [],
  ) {}

  /** `expected` is a sentence about what should be there; `got`, where given, is what is. */
  problem(expected: string, ...got: [value?: unknown]): void {
    const shown = got.length === 0 ? '' : `; got ${show(got[0])}`
    this.problems.push(`${this.where}: ${expected}${shown}`)
  }

  /** Whether `value` is an object; each key that is not known is a problem. `reasons` says why for some keys. */
  object(
    name: string,
    value: unknown,
    known: readonly string[],
    reasons: Readonly<Record<string, string>> = {},
  ): boolean {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.problem(name === 'options' ? 'the options must be an object' : `'${name}' must be an object`, value)
      return false
    }
    const prefix = name === 'options' ? '' : `${name}.`
    for (const key of Object.keys(value)) {
      if (known.includes(key) || (value as Record<string, unknown>)[key] === undefined) continue
      const near = closest(key, known)
      const hint = reasons[key] ?? (near ? `did you mean '${prefix}${near}'?` : `known are ${known.join(', ')}`)
      this.problem(`'${prefix}${key}' is not an option here: ${hint}`)
    }
    return true
  }

  whole(name: string, value: unknown, min: number, max: number): number | undefined {
    if (value === undefined) return undefined
    if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return value as number
    this.problem(`'${name}' must be a whole number from ${min} to ${max}`, value)
    return undefined
  }

  /** Milliseconds, not necessarily whole. */
  time(name: string, value: unknown, zero: boolean): number | undefined {
    if (value === undefined) return undefined
    if (typeof value === 'number' && value <= MAX_TIME && (zero ? value >= 0 : value > 0)) return value
    this.problem(`'${name}' must be a time in milliseconds ${zero ? 'from 0' : 'above 0'} to ${MAX_TIME}`, value)
    return undefined
  }

  flag(name: string, value: unknown): boolean | undefined {
    if (value === undefined || typeof value === 'boolean') return value
    this.problem(`'${name}' must be true or false`, value)
    return undefined
  }

  text(name: string, value: unknown): string | undefined {
    if (value === undefined || (typeof value === 'string' && isText(value))) return value
    this.problem(`'${name}' must be a text that is not empty`, value)
    return undefined
  }

  oneOf<T extends string>(name: string, value: unknown, values: readonly T[]): T | undefined {
    if (value === undefined || values.includes(value as T)) return value as T | undefined
    this.problem(`'${name}' must be one of ${values.map((one) => `'${one}'`).join(', ')}`, value)
    return undefined
  }

  key(value: unknown): Key | undefined {
    if (value === undefined || isKey(value)) return value as Key | undefined
    this.problem("'key' must be a text or a finite number", value)
    return undefined
  }

  signal(name: string, value: unknown): AbortSignal | undefined {
    if (value === undefined) return undefined
    const signal = value as Partial<AbortSignal> | null
    if (typeof signal?.aborted === 'boolean' && typeof signal.addEventListener === 'function')
      return value as AbortSignal
    this.problem(`'${name}' must be an AbortSignal`, value)
    return undefined
  }

  /** Throws an `OptionError` where there was a problem. */
  done(): void {
    if (this.problems.length > 0) throw new OptionError(this.problems)
  }
}

/** Neither empty nor with a NUL, which ends a text for the operating system. */
export function isText(value: string): boolean {
  return value.trim() !== '' && !value.includes('\0')
}

function show(value: unknown): string {
  const text = inspect(value, { depth: 1, breakLength: Infinity, maxStringLength: 60, maxArrayLength: 5 })
  return text.length > 120 ? `${text.slice(0, 117)}...` : text
}

/** The known key that a misspelt one most likely stands for. */
export function closest(key: string, known: readonly string[]): string | undefined {
  const wrong = key.toLowerCase()
  let best: string | undefined
  let least = Math.max(1, Math.floor(key.length / 3)) + 1
  for (const candidate of known) {
    const distance = editDistance(wrong, candidate.toLowerCase())
    if (distance < least) {
      least = distance
      best = candidate
    }
  }
  return best
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}

export function isKey(value: unknown): boolean {
  return typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value))
}
