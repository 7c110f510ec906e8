import { EncodeError } from '../errors'
import { Crossing, native } from '../native'
import type { BinaryBatch } from './binary'
import type { ColumnsSchema, ColumnType } from './columns-schema'
import { nameOf } from './typed'

/** Columns start at multiples of this many bytes. */
const ALIGNMENT = 8
const MOST_FLOAT32 = 3.4028235677973366e38

type Item = Readonly<Record<string, unknown>>

/** A field and what is known of its values; without a type only that there was none yet. */
interface Column {
  readonly name: string
  type: ColumnType | undefined
  /** The type was found out, so a number that is no int32 makes it float64. */
  readonly inferred: boolean
  /** Objects have something of this name that is no field. */
  readonly inherited: boolean
}

/** What python/rxjs_python/_columns.py reads: name, type, where the values begin, and the mask (-1: none), texts. */
type Entry = [name: string, type: ColumnType, offset: number, mask: number, values: string[] | null]

/**
 * Records as columns: a typed array for each field. Knows the fields of one handler, and so is one for each handler.
 *
 * A batch crosses as two pieces of memory: JSON that describes the columns, and the columns.
 */
export class ColumnsEncoder {
  private readonly columns: Column[] = []
  private readonly byName = new Map<string, Column>()
  private readonly open: boolean
  /** The fields of the item that was looked at last, in its order: most items have the same. */
  private fields: string[] = []

  /** @param schema all fields and their types; without it they are found out from the items */
  constructor(schema: ColumnsSchema | undefined) {
    this.open = schema === undefined
    for (const [name, type] of Object.entries(schema ?? {})) this.add(name, type)
  }

  /** @throws EncodeError for an item that is no record, or a value that its column cannot carry */
  encode(batch: readonly unknown[]): BinaryBatch {
    const known = this.columns.map(({ type }) => type)
    try {
      return this.write(batch)
    } catch (error) {
      // A batch that is not sent has settled nothing about those that come.
      for (const { name } of this.columns.splice(known.length)) this.byName.delete(name)
      for (const [i, column] of this.columns.entries()) column.type = known[i]
      this.fields = []
      throw error
    }
  }

  private write(batch: readonly unknown[]): BinaryBatch {
    for (let i = 0; i < batch.length; i++) this.look(batch[i], i)
    const items = batch as readonly Item[]
    const memory = new ColumnMemory(items.length, this.columns)
    const entries: Entry[] = []
    for (const column of this.columns) {
      column.type ??= inferType(column, items)
      // Nothing but nulls until now: Python gets a column of them, and the type stays open.
      entries.push(encodeColumn(column, column.type ?? 'float64', items, memory))
    }
    const header = Buffer.from(JSON.stringify([items.length, entries]))
    return {
      views: [header, memory.used()],
      // Nobody else has this memory, so it cannot be detached where it is not taken.
      crossings: Uint8Array.of(Crossing.Copy, native().canTake ? Crossing.Take : Crossing.Pin),
      layout: undefined,
    }
  }

  /** Sees to it that each of the item's fields has a column. */
  private look(item: unknown, index: number): void {
    if (typeof item !== 'object' || item === null || Array.isArray(item)) {
      const what = Array.isArray(item) ? 'an array' : nameOf(item)
      throw new EncodeError(`the codec 'columns' carries records, got ${what}`, { itemIndex: index })
    }
    const { fields } = this
    let count = 0
    for (const name in item) {
      if (name !== fields[count++]) {
        this.lookCloser(item as Item, index)
        return
      }
    }
    if (count !== fields.length) this.lookCloser(item as Item, index)
  }

  private lookCloser(item: Item, index: number): void {
    const fields = Object.keys(item)
    for (const name of fields) {
      if (this.byName.has(name) || item[name] === undefined) continue
      if (!this.open) {
        const known = [...this.byName.keys()].join(', ')
        throw new EncodeError(`the schema has no such field; it has ${known}`, place(index, name))
      }
      this.add(name, undefined)
    }
    // A field that has no value here may be one that has no column yet.
    this.fields = fields.every((name) => this.byName.has(name)) ? fields : []
  }

  private add(name: string, type: ColumnType | undefined): void {
    const column = { name, type, inferred: type === undefined, inherited: name in Object.prototype }
    this.columns.push(column)
    this.byName.set(name, column)
  }
}

/** The memory that all columns of a batch lie in. */
class ColumnMemory {
  readonly buffer: ArrayBuffer
  private at = 0

  constructor(
    readonly count: number,
    columns: readonly Column[],
  ) {
    let bytes = 0
    for (const { type } of columns) {
      const width = type === 'boolean' ? 1 : type === 'string' ? 4 : 8
      bytes += aligned(width * count) + aligned(count) // values and mask
    }
    this.buffer = new ArrayBuffer(bytes)
  }

  /** Where the next so many bytes begin. */
  take(bytes: number): number {
    const from = this.at
    this.at += aligned(bytes)
    return from
  }

  /** Gives back what was taken last. */
  rewind(from: number): void {
    this.at = from
  }

  used(): Uint8Array {
    return new Uint8Array(this.buffer, 0, this.at)
  }
}

/** Which of the items have no value; memory is taken only for columns that have such items. */
class Mask {
  offset = -1
  private flags: Uint8Array | undefined

  constructor(private readonly memory: ColumnMemory) {}

  set(index: number): void {
    if (this.flags === undefined) {
      this.offset = this.memory.take(this.memory.count)
      this.flags = new Uint8Array(this.memory.buffer, this.offset, this.memory.count)
    }
    this.flags[index] = 1
  }
}

