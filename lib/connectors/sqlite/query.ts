import type { Database } from 'better-sqlite3'
import type { Source } from '../../jobs/sources'
import { StreamChecker } from '../../streams/check'
import { checkCommon } from '../options'
import type { Row } from '../tables/change'
import { checkQuery, type Pager, QUERY, type QueryOptions, QuerySource } from '../tables/query'
import { checkFile, fromStored, isPassing, openDatabase, quoted } from './database'

export interface SqliteQueryOptions<T = Row> extends QueryOptions<T> {
  /** The path of the database, which must be there. */
  file: string
}

/** The key of the last row. */
export type SqlitePosition = readonly unknown[]

/**
 * The rows of a query to an SQLite file, in the order of a key, a page at a time. The position is the key of the last row. Whole
 * numbers that a double does not hold are bigints.
 *
 * `batch` is the rows of a page (default 1000); SQLite reads it on the JavaScript thread.
 */
export function sqliteQuery<T = Row>(options: SqliteQueryOptions<T>): Source<T, SqlitePosition> {
  const check = new StreamChecker('sqliteQuery', options ?? {}, ['file', ...QUERY])
  checkFile(check, options?.file)
  const { query, key, poll } = checkQuery(check, options ?? {})
  const common = checkCommon<T>(check, 'sqlite', options ?? {}, { batch: 1000, maxBatch: 100_000 })
  check.done()
  const pager = new SqlitePager<T>(options.file, query, key, common.batch)
  return new QuerySource('sqlite: reading a query', pager, poll, common)
}

class SqlitePager<T> implements Pager<T, SqlitePosition> {
  private opened: { database: Database; first: Reader; next: Reader } | undefined
  private readonly first: string
  private readonly next: string

  constructor(
    private readonly file: string,
    query: string,
    private readonly key: readonly string[],
    batch: number,
  ) {
    const parts = key.map((column) => `pages.${quoted(column)}`)
    const from = `SELECT pages.* FROM (${query}\n) AS pages`
    const order = `ORDER BY ${parts.join(', ')} LIMIT ${batch}`
    this.first = `${from} ${order}`
    this.next = `${from} WHERE (${parts.join(', ')}) > (${parts.map(() => '?').join(', ')}) ${order}`
  }

  async page(after: SqlitePosition | undefined) {
    this.opened ??= await this.open()
    const { first, next } = this.opened
    const rows = after === undefined ? first([]) : next(after)
    const { key } = this
    const found: (readonly [T, SqlitePosition])[] = []
    const only = key[0]!
    // Most keys have one column, and a list of them costs as much as the row itself.
    if (key.length === 1) for (const row of rows) found.push([row as T, [row[only]]])
    else for (const row of rows) found.push([row as T, key.map((column) => row[column])])
    return found
  }

  isPassing(error: unknown): boolean {
    return isPassing(error)
  }

  close(): void {
    this.opened?.database.close()
    this.opened = undefined
  }

  private async open() {
    const database = await openDatabase(this.file, true)
    try {
      return { database, first: reader(database, this.first), next: reader(database, this.next) }
    } catch (error) {
      database.close()
      throw error
    }
  }
}

type Reader = (values: readonly unknown[]) => Record<string, unknown>[]

/** Rows with their whole numbers as they are: bigints cost twice the time, so they are asked for only where they may be needed. */
function reader(database: Database, text: string): Reader {
  // As lists: objects that SQLite's client makes take longer, to make and to read.
  const quick = database.prepare(text).raw()
  const exact = database.prepare(text).raw().safeIntegers()
  return (values) => {
    const rows = quick.all(...values) as unknown[][]
    // Each time: somebody may have changed the table.
    const names = quick.columns().map(({ name }) => name)
    if (!rows.some(hasLarge)) return rows.map((row) => named(names, row))
    const again = exact.all(...values) as unknown[][]
    return again.map((row) => named(names, row.map(fromStored)))
  }
}

function named(names: readonly string[], values: readonly unknown[]): Record<string, unknown> {
  const row: Record<string, unknown> = {}
  for (let at = 0; at < names.length; at++) row[names[at]!] = values[at]
  return row
}

/** Whether one of the values may have been a whole number that a double does not hold. */
function hasLarge(values: readonly unknown[]): boolean {
  for (let at = 0; at < values.length; at++) {
    const value = values[at]
    if (typeof value === 'number' && (value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER)) return true
  }
  return false
}
