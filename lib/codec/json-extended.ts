import { types } from 'node:util'
import { EncodeError } from '../errors'
import { hasOnlyUserCode } from './plain'
import { nameOf } from './typed'

const MAX_DEPTH = 512

/**
 * JSON with tokens for what JavaScript has and JSON has not: NaN, Infinity, -Infinity, -0.0, and BigInts as digits with
 * an `n`. Whole numbers that a double holds only roughly are written as floats, since Python would take their digits
 * for exact. What cannot be carried is an error that says where it is; nothing is left out silently but properties that
 * are undefined.
 */
export function writeExtended(batch: readonly unknown[]): string {
  const items: string[] = []
  for (let i = 0; i < batch.length; i++) {
    const writer = new Writer(i)
    items.push(writer.write(batch[i], '', 0))
  }
  return `[${items.join(',')}]`
}

/**
 * The seed of a scan, as the Python side's Host reads it: a BigInt is the only number with a capital E.
 *
 * @throws EncodeError
 */
export function writeSeed(seed: unknown): string {
  return new Writer(undefined, 'E0').write(seed, '', 0)
}

class Writer {
  /** `bigint` is what stands behind the digits of a BigInt. */
  constructor(
    private readonly itemIndex: number | undefined,
    private readonly bigint = 'n',
  ) {}

  write(value: unknown, path: string, depth: number): string {
    switch (typeof value) {
      case 'string':
        return JSON.stringify(value)
      case 'boolean':
        return value ? 'true' : 'false'
      case 'number':
        return numberToken(value)
      case 'bigint':
        return `${value}${this.bigint}`
      case 'object':
        return value === null ? 'null' : this.writeObject(value, path, depth)
      case 'undefined':
        throw this.refuse('undefined', 'use null, or leave it out', path)
      default:
        throw this.refuse(`a ${typeof value}`, 'Python has nothing for it', path)
    }
  }

  private writeObject(value: object, path: string, depth: number): string {
    if (depth >= MAX_DEPTH) {
      throw new EncodeError(`nested deeper than ${MAX_DEPTH} levels, or in a circle`, this.place(shorten(path)))
    }
    if (value instanceof Number || value instanceof String || value instanceof Boolean || types.isBigIntObject(value)) {
      return this.write(value.valueOf(), path, depth)
    }
    if (types.isDate(value) && Number.isNaN(value.getTime())) throw this.refuse('an invalid Date', 'use null', path)
    const convert = (value as { toJSON?: unknown }).toJSON
    if (typeof convert === 'function' && !ArrayBuffer.isView(value)) {
      return this.write(convert.call(value, ''), path, depth + 1)
    }
    if (Array.isArray(value)) {
      const items: string[] = []
      for (let i = 0; i < value.length; i++) items.push(this.write(value[i], `${path}[${i}]`, depth + 1))
      return `[${items.join(',')}]`
    }
    this.refuseBuiltIn(value, path)
    const keys = Object.keys(value)
    if (keys.length === 0) this.refuseHidden(value, path)
    const fields: string[] = []
    for (const key of keys) {
      const field = (value as Record<string, unknown>)[key]
      if (field === undefined) continue
      fields.push(`${JSON.stringify(key)}:${this.write(field, pathOf(path, key), depth + 1)}`)
    }
    return `{${fields.join(',')}}`
  }

  /** JSON.stringify makes `{}` of these. */
  private refuseBuiltIn(value: object, path: string): void {
    if (types.isMap(value)) throw this.refuse('a Map', 'use Object.fromEntries(map)', path)
    if (types.isSet(value)) throw this.refuse('a Set', 'use [...set]', path)
    if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) {
      throw this.refuse('binary data', "use Array.from(data), or the codec 'buffer' or 'array'", path)
    }
    if (types.isPromise(value)) throw this.refuse('a Promise', 'await it first', path)
    if (types.isRegExp(value)) throw this.refuse('a RegExp', 'use its source', path)
    if (types.isNativeError(value)) throw this.refuse('an Error', 'use its message', path)
    if (types.isWeakMap(value) || types.isWeakSet(value)) throw this.refuse('a weak collection', 'list its keys', path)
    if (types.isSymbolObject(value)) throw this.refuse('a symbol', 'Python has nothing for it', path)
  }

  /** An object without properties that has something inside all the same. */
  private refuseHidden(value: object, path: string): void {
    const name = value.constructor?.name || 'object'
    if (Symbol.iterator in value) throw this.refuse(`an iterable (${name})`, 'use [...value]', path)
    const prototype = Object.getPrototypeOf(value)
    if (prototype !== null && !hasOnlyUserCode(prototype)) throw this.refuse(nameOf(value), 'use its data', path)
  }

  private refuse(what: string, advice: string, path: string): EncodeError {
    const where = this.itemIndex === undefined ? `in the seed${path && `, at ${path}`}: ` : ''
    return new EncodeError(`${where}${what} cannot go to Python as JSON: ${advice}`, this.place(path))
  }

  private place(path: string) {
    return { itemIndex: this.itemIndex, path }
  }
}

function numberToken(value: number): string {
  if (Object.is(value, -0)) return '-0.0'
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity'
  const text = String(value)
  return Number.isInteger(value) && !Number.isSafeInteger(value) && !text.includes('e') ? `${text}.0` : text
}

function pathOf(path: string, key: string): string {
  return /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`
}

function shorten(path: string): string {
  return path.length > 80 ? `${path.slice(0, 80)}…` : path
}
