import type { Client } from 'pg'
import { DatabaseError } from '../../errors'
import type { Source } from '../../jobs/sources'
import { StreamChecker } from '../../streams/check'
import { checkCommon } from '../options'
import type { Row } from '../tables/change'
import { checkQuery, type KeyPosition, type Pager, QUERY, type QueryOptions, QuerySource } from '../tables/query'
import { Connections, checkConnection, isPassing, type PostgresConnection, quoted } from './connection'
import { type ParseValue, typesKeeping, valueParser } from './types'

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

const NULL_KEY =
  "postgres: a row of the query has null in its key, which no page can begin behind: choose other columns as 'key'"

class PostgresPager<T> implements Pager<T> {
  private client: Client | undefined
  private parserOf: ParseValue | undefined
  private readonly first: string
  private readonly next: string
  private readonly none: string
  /** Where the parts of the key are among the columns of the result; known by `client`. */
  private places: readonly number[] | undefined

  constructor(
    private readonly connections: Connections,
    query: string,
    private readonly key: readonly string[],
    batch: number,
    private readonly types: PostgresQueryOptions['types'],
  ) {
    const parts = key.map((column) => `rows.${quoted(column)}`)
    const from = `SELECT rows.* FROM (${query}\n) AS rows`
    const order = `ORDER BY ${parts.join(', ')} LIMIT ${batch}`
    this.none = `${from} LIMIT 0`
    this.first = `${from} ${order}`
    this.next = `${from} WHERE (${parts.join(', ')}) > (${parts.map((_, at) => `$${at + 1}`).join(', ')}) ${order}`
  }

  async page(after: KeyPosition | undefined) {
    this.client ??= await this.connections.connect()
    const { client } = this
    try {
      this.parserOf ??= await valueParser(this.types)
      this.places ??= await this.placesOf(client)
      const { types, texts } = typesKeeping(this.places, this.parserOf)
      const text = after === undefined ? this.first : this.next
      const { rows } = await client.query({ text, values: [...(after ?? [])], types })
      // The key as the database writes it: no value that JavaScript has would do for all types.
      if (texts.some(({ length }) => length < rows.length)) throw new DatabaseError('ERR_DATABASE_SETUP', NULL_KEY)
      return rows.map((row, at) => [row as T, texts.map((column) => column[at]!)] as const)
    } catch (error) {
      if (this.client === client) this.client = undefined
      await this.connections.end(client)
      throw this.connections.safe(error)
    }
  }

  private async placesOf(client: Client): Promise<readonly number[]> {
    const { fields } = await client.query(this.none)
    return this.key.map((column) => fields.findLastIndex(({ name }) => name === column))
  }

  isPassing(error: unknown): boolean {
    return isPassing(error)
  }

  close(): void {
    this.client = undefined
    this.connections.cut()
  }
}
