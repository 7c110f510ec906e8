import { deserialize, serialize } from 'node:v8'
import type { Database, Statement } from 'better-sqlite3'
import { DatabaseError } from '../../errors'
import { anySignal } from '../options'
import { Backoff, type Retry, retrying } from '../retry'
import type { RowBatch } from '../tables/batch'
import type { EpochToken, Refused, TableStore } from '../tables/sink'
import { rowOf, rowsOf, StageMemory, type StoredBatch, stored } from '../tables/stored'
import { isAboutData, isPassing, openDatabase, quoted, quotedTable, type Stored, toStored } from './database'

/** Rows in a statement; more of them gain nothing. */
const ROWS = 50
/** Values in a statement, of which older SQLites take 999. */
const VALUES = 900

/** A table in an SQLite file, and beside it those that hold the stage and what is known of sinks. */
export class SqliteStore implements TableStore<StoredBatch<Stored>> {
  private database: Database | undefined
  private signal: AbortSignal | undefined
  private ending = new AbortController()
  private readonly target: string
  private readonly backoff: Backoff
  private readonly memory = new StageMemory<Stored>()

  constructor(
    private readonly file: string,
    table: string,
    private readonly key: readonly string[],
    private readonly exactly: boolean,
    retry: Retry,
  ) {
    this.target = quotedTable(table)
    this.backoff = new Backoff(`sqlite: writing ${table}`, retry)
  }

  async open(signal: AbortSignal): Promise<void> {
    this.ending = new AbortController()
    this.signal = anySignal(signal, this.ending.signal)
    this.database ??= await openDatabase(this.file, false)
    if (!this.exactly) return
    await this.transaction((database) => {
      database.exec(
        'CREATE TABLE IF NOT EXISTS rxjs_python_sinks (sink TEXT PRIMARY KEY, run TEXT, epoch INTEGER, applied TEXT);' +
          'CREATE TABLE IF NOT EXISTS rxjs_python_staged (sink TEXT, run TEXT, epoch INTEGER, number INTEGER, ' +
          'batch BLOB NOT NULL, PRIMARY KEY (sink, run, epoch, number))',
      )
    })
  }

  knows(sink: string): Promise<boolean> {
    return this.transaction((database) => this.runOf(database, sink) !== undefined)
  }

  begin(sink: string, run: string): Promise<void> {
    return this.transaction((database) => {
      const text =
        'INSERT INTO rxjs_python_sinks (sink, run) VALUES (?, ?) ON CONFLICT DO UPDATE SET run = excluded.run'
      database.prepare(text).run(sink, run)
      database.prepare('DELETE FROM rxjs_python_staged WHERE sink = ?').run(sink)
    })
  }

  encode(batch: RowBatch): StoredBatch<Stored> {
    return stored(batch, this.key, toStored)
  }

  async stage(token: EpochToken, first: number, batches: readonly StoredBatch<Stored>[]): Promise<void> {
    const { sink, run, epoch } = token
    const all = batches.map((plain, at) => ({ plain, data: serialize(plain), number: first + at }))
    await this.transaction((database) => {
      const text = 'INSERT INTO rxjs_python_staged VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING'
      const insert = database.prepare(text)
      for (const { data, number } of all) insert.run(sink, run, epoch, number, data)
    })
    for (const { plain, data, number } of all) this.memory.keep(token, number, plain, data.length)
  }

  async apply(token: EpochToken, refused: Refused): Promise<void> {
    const { sink, run, epoch } = token
    const mine = 'sink = ? AND run = ? AND epoch = ?'
    const applied = await this.transaction((database) => {
      if (this.runOf(database, sink) !== run) {
        throw new DatabaseError(
          'ERR_DATABASE_BUSY',
          `sqlite: somebody else writes as sink '${sink}' by now: end that program, or give this sink another name`,
        )
      }
      const staged = database.prepare(`SELECT number FROM rxjs_python_staged WHERE ${mine} ORDER BY number`)
      const numbers = staged.pluck().all(sink, run, epoch) as number[]
      if (numbers.length === 0) return numbers
      const one = database.prepare(`SELECT batch FROM rxjs_python_staged WHERE ${mine} AND number = ?`).pluck()
      for (const number of numbers) {
        const known = this.memory.get(token, number)
        const batch = known ?? (deserialize(one.get(sink, run, epoch, number) as Buffer) as StoredBatch<Stored>)
        this.carryOut(database, batch, refused)
      }
      database.prepare(`DELETE FROM rxjs_python_staged WHERE ${mine}`).run(sink, run, epoch)
      const note = `UPDATE rxjs_python_sinks SET epoch = ?, applied = datetime('now') WHERE sink = ?`
      database.prepare(note).run(epoch, sink)
      return numbers
    })
    this.memory.forget(token, applied)
  }

