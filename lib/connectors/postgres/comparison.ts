import type { Client } from 'pg'
import { partOf } from '../tables/parts'
import type { Connections } from './connection'
import { lsnOf, type ReadRange } from './position'
import type { KeyColumn, KnownTable } from './setup'
import { castsOf } from './snapshot'

const WHOLE = new Set(['smallint', 'integer', 'bigint'])

/** Which part of a table a key is in. Whole numbers and UUIDs are compared here; of all else the database alone knows the order. */
export class Comparison {
  private client: Client | undefined

  constructor(private readonly connections: Connections) {}

  /** Whether the rows that were read already show what was committed at `commit` to the row with this key. */
  readonly isShown = async (
    ranges: readonly ReadRange[],
    table: KnownTable,
    key: readonly string[],
    commit: bigint,
  ): Promise<boolean> => {
    const part = await partOf(ranges, table.table, (upTo: readonly string[]) => this.isUpTo(table, key, upTo))
    return part !== undefined && commit < lsnOf(part.lsn)
  }

  async close(): Promise<void> {
    await this.connections.end(this.client)
  }

  private isUpTo({ key }: KnownTable, values: readonly string[], upTo: readonly string[]): boolean | Promise<boolean> {
    for (let at = 0; at < key.length; at++) {
      const order = orderOf(key[at]!, values[at]!, upTo[at]!)
      if (order === undefined) return this.ask(key, values, upTo)
      if (order !== 0) return order < 0
    }
    return true
  }

  private async ask(key: readonly KeyColumn[], values: readonly string[], upTo: readonly string[]): Promise<boolean> {
    this.client ??= await this.connections.connect()
    const { rows } = await this.client.query<{ is: boolean }>({
      name: `rxjs-python ${key.map(({ type }) => type).join()}`,
      text: `SELECT (${castsOf(key, 1)}) <= (${castsOf(key, key.length + 1)}) AS is`,
      values: [...values, ...upTo],
    })
    return rows[0]!.is
  }
}

/** Negative, 0 or positive; undefined where only the database knows. */
function orderOf({ type }: KeyColumn, a: string, b: string): number | undefined {
  if (a === b) return 0
  if (WHOLE.has(type)) return BigInt(a) < BigInt(b) ? -1 : 1
  if (type === 'uuid') return a < b ? -1 : 1
  return undefined
}