function encodeColumn(column: Column, type: ColumnType, items: readonly Item[], memory: ColumnMemory): Entry {
  if (type === 'string') return encodeStrings(column, items, memory)
  const before = memory.take(0)
  const count = items.length
  const offset = memory.take(type === 'boolean' ? count : type === 'float64' ? 8 * count : 4 * count)
  const mask = new Mask(memory)
  let bad: number
  switch (type) {
    case 'float64':
      bad = writeNumbers(column, items, new Float64Array(memory.buffer, offset, count), mask, Number.POSITIVE_INFINITY)
      break
    case 'float32':
      bad = writeNumbers(column, items, new Float32Array(memory.buffer, offset, count), mask, MOST_FLOAT32)
      break
    case 'int32':
      bad = writeIntegers(column, items, new Int32Array(memory.buffer, offset, count), mask)
      break
    case 'boolean':
      bad = writeBooleans(column, items, new Uint8Array(memory.buffer, offset, count), mask)
      break
  }
  if (bad < 0) return [column.name, type, offset, mask.offset, null]
  const value = fieldOf(column, items[bad]!)
  if (type !== 'int32' || !column.inferred || typeof value !== 'number') throw misfit(column, type, value, bad)
  // Every int32 is a float64, too, so what Python had until now was the same numbers.
  column.type = 'float64'
  memory.rewind(before)
  new Uint8Array(memory.buffer, before).fill(0)
  return encodeColumn(column, 'float64', items, memory)
}

/** Like the other writers: the index of the first value that does not fit, or -1. */
function writeNumbers(
  column: Column,
  items: readonly Item[],
  out: Float64Array | Float32Array,
  mask: Mask,
  most: number,
): number {
  for (let i = 0; i < items.length; i++) {
    const value = fieldOf(column, items[i]!)
    if (typeof value === 'number') {
      // What is finite stays so; infinities are values of their own.
      if ((value >= most || value <= -most) && Number.isFinite(value)) return i
      out[i] = value
    } else if (value === null || value === undefined) mask.set(i)
    else return i
  }
  return -1
}

function writeIntegers(column: Column, items: readonly Item[], out: Int32Array, mask: Mask): number {
  for (let i = 0; i < items.length; i++) {
    const value = fieldOf(column, items[i]!)
    if (typeof value === 'number') {
      if (!isInt32(value)) return i
      out[i] = value
    } else if (value === null || value === undefined) mask.set(i)
    else return i
  }
  return -1
}

function writeBooleans(column: Column, items: readonly Item[], out: Uint8Array, mask: Mask): number {
  for (let i = 0; i < items.length; i++) {
    const value = fieldOf(column, items[i]!)
    if (typeof value === 'boolean') out[i] = value ? 1 : 0
    else if (value === null || value === undefined) mask.set(i)
    else return i
  }
  return -1
}

/** Each text once, and for each item the number of its text, or -1. */
function encodeStrings(column: Column, items: readonly Item[], memory: ColumnMemory): Entry {
  const count = items.length
  const offset = memory.take(4 * count)
  const codes = new Int32Array(memory.buffer, offset, count)
  const numbers = new Map<string, number>()
  const values: string[] = []
  for (let i = 0; i < count; i++) {
    const value = fieldOf(column, items[i]!)
    if (typeof value === 'string') {
      let code = numbers.get(value)
      if (code === undefined) {
        code = values.length
        numbers.set(value, code)
        values.push(value)
      }
      codes[i] = code
    } else if (value === null || value === undefined) codes[i] = -1
    else throw misfit(column, 'string', value, i)
  }
  return [column.name, 'string', offset, -1, values]
}

function fieldOf({ name, inherited }: Column, item: Item): unknown {
  return inherited && !Object.hasOwn(item, name) ? undefined : item[name]
}

/** The type for the values of a field that was not seen before; undefined where there are none. */
function inferType(column: Column, items: readonly Item[]): ColumnType | undefined {
  let whole = false
  for (let i = 0; i < items.length; i++) {
    const value = fieldOf(column, items[i]!)
    switch (typeof value) {
      case 'boolean':
      case 'string':
        // Other kinds of values among them are found when they are written.
        return whole ? 'int32' : (typeof value as 'boolean' | 'string')
      case 'number':
        if (!isInt32(value)) return 'float64'
        whole = true
        break
      default:
        if (value !== null && value !== undefined) throw misfit(column, undefined, value, i)
    }
  }
  return whole ? 'int32' : undefined
}

/** Not for -0, which is no integer of Python's. */
function isInt32(value: number): boolean {
  return (value | 0) === value && (value !== 0 || 1 / value > 0)
}

function misfit(column: Column, type: ColumnType | undefined, value: unknown, index: number): EncodeError {
  const got = typeof value === 'number' ? (Object.is(value, -0) ? '-0' : `the number ${value}`) : nameOf(value)
  const message =
    type === undefined
      ? `a column holds numbers, booleans or strings, got ${got}`
      : `a column of ${type} does not carry ${got}`
  const hint = column.inferred && type !== undefined ? `; the items before it made it ${type}` : ''
  return new EncodeError(message + hint, place(index, column.name))
}

function place(itemIndex: number, field: string): { itemIndex: number; path: string } {
  return { itemIndex, path: /^[A-Za-z_$][\w$]*$/.test(field) ? `.${field}` : `[${JSON.stringify(field)}]` }
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT
}
