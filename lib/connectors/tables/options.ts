import type { StreamChecker } from '../../streams/check'
import type { RowOperation } from './change'

/** What the sinks of all databases take. */
export interface TableSinkOptions<T> {
  /** The table: `orders` or `sales.orders`. It must be there, with a unique key. */
  table: string
  /** The columns of the unique key. */
  key: string | readonly string[]
  /** What a value does to the table (default: it is a row, and takes the place of the one with its key). */
  to?: (value: T) => RowOperation | readonly RowOperation[]
  /**
   * `'exactly-once'` (the default): an epoch's rows wait in a table beside, and are seen in `table` when its checkpoint is
   * safe. `'at-least-once'`: they go to `table` at once, and may come again after a crash, which changes nothing where
   * the same key gets the same row.
   */
  delivery?: 'exactly-once' | 'at-least-once'
  /** What the sink is known by in the database, one for each job and sink; needed with `'exactly-once'`. */
  name?: string
}

export const TABLE_SINK = ['table', 'key', 'to', 'delivery', 'name'] as const

export interface CompleteTableSink<T> {
  readonly table: string
  readonly key: readonly string[]
  readonly to: (value: T) => RowOperation | readonly RowOperation[]
  readonly exactly: boolean
  readonly name: string
}

export function checkTableSink<T>(check: StreamChecker, options: TableSinkOptions<T>): CompleteTableSink<T> {
  const table = checkTable(check, 'table', options.table)
  const key = checkKey(check, options.key)
  check.fn('to', options.to)
  const delivery = check.oneOf('delivery', options.delivery, ['exactly-once', 'at-least-once'])
  const exactly = delivery !== 'at-least-once'
  const name = check.text('name', options.name)
  if (options.name === undefined && exactly) {
    check.problem("'name' is missing: what the sink is known by in the database, one for each job and sink")
  }
  if (name !== undefined && name.length > 100) check.problem("'name' must have at most 100 characters", name)
  return { table, key, to: options.to ?? ((row) => ({ upsert: row as never })), exactly, name: name ?? '' }
}

export function checkKey(check: StreamChecker, key: unknown): readonly string[] {
  const list = typeof key === 'string' ? [key] : key
  if (list === undefined) check.problem("'key' is missing: a column, or a list of columns")
  else if (!Array.isArray(list) || list.length === 0 || !list.every((one) => typeof one === 'string' && one !== '')) {
    check.problem("'key' must be a column, or a list of columns", key)
  } else if (new Set(list).size !== list.length) check.problem("'key' has a column twice", key)
  else return [...(list as string[])]
  return []
}

/** `table` or `schema.table`. */
export function checkTable(check: StreamChecker, what: string, table: unknown): string {
  if (typeof table === 'string' && /^[^.\0]+(\.[^.\0]+)?$/.test(table)) return table
  if (table === undefined) check.problem(`'${what}' is missing`)
  else check.problem(`'${what}' must be 'table' or 'schema.table'`, table)
  return ''
}

/** A table that a source of changes is to follow. */
export interface WantedTable {
  /** `schema.table`. */
  readonly table: string
  /** Where it has no primary key, or another one is to be used. */
  readonly key: readonly string[] | undefined
}

/** The option `tables`; `schema` is that of tables without one. Where there is none, all must say theirs. */
export function checkTables(check: StreamChecker, tables: unknown, schema: string | undefined): WantedTable[] {
  if (!Array.isArray(tables) || tables.length === 0) {
    check.problem("'tables' must be a list of tables", tables)
    return []
  }
  const wanted = tables.map((one: unknown, at): WantedTable => {
    const named = typeof one === 'object' && one !== null ? (one as { name?: unknown; key?: unknown }) : undefined
    const table = checkTable(check, `tables[${at}]`, named === undefined ? one : named.name)
    if (schema === undefined && table !== '' && !table.includes('.')) {
      check.problem(`'tables[${at}]' must be 'schema.table', since 'connection' says no database`, table)
    }
    const whole = table.includes('.') ? table : `${schema}.${table}`
    return { table: whole, key: named === undefined ? undefined : checkKey(check, named.key) }
  })
  if (new Set(wanted.map(({ table }) => table)).size < wanted.length)
    check.problem("'tables' has a table twice", tables)
  return wanted
}
