import type { Client } from 'pg'
import type { Source } from '../../jobs/sources'
import { StreamChecker } from '../../streams/check'
import { checkCommon } from '../options'
import type { Row } from '../tables/change'
import { checkQuery, type KeyPosition, type Pager, QUERY, type QueryOptions, QuerySource } from '../tables/query'
import { Connections, checkConnection, isPassing, type PostgresConnection, quoted } from './connection'
import { type ParseValue, rowBehind, typesBehind, valueParser } from './types'

export interface PostgresQueryOptions<T = Row> extends QueryOptions<T> {
  connection: PostgresConnection
  /** How the text of a type becomes a value, by its number; undefined: as `pg` does it, dates and times as texts. */
  types?: (oid: number) => ((text: string) => unknown) | undefined
}

/**
 * The rows of a query to PostgreSQL, in the order of a key, a page at a time. The position is the key of the last row.
 *
 * `batch` is the rows of a page (default 1000).
 */
export function postgresQuery<T = Row>(options: PostgresQueryOptions<T>): Source<T, KeyPosition> {
  const check = new StreamChecker('postgresQuery', options ?? {}, ['connection', 'types', ...QUERY])
  checkConnection(check, options?.connection)
  check.fn('types', options?.types)
  const { query, key, poll } = checkQuery(check, options ?? {})
  const common = checkCommon<T>(check, 'postgres', options ?? {}, { batch: 1000, maxBatch: 100_000 })
  check.done()
  const connections = new Connections(options.connection, common.secrets)
  const pager = new PostgresPager<T>(connections, query, key, common.batch, options.types)
  return new QuerySource('postgres: reading a query', pager, poll, common)
}

class PostgresPager<T> implements Pager<T> {
  private client: Client | undefined
  private parserOf: ParseValue | undefined
  private readonly first: string
  private readonly next: string
  /** So many columns before those of the row are the key, as texts. */
  private readonly parts: number

  constructor(
    private readonly connections: Connections,
    query: string,
    key: readonly string[],
    batch: number,
    private readonly types: PostgresQueryOptions['types'],
  ) {
    const parts = key.map((column) => `rows.${quoted(column)}`)
    const texts = parts.map((part) => `${part}::text`).join(', ')
    const from = `SELECT ${texts}, rows.* FROM (${query}\n) AS rows`
    const order = `ORDER BY ${parts.join(', ')} LIMIT ${batch}`
    this.parts = key.length
    this.first = `${from} ${order}`
    this.next = `${from} WHERE (${parts.join(', ')}) > (${parts.map((_, at) => `$${at + 1}`).join(', ')}) ${order}`
  }

  async page(after: KeyPosition | undefined) {
    this.client ??= await this.connections.connect()
    const { client, parts } = this
    try {
      this.parserOf ??= await valueParser(this.types)
      const { parserOf } = this
      const text = after === undefined ? this.first : this.next
      const { rows, fields } = await client.query<unknown[]>({
        text,
        values: [...(after ?? [])],
        rowMode: 'array',
        types: typesBehind(parts, parserOf),
      })
      const names = fields.slice(parts).map(({ name }) => name)
      return rows.map((values) => [rowBehind<T>(parts, names, values), values.slice(0, parts) as string[]] as const)
    } catch (error) {
      if (this.client === client) this.client = undefined
      await this.connections.end(client)
      throw this.connections.safe(error)
    }
  }

  isPassing(error: unknown): boolean {
    return isPassing(error)
  }

  close(): void {
    this.client = undefined
    this.connections.cut()
  }
}
