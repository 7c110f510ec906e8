import type { Row, RowOperation } from './change'

/** What one batch does to a table: first `truncate`, then `deletes`, then `upserts`; no key is in it twice. */
export interface RowBatch {
  readonly truncate: boolean
  readonly deletes: readonly Row[]
  readonly upserts: readonly Row[]
  /** The columns of every row in `upserts`. */
  readonly columns: readonly string[]
}

/** Whether a database carries it out by one statement, which needs no transaction around it. */
export function isOneStatement(batch: {
  readonly truncate: boolean
  readonly deletes: { readonly length: number }
  readonly upserts: { readonly length: number }
}): boolean {
  const { truncate, deletes, upserts } = batch
  return Number(truncate) + Number(deletes.length > 0) + Number(upserts.length > 0) === 1
}

/**
 * Collects operations for one statement each. Of several operations on a key the last one counts, so that the statement
 * need not do them one after the other.
 */
export class BatchBuilder {
  private rows = new Map<string, { readonly row: Row; readonly gone: boolean }>()
  private columns: readonly string[] = []
  private truncate = false

  /** `full` takes a batch to which nothing can be added. */
  constructor(
    private readonly key: readonly string[],
    private readonly limit: number,
    private readonly full: (batch: RowBatch) => void,
  ) {}

  /** @throws TypeError where a row lacks its key */
  add(operation: RowOperation): void {
    if ('truncate' in operation) {
      this.rows.clear()
      this.truncate = true
    } else if ('delete' in operation) {
      this.rows.set(this.keyOf(operation.delete), { row: operation.delete, gone: true })
    } else {
      const { upsert, old } = operation
      const key = this.keyOf(upsert)
      this.demandColumns(upsert)
      if (old) this.leave(old, key)
      // Anew at the end: the order of a map is that of the first time.
      this.rows.delete(key)
      this.rows.set(key, { row: upsert, gone: false })
    }
    if (this.rows.size >= this.limit) this.cut()
  }

  /** Gives what is there to `full`. */
  cut(): void {
    const { rows, truncate } = this
    if (rows.size === 0 && !truncate) return
    const deletes: Row[] = []
    const upserts: Row[] = []
    for (const { row, gone } of rows.values()) (gone ? deletes : upserts).push(row)
    const { columns } = this
    this.rows = new Map()
    this.columns = []
    this.truncate = false
    this.full({ truncate, deletes, upserts, columns })
  }

  private leave(old: Row, key: string): void {
    for (const column of this.key) if (old[column] === undefined) return
    const before = this.keyOf(old)
    if (before !== key) this.rows.set(before, { row: old, gone: true })
  }

  private keyOf(row: Row): string {
    const { key } = this
    if (key.length === 1) return textOf(row[key[0]!], key[0]!)
    return JSON.stringify(key.map((column) => textOf(row[column], column)))
  }

  /** A statement has one list of columns: rows with others begin a new batch. */
  private demandColumns(row: Row): void {
    const { columns } = this
    let count = 0
    let same = true
    for (const column in row) {
      const value = row[column]
      if (value === undefined) continue
      if (typeof value === 'function' || typeof value === 'symbol') {
        throw new TypeError(`'${column}' is a ${typeof value}, which no database has anything for`)
      }
      same &&= columns[count] === column
      count++
    }
    if (same && count === columns.length) return
    const own = Object.keys(row).filter((column) => row[column] !== undefined)
    if (columns.length === own.length && own.every((column) => columns.includes(column))) return
    if (columns.length > 0) this.cut()
    this.columns = own
  }
}

function textOf(value: unknown, column: string): string {
  if (typeof value === 'string') return value
  if (value === undefined || value === null) throw new TypeError(`the row has no '${column}', which is part of the key`)
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  return String(value)
}
