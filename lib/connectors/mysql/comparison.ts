import type { Connection, RowDataPacket } from 'mysql2/promise'
import type { Row } from '../tables/change'
import { partOf } from '../tables/parts'
import type { Definition } from './columns'
import type { Connections } from './connection'
import { type KeyValues, keyValue } from './keys'
import { isBefore, type LogPlace, type MysqlReadRange } from './position'
import type { KnownTable } from './setup'

const WHOLE = /int$|^year$/
/** Texts of these are in the order of their values. */
const DATES = /^(date|datetime|timestamp)$/
const EXACT = /int$|^year$|^decimal$/

/** Which part of a table a row is in. Whole numbers, dates and bytes are compared here; of all else the database alone knows the order. */
export class Comparison {
  private connection: Promise<Connection> | undefined

  constructor(private readonly connections: Connections) {}

  /** Whether the rows that were read already show what a transaction that begins at `place` did to this row. */
  readonly isShown = async (
    ranges: readonly MysqlReadRange[],
    { table, key }: KnownTable,
    row: Row,
    place: LogPlace,
  ): Promise<boolean> => {
    const values = key.map(({ name, kind }) => keyValue(row[name], EXACT.test(kind)))
    const part = await partOf(ranges, table, (upTo: KeyValues) => this.isUpTo(key, values, upTo))
    return part !== undefined && isBefore(place, part.log)
  }

  async close(): Promise<void> {
    await this.connections.end(await this.connection?.catch(() => undefined))
  }

  private isUpTo(key: readonly Definition[], values: KeyValues, upTo: KeyValues): boolean | Promise<boolean> {
    for (let at = 0; at < key.length; at++) {
      const order = orderOf(key[at]!.kind, values[at]!, upTo[at]!)
      if (order === undefined) return this.ask(key, values, upTo)
      if (order !== 0) return order < 0
    }
    return true
  }

  private async ask(key: readonly Definition[], values: KeyValues, upTo: KeyValues): Promise<boolean> {
    this.connection ??= this.connections.connect()
    const parameters: unknown[] = []
    const list = (parts: KeyValues) => parts.map((part, at) => literal(key[at]!, part, parameters)).join(', ')
    const sql = `SELECT (${list(values)}) <= (${list(upTo)}) AS \`is\``
    const [[answer]] = await (await this.connection).query<RowDataPacket[]>(sql, parameters)
    return answer!.is === 1
  }
}

/** A value as one of its column: the server compares those as it does in the order of the key. */
function literal({ kind, charset, collation }: Definition, part: KeyValues[number], parameters: unknown[]): string {
  if (typeof part === 'object' && 'number' in part) return part.number
  parameters.push(part instanceof Uint8Array ? Buffer.from(part) : part)
  if (charset !== null && collation !== null) return `CONVERT(? USING ${charset}) COLLATE ${collation}`
  if (/^(uuid|inet)/.test(kind)) return `CAST(? AS ${kind})`
  return kind === 'time' ? 'CAST(? AS TIME(6))' : '?'
}

/** Negative, 0 or positive; undefined where only the database knows. */
function orderOf(kind: string, a: KeyValues[number], b: KeyValues[number]): number | undefined {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b)
  if (typeof a === 'string' && typeof b === 'string') {
    if (a === b) return 0
    return DATES.test(kind) ? (a < b ? -1 : 1) : undefined
  }
  if (WHOLE.test(kind) && typeof a === 'object' && 'number' in a && typeof b === 'object' && 'number' in b) {
    const [x, y] = [BigInt(a.number), BigInt(b.number)]
    return x === y ? 0 : x < y ? -1 : 1
  }
  return undefined
}
