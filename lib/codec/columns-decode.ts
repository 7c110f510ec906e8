type Values = ArrayLike<unknown>
type NumberArrayClass = new (buffer: ArrayBufferLike, offset: number, length: number) => ArrayLike<number | bigint>

/** What python/rxjs_python/_columns.py writes: name (null: the results are the values), type, whether a mask follows, texts. */
type Entry = [name: string | null, type: string, masked: boolean, texts: string[] | null]

const CLASSES: Readonly<Record<string, NumberArrayClass>> = {
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  float32: Float32Array,
  float64: Float64Array,
  boolean: Uint8Array,
  string: Int32Array,
}

/**
 * The results of a handler of codec `columns`: records made of its columns, or what is no columns as it is.
 *
 * @param results the decoded result: for columns the pieces of memory that Python sent
 */
export function decodeColumns(results: unknown): unknown {
  const parts = results as readonly unknown[]
  return parts[0] instanceof Uint8Array ? recordsOf(parts as readonly Uint8Array[]) : results
}

function recordsOf(parts: readonly Uint8Array[]): unknown[] {
  const header = parts[0]!
  const text = Buffer.from(header.buffer, header.byteOffset, header.byteLength).toString('latin1')
  const [count, entries] = JSON.parse(text) as [number, Entry[]]
  const names: string[] = []
  const columns: Values[] = []
  let next = 1
  for (const [name, type, masked, texts] of entries) {
    const raw = arrayOf(type, parts[next++]!, count)
    const mask = masked ? parts[next++] : undefined
    const values = valuesOf(type, raw, mask, texts)
    if (name === null) return Array.from(values)
    names.push(name)
    columns.push(values)
  }
  return rowsOf(count, names, columns)
}

function arrayOf(type: string, bytes: Uint8Array, count: number): ArrayLike<number | bigint> {
  const Class = CLASSES[type]!
  const width = bytes.byteLength / Math.max(1, count)
  // Memory of Python's may begin anywhere.
  const aligned = bytes.byteOffset % Math.max(1, width) === 0 ? bytes : new Uint8Array(bytes)
  return new Class(aligned.buffer, aligned.byteOffset, count)
}

/** What JavaScript sees of a column. Integers are numbers where numbers are exact, as with the codec `json`. */
function valuesOf(
  type: string,
  raw: ArrayLike<number | bigint>,
  mask: Uint8Array | undefined,
  texts: string[] | null,
): Values {
  const { length } = raw
  const values: unknown[] = new Array(length)
  switch (type) {
    case 'string':
      for (let i = 0; i < length; i++) {
        const code = raw[i] as number
        values[i] = code < 0 ? null : texts![code]
      }
      return values
    case 'boolean':
      for (let i = 0; i < length; i++) values[i] = raw[i] !== 0
      break
    case 'int64':
    case 'uint64':
      for (let i = 0; i < length; i++) {
        const value = Number(raw[i])
        values[i] = Number.isSafeInteger(value) ? value : raw[i]
      }
      break
    default:
      if (mask === undefined) return raw
      for (let i = 0; i < length; i++) values[i] = raw[i]
  }
  if (mask !== undefined) {
    for (let i = 0; i < length; i++) if (mask[i] !== 0) values[i] = null
  }
  return values
}

function rowsOf(count: number, names: readonly string[], columns: readonly Values[]): unknown[] {
  const rows: unknown[] = new Array(count)
  const special = names.includes('__proto__')
  for (let i = 0; i < count; i++) {
    const row: Record<string, unknown> = {}
    for (let c = 0; c < names.length; c++) {
      if (special && names[c] === '__proto__') {
        // Not by assignment: it is a field like any other here.
        Object.defineProperty(row, '__proto__', {
          value: columns[c]![i],
          writable: true,
          enumerable: true,
          configurable: true,
        })
      } else row[names[c]!] = columns[c]![i]
    }
    rows[i] = row
  }
  return rows
}
