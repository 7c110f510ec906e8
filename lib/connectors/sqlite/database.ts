import type { Database } from 'better-sqlite3'
import type { StreamChecker } from '../../streams/check'
import { loadClient } from '../client'

type Constructor = typeof import('better-sqlite3')

/** Milliseconds that another connection may hold the file before that is an error, which is tried again. */
const BUSY = 2_000

/** Opens the file. A commit that is reported is on the disk. */
export async function openDatabase(file: string, readonly: boolean): Promise<Database> {
  const Sqlite = await loadClient<Constructor>('better-sqlite3', '^11.0.0 || ^12.0.0')
  const database = new Sqlite(file, { readonly, fileMustExist: true, timeout: BUSY })
  if (!readonly) {
    database.pragma('journal_mode = WAL')
    database.pragma('synchronous = FULL')
  }
  return database
}

export function checkFile(check: StreamChecker, file: unknown): void {
  if (file === undefined) check.problem("'file' is missing: the path of the database")
  else if (file === ':memory:') check.problem("'file' must be a file: a database in memory has one connection")
  else check.text('file', file)
}

/** Whether another attempt may succeed: somebody else holds the file. */
export function isPassing(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' && /^SQLITE_(BUSY|LOCKED|PROTOCOL)/.test(code)
}

/** Whether the database refused what a row has: a value, a constraint. */
export function isAboutData(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  if (typeof code !== 'string') return error instanceof TypeError || error instanceof RangeError
  return /^SQLITE_(CONSTRAINT|MISMATCH|TOOBIG|RANGE)/.test(code)
}

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** `table`, or `schema.table` of an attached database. */
export function quotedTable(table: string): string {
  return table.split('.').map(quoted).join('.')
}

/** A value as SQLite has it. */
export type Stored = null | number | bigint | string | Buffer

/** Whole numbers that a double holds are numbers, others stay bigints. */
export function fromStored(value: unknown): unknown {
  if (typeof value !== 'bigint') return value
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value
}

/** Flags are 0 and 1, dates and objects texts. */
export function toStored(value: unknown): Stored {
  switch (typeof value) {
    case 'number':
    case 'string':
    case 'bigint':
      return value
    case 'boolean':
      return value ? 1 : 0
    case 'object':
      if (value === null) return null
      if (value instanceof Date) return value.toISOString()
      if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
      return JSON.stringify(value)
    case 'undefined':
      return null
    default:
      throw new TypeError(`SQLite has nothing for a ${typeof value}`)
  }
}