  write(batch: StoredBatch<Stored>, refused: Refused): Promise<void> {
    return this.transaction((database) => this.carryOut(database, batch, refused))
  }

  async close(): Promise<void> {
    this.ending.abort()
    this.memory.clear()
    this.database?.close()
    this.database = undefined
  }

  private carryOut(database: Database, batch: StoredBatch<Stored>, refused: Refused): void {
    const { target, key } = this
    const { truncate, columns, deletes, upserts } = batch
    if (truncate) database.exec(`DELETE FROM ${target}`)
    if (deletes.length > 0) {
      const same = key.map((column) => `${quoted(column)} = ?`).join(' AND ')
      this.each(database.prepare(`DELETE FROM ${target} WHERE ${same}`), key, deletes, refused)
    }
    if (upserts.length > 0) {
      const changed = columns.filter((column) => !key.includes(column)).map(quoted)
      const set = changed.map((column) => `${column} = excluded.${column}`).join(', ')
      const insert = `INSERT INTO ${target} (${columns.map(quoted).join(', ')}) VALUES`
      const or = `ON CONFLICT (${key.map(quoted).join(', ')}) DO ${changed.length === 0 ? 'NOTHING' : `UPDATE SET ${set}`}`
      this.several(database, (count) => `${insert} ${places(columns.length, count)} ${or}`, columns, upserts, refused)
    }
  }

  /** Several rows in a statement, as each has its cost; where one is refused, SQLite takes the statement back, and they come one by one. */
  private several(
    database: Database,
    text: (count: number) => string,
    columns: readonly string[],
    values: readonly Stored[],
    refused: Refused,
  ): void {
    const width = columns.length
    const together = width * Math.max(1, Math.min(ROWS, values.length / width, Math.floor(VALUES / width)))
    const many = together === width ? undefined : database.prepare(text(together / width))
    const one = database.prepare(text(1))
    let at = 0
    for (; many !== undefined && at + together <= values.length; at += together) {
      const part = values.slice(at, at + together)
      try {
        many.run(part)
      } catch (error) {
        if (!isAboutData(error)) throw error
        this.each(one, columns, part, refused)
      }
    }
    this.each(one, columns, values.slice(at), refused)
  }

  private each(statement: Statement, columns: readonly string[], values: readonly Stored[], refused: Refused): void {
    for (const row of rowsOf(values, columns.length)) {
      try {
        statement.run(row)
      } catch (error) {
        if (!isAboutData(error)) throw error
        refused(error, rowOf(columns, row))
      }
    }
  }

  private runOf(database: Database, sink: string): string | null | undefined {
    const found = database.prepare('SELECT run FROM rxjs_python_sinks WHERE sink = ?').pluck().get(sink)
    return found as string | null | undefined
  }

  private async transaction<R>(act: (database: Database) => R): Promise<R> {
    const { signal } = this
    const attempt = async () => {
      this.database ??= await openDatabase(this.file, false)
      const { database } = this
      // It takes the write lock at once: a lock that is taken later may never be given.
      return { result: database.transaction(() => act(database)).immediate() }
    }
    const done = await retrying(this.backoff, signal, attempt, isPassing)
    if (done === undefined) throw signal?.reason ?? new Error('aborted')
    return done.result
  }
}

/** `(?, ?), (?, ?)`: so many rows of so many values. */
function places(columns: number, rows: number): string {
  const row = `(${Array.from({ length: columns }, () => '?').join(', ')})`
  return Array.from({ length: rows }, () => row).join(', ')
}
