import { quoted } from './connection'

/** The values of a key: texts and bytes, and numbers as their digits. */
export type KeyValues = readonly (string | Uint8Array | { readonly number: string })[]

/** The value of a key's column. `exact`: its values are compared as exact numbers. */
export function keyValue(value: unknown, exact: boolean): KeyValues[number] {
  if (value instanceof Uint8Array) return new Uint8Array(value)
  const text = String(value)
  return exact && /^-?\d+(\.\d+)?$/.test(text) ? { number: text } : text
}

/** The condition for rows behind a key, with its parameters; `from` is a prefix of the columns. */
export function behind(
  key: readonly string[],
  after: KeyValues,
  from = '',
): { readonly where: string; readonly values: unknown[] } {
  const values: unknown[] = []
  const literal = (part: KeyValues[number]) => {
    // Digits as they are: as a text they would be compared as doubles.
    if (typeof part === 'object' && 'number' in part) return part.number
    values.push(part instanceof Uint8Array ? Buffer.from(part) : part)
    return '?'
  }
  const column = (at: number) => `${from}${quoted(key[at]!)}`
  // One column after the other, since comparisons of rows do not use an index everywhere.
  const cases = after.map((part, at) => {
    const same = after.slice(0, at).map((before, index) => `${column(index)} = ${literal(before)}`)
    return `(${[...same, `${column(at)} > ${literal(part)}`].join(' AND ')})`
  })
  return { where: `WHERE ${cases.join(' OR ')}`, values }
}
