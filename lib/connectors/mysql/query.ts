import type { Connection, FieldPacket, RowDataPacket } from 'mysql2/promise'
import type { Source } from '../../jobs/sources'
import { StreamChecker } from '../../streams/check'
import { checkCommon } from '../options'
import type { Row } from '../tables/change'
import { checkQuery, type Pager, QUERY, type QueryOptions, QuerySource } from '../tables/query'
import { Connections, checkConnection, isPassing, type MysqlConnection, quoted } from './connection'
import { behind, type KeyValues, keyValue } from './keys'

export interface MysqlQueryOptions<T = Row> extends QueryOptions<T> {
  connection: MysqlConnection
}

/** The key of the last row: texts and bytes, and numbers as their digits. */
export type MysqlPosition = KeyValues

/** Types of columns whose values are compared as exact numbers (DECIMAL, INT and its like, BIGINT, NEWDECIMAL). */
const EXACT = new Set([0, 1, 2, 3, 8, 9, 13, 246])

/**
 * The rows of a query to MySQL or MariaDB, in the order of a key, a page at a time. The position is the key of the last row.
 * Dates, times and decimals are texts; so are whole numbers that a double does not hold.
 *
 * `batch` is the rows of a page (default 1000).
 */
export function mysqlQuery<T = Row>(options: MysqlQueryOptions<T>): Source<T, MysqlPosition> {
  const check = new StreamChecker('mysqlQuery', options ?? {}, ['connection', ...QUERY])
  checkConnection(check, options?.connection)
  const { query, key, poll } = checkQuery(check, options ?? {})
  const common = checkCommon<T>(check, 'mysql', options ?? {}, { batch: 1000, maxBatch: 100_000 })
  check.done()
  const connections = new Connections(options.connection, common.secrets)
  const pager = new MysqlPager<T>(connections, query, key, common.batch)
  return new QuerySource('mysql: reading a query', pager, poll, common)
}

class MysqlPager<T> implements Pager<T, MysqlPosition> {
  private connection: Connection | undefined
  private readonly from: string
  private readonly order: string

  constructor(
    private readonly connections: Connections,
    query: string,
    private readonly key: readonly string[],
    batch: number,
  ) {
    this.from = `SELECT pages.* FROM (${query}\n) AS pages`
    this.order = `ORDER BY ${key.map((column) => `pages.${quoted(column)}`).join(', ')} LIMIT ${batch}`
  }

  async page(after: MysqlPosition | undefined) {
    this.connection ??= await this.connections.connect()
    const { connection, key } = this
    try {
      const { where, values } = after === undefined ? { where: '', values: [] } : behind(key, after, 'pages.')
      const [rows, fields] = await connection.query<RowDataPacket[]>(`${this.from} ${where} ${this.order}`, values)
      const exact = key.map((name) => EXACT.has(typeOf(fields, name)))
      return rows.map((row) => [row as T, positionOf(row, key, exact)] as const)
    } catch (error) {
      if (this.connection === connection) this.connection = undefined
      this.connections.drop(connection)
      throw this.connections.safe(error)
    }
  }

  isPassing(error: unknown): boolean {
    return isPassing(error)
  }

  async close(): Promise<void> {
    this.connection = undefined
    this.connections.cut()
  }
}

function typeOf(fields: readonly FieldPacket[], name: string): number {
  const field = fields.find((one) => one.name === name) as { columnType?: number; type?: number } | undefined
  return field?.columnType ?? field?.type ?? -1
}

function positionOf(row: RowDataPacket, key: readonly string[], exact: readonly boolean[]): MysqlPosition {
  return key.map((name, at) => keyValue(row[name], exact[at]!))
}
