import type { RecordCodec } from '../codec'

/** An entry of a stream as it comes off the wire; without fields where it was trimmed before anybody read it. */
export type RawEntry = readonly [id: Buffer, fields: readonly Buffer[] | null]

/** How entries and values become each other. */
export interface EntryFormat<T> {
  decode(fields: readonly Buffer[]): T
  encode(value: T): (string | Buffer)[]
}

/** A value is what one field holds; with `null`, all fields, as an object of texts. */
export function entryFormat<T>(field: string | null, codec: RecordCodec<T>): EntryFormat<T> {
  if (field === null) return ALL_FIELDS as unknown as EntryFormat<T>
  const name = Buffer.from(field)
  return {
    decode(fields) {
      for (let at = 0; at < fields.length; at += 2) {
        if (name.equals(fields[at]!)) return codec.decode(fields[at + 1]!)
      }
      throw new TypeError(`the entry has no field '${field}'`)
    },
    encode(value) {
      const data = codec.encode(value)
      return [field, typeof data === 'string' ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength)]
    },
  }
}

const ALL_FIELDS: EntryFormat<Record<string, string>> = {
  decode(fields) {
    const value: Record<string, string> = {}
    for (let at = 0; at < fields.length; at += 2) value[fields[at]!.toString()] = fields[at + 1]!.toString()
    return value
  },
  encode(value) {
    const fields = Object.entries(value).flatMap(([name, one]) => [name, String(one)])
    if (fields.length === 0) throw new TypeError('an entry must have a field')
    return fields
  },
}

/** Ids are two numbers: the order is theirs. */
export function compareIds(a: string, b: string): number {
  // Nearly all ids are of one length, and then the order of texts is that of numbers.
  if (a.length === b.length && a.indexOf('-') === b.indexOf('-')) return a < b ? -1 : a > b ? 1 : 0
  const [aTime = '', aNumber = ''] = a.split('-')
  const [bTime = '', bNumber = ''] = b.split('-')
  const byTime = BigInt(aTime) - BigInt(bTime)
  const difference = byTime === 0n ? BigInt(aNumber || 0) - BigInt(bNumber || 0) : byTime
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}
