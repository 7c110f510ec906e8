/** A column as `information_schema` has it at the moment. */
export interface Definition {
  readonly name: string
  /** The whole type: `int(11) unsigned`. */
  readonly type: string
  /** Its first word: `int`. */
  readonly kind: string
  readonly charset: string | null
  readonly collation: string | null
  /** MariaDB keeps JSON as a text, and this in a constraint. */
  readonly json: boolean
}

/** What the client knows of a column; it reads values by that. */
export interface ColumnSchema {
  COLUMN_NAME: string
  COLUMN_TYPE: string
  CHARACTER_SET_NAME: string | null
}

/** Turns a value of the log into what a query gives. */
export type Mend = (value: unknown) => unknown

/** The types that a column may have in the log. */
const WIRE: Readonly<Record<string, readonly number[]>> = {
  tinyint: [1],
  smallint: [2],
  int: [3],
  float: [4],
  double: [5],
  timestamp: [7, 17],
  bigint: [8],
  mediumint: [9],
  date: [10, 14],
  time: [11, 19],
  datetime: [12, 18],
  year: [13],
  bit: [16],
  json: [245],
  decimal: [246],
  enum: [247],
  set: [248],
}
const TEXTS = [15, 253, 141]
const FIXED = [254]
const BLOBS = [249, 250, 251, 252, 140]
for (const kind of ['varchar', 'varbinary']) Object.assign(WIRE, { [kind]: TEXTS })
for (const kind of ['char', 'binary', 'uuid', 'inet4', 'inet6']) Object.assign(WIRE, { [kind]: FIXED })
for (const size of ['tiny', '', 'medium', 'long'])
  Object.assign(WIRE, { [`${size}text`]: BLOBS, [`${size}blob`]: BLOBS })

/** Whether what is defined now is what the log has: names, and types as far as bytes are read by them. */
export function isSame(definitions: readonly Definition[], names: readonly string[], wire: readonly number[]): boolean {
  return (
    definitions.length === names.length &&
    definitions.every(({ name, kind }, at) => name === names[at] && (WIRE[kind]?.includes(wire[at]!) ?? true))
  )
}

/** A type without what says nothing of its values: how wide a number is shown, remarks. */
export function plainType(type: string): string {
  return type
    .replace(/\s*\/\*.*?\*\//g, '')
    .replace(/^((?:tiny|small|medium|big)?int|year)\(\d+\)/, '$1')
    .replace(/^(float|double)\(\d+,\d+\)/, '$1')
    .replace(/ zerofill$/, '')
}

/** What a schema is compared by: names and types, in their order. */
export function columnsText(columns: readonly { readonly name: string; readonly type: string }[]): string {
  return JSON.stringify(columns.map(({ name, type }) => [name, plainType(type)]))
}

/** The pairs in the text that `columnsText` makes. */
export function columnsOf(text: string): readonly (readonly [name: string, type: string])[] {
  return JSON.parse(text) as [string, string][]
}

/** How the client's value of a column becomes that of a query; undefined where it is that already. */
export function mendOf(type: string, isJson: boolean): Mend | undefined {
  if (isJson) return parseJson
  const kind = /^[a-z0-9]*/.exec(type)![0]
  if (kind === 'float') return shortFloat
  if (kind === 'year') return (value) => (value === 1900 ? 0 : value)
  if (kind === 'enum') return (value) => value ?? ''
  // A part of what came from the network, which would be kept as a whole.
  if (/binary|blob|bit|vector|text|char/.test(kind))
    return (value) => (value instanceof Uint8Array ? Buffer.from(value) : value)
  return undefined
}

export function parseJson(value: unknown): unknown {
  if (typeof value !== 'string') return value
  try {
    return JSON.parse(value)
  } catch {
    // A text that is none: it was there before the column was JSON.
    return value
  }
}

/** The shortest number that is this one with single precision: 0.1, not 0.10000000149011612. */
export function shortFloat(value: unknown): unknown {
  if (typeof value !== 'number') return value
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === Math.fround(value)) return short
  }
  return value
}
