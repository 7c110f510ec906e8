import { EncodeError } from '../errors'
import { writeExtended } from './json-extended'
import { hasOnlyUserCode } from './plain'
import { TOO_LONG } from './string'

const MAX = Number.MAX_SAFE_INTEGER
/** Deeper values take the slow way, which knows how to say where the depth is. */
const FAST_DEPTH = 64

/**
 * A batch as extended JSON: the standard's text where every value has one, which is what JSON.stringify does best; the
 * tokens of json-extended.ts only for batches that hold something else.
 */
export function encodeJson(batch: readonly unknown[]): string {
  try {
    return isStandard(batch) ? JSON.stringify(batch) : writeExtended(batch)
  } catch (error) {
    if (error instanceof RangeError && error.message === 'Invalid string length') throw new EncodeError(TOO_LONG)
    throw error
  }
}

/** Prototypes that are known to hold plain data, so that instances of a user's classes take the fast way too. */
const plainPrototypes = new WeakMap<object, boolean>()

function isStandard(batch: readonly unknown[]): boolean {
  for (let i = 0; i < batch.length; i++) {
    if (!isStandardValue(batch[i], 0)) return false
  }
  return true
}

/** Whether JSON.stringify writes the value in full. False only means "look closer". */
function isStandardValue(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true
    case 'number':
      return isStandardNumber(value)
    case 'object':
      return value === null || isStandardObject(value, depth)
    default:
      return false
  }
}

function isStandardNumber(value: number): boolean {
  if (value === 0) return 1 / value > 0
  return value >= -MAX && value <= MAX
}

function isStandardObject(value: object, depth: number): boolean {
  if (depth > FAST_DEPTH) return false
  if (Array.isArray(value)) {
    if ('toJSON' in value) return false
    for (let i = 0; i < value.length; i++) {
      if (!isStandardValue(value[i], depth + 1)) return false
    }
    return true
  }
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null && !isPlainPrototype(prototype)) return false
  for (const key in value) {
    const field = (value as Record<string, unknown>)[key]
    // JSON leaves out what is undefined; reading it back gives the same.
    switch (typeof field) {
      case 'string':
      case 'boolean':
      case 'undefined':
        continue
      case 'number':
        if (isStandardNumber(field)) continue
        return false
      default:
        if (!isStandardValue(field, depth + 1)) return false
    }
  }
  return true
}

function isPlainPrototype(prototype: object): boolean {
  let plain = plainPrototypes.get(prototype)
  if (plain === undefined) {
    plain = !('toJSON' in prototype) && !(Symbol.iterator in prototype) && hasOnlyUserCode(prototype)
    plainPrototypes.set(prototype, plain)
  }
  return plain
}

/** What the Python side writes for values that JSON has no form for; see native/codec/json_encode.h. */
export function decodeJson(text: string, specials: boolean): unknown {
  const value: unknown = JSON.parse(text)
  return specials ? restore(value) : value
}

function restore(value: unknown): unknown {
  if (typeof value === 'string') return value.charCodeAt(0) === 0 ? restoreSpecial(value) : value
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) value[i] = restore(value[i])
    return value
  }
  for (const key of Object.keys(value)) {
    const field = (value as Record<string, unknown>)[key]
    if (typeof field !== 'object' && typeof field !== 'string') continue
    const restored = restore(field)
    if (restored !== field) {
      // Not by assignment: `__proto__` is a key like any other here.
      Object.defineProperty(value, key, { value: restored, writable: true, enumerable: true, configurable: true })
    }
  }
  return value
}

function restoreSpecial(text: string): unknown {
  switch (text[1]) {
    case 'N':
      return Number.NaN
    case 'I':
      return Number.POSITIVE_INFINITY
    case 'J':
      return Number.NEGATIVE_INFINITY
    case 'b':
      return BigInt(text.slice(2))
    default:
      return text.slice(1)
  }
}
