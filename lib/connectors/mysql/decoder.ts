import { DatabaseError } from '../../errors'
import type { Positioned as PositionedAt } from '../tables/capture'
import type { Change, Row } from '../tables/change'
import { isTableAhead, leftOf, partsAhead, type RowChange } from '../tables/parts'
import { columnsOf } from './columns'
import { isBefore, type LogPlace, type MysqlChangesPosition, type MysqlReadRange, placeText } from './position'
import { type KnownTable, lostLog } from './setup'
import { emptiedTables, writesRows } from './statements'

export type Positioned = PositionedAt<MysqlChangesPosition>

/** What the log says, in its order. Times are milliseconds since 1970, `end` is the place behind in the same file. */
export type LogMessage =
  | { readonly tag: 'rotate'; readonly place: LogPlace }
  /** A transaction. `alone`: one statement that has no end of its own; undefined where the log does not tell. */
  | { readonly tag: 'begin'; readonly time: number; readonly alone: boolean | undefined }
  | {
      readonly tag: 'query'
      readonly text: string
      readonly database: string
      readonly end: number
      readonly time: number
    }
  | { readonly tag: 'table'; readonly table: string; readonly columns: string }
  | { readonly tag: 'insert' | 'delete'; readonly table: string; readonly rows: readonly Row[] }
  | { readonly tag: 'update'; readonly table: string; readonly rows: readonly { before: Row; after: Row }[] }
  | { readonly tag: 'commit'; readonly end: number }
  /** An XA transaction that may be committed later, or not. */
  | { readonly tag: 'prepared'; readonly end: number }
  /** Rows that could not be read. */
  | { readonly tag: 'bad'; readonly error: unknown }
  /** Nothing for us. */
  | { readonly tag: 'passed'; readonly end: number }

/** Whether the rows that were read already show what a transaction that begins at `place` did to this row. */
export type IsShown = (
  ranges: readonly MysqlReadRange[],
  table: KnownTable,
  row: Row,
  place: LogPlace,
) => Promise<boolean>

export interface DecoderOptions {
  readonly known: ReadonlyMap<string, KnownTable>
  /** More changes of a transaction than this do not wait for its end. */
  readonly limit: number
  readonly isShown: IsShown
  readonly out: (pair: Positioned) => void
  readonly bad: (error: unknown, at: string, position: MysqlChangesPosition) => void
}

interface Transaction {
  readonly at: string
  readonly time: number
  /** It ends with its first statement: undefined while that has not come. */
  alone: boolean | undefined
  /** Rows so far, also those that are passed over. */
  done: number
  /** So many of the tables that were known then were given before. */
  toSkip: number
  readonly skippable: ReadonlySet<string>
  readonly held: Positioned[]
  /** Some of it was given, so that it cannot be taken back. */
  given: boolean
}

/**
 * Makes changes with positions of what the log says. Changes wait for the end of their transaction, unless they are many: the
 * server may be killed while it writes one to the log, and takes it back then. The last one has the position behind.
 */
export class Decoder {
  private transaction: Transaction | undefined

  constructor(
    private base: MysqlChangesPosition,
    private readonly options: DecoderOptions,
  ) {}

  /** Behind the last transaction. */
  get log(): LogPlace {
    return this.base.log
  }

  /** Returns a promise where it has to ask. */
  take(message: LogMessage): Promise<void> | undefined {
    switch (message.tag) {
      case 'rotate':
        return this.rotate(message.place)
      case 'begin':
        return this.begin(message.time, message.alone)
      case 'query':
        return this.query(message)
      case 'table':
        return this.table(message.table, message.columns)
      case 'insert':
      case 'update':
      case 'delete':
        return this.rows(message)
      case 'commit':
        return this.commit(message.end)
      case 'prepared':
        return this.prepared(message.end)
      case 'bad':
        return this.bad(message.error)
      case 'passed':
        if (this.transaction === undefined) this.advance(message.end)
        return undefined
    }
  }

  private rotate(place: LogPlace): undefined {
    this.undo()
    const { log, within } = this.base
    if (place.file !== log.file && within !== undefined) throw this.takenBack()
    if (isBefore(log, place)) this.base = { ...this.base, log: place }
  }

  private begin(time: number, alone: boolean | undefined): undefined {
    this.undo()
    const { within = 0, tables, ranges, log } = this.base
    const left = partsAhead(ranges, (range) => isBefore(log, range.log))
    if (left.length < ranges.length) this.base = { ...this.base, ranges: left }
    const skippable = new Set(Object.keys(tables))
    const at = placeText(log)
    this.transaction = { at, time, alone, done: 0, toSkip: within, skippable, held: [], given: within > 0 }
  }

  private query({ text, database, end, time }: LogMessage & { tag: 'query' }): undefined {
    if (this.transaction === undefined) this.begin(time, undefined)
    const transaction = this.transaction!
    if (transaction.alone === undefined) {
      transaction.alone = !/^\s*(BEGIN|XA START)\b/i.test(text)
      if (!transaction.alone) return
    }
    for (const table of this.options.known.keys()) if (writesRows(text, table)) throw statement(table)
    if (transaction.alone) {
      for (const table of emptiedTables(text, database)) this.empty(table)
      this.commit(end)
    } else if (/^\s*(COMMIT|ROLLBACK)\s*(\/\*.*)?$/i.test(text)) this.commit(end)
  }

  private table(table: string, now: string): undefined {
    const before = this.base.tables[table]
    if (before === undefined || before === now || !this.options.known.has(table)) return
    this.base = { ...this.base, tables: { ...this.base.tables, [table]: now } }
    const columns = (text: string) => columnsOf(text).map(([name, type]) => ({ name, type }))
    this.hold({ kind: 'schema', table, columns: columns(now), previous: columns(before), ...this.place() })
  }

  private rows(message: LogMessage & { tag: 'insert' | 'update' | 'delete' }): Promise<void> | undefined {
    const known = this.options.known.get(message.table)
    if (this.base.ranges.length > 0 && known !== undefined) return this.sift(message, known)
    for (const row of message.rows) {
      if (this.counted(message.table) && known !== undefined) this.hold(this.changeOf(message, row))
    }
    return undefined
  }

  /** What is left of changes where parts of the table were read after them. */
  private async sift(message: LogMessage & { tag: 'insert' | 'update' | 'delete' }, known: KnownTable): Promise<void> {
    const { ranges, log } = this.base
    for (const row of message.rows) {
      if (!this.counted(message.table)) continue
      const change = this.changeOf(message, row)
      const left = await leftOf(change, (one) => this.options.isShown(ranges, known, one, log))
      if (left !== undefined) this.hold(left)
    }
  }

  private changeOf(
    { tag, table }: LogMessage & { tag: 'insert' | 'update' | 'delete' },
    row: Row | { before: Row; after: Row },
  ): RowChange {
    const { at, time } = this.open
    if (tag === 'insert') return { kind: 'insert', table, new: row as Row, at, time }
    if (tag === 'delete') return { kind: 'delete', table, old: row as Row, at, time }
    const { before, after } = row as { before: Row; after: Row }
    return { kind: 'update', table, old: before, new: after, at, time }
  }

  private empty(table: string): void {
    if (!this.options.known.has(table)) return
    const shown = isTableAhead(this.base.ranges, table, (range) => isBefore(this.base.log, range.log))
    if (shown === 'in part') {
      throw new DatabaseError(
        'ERR_DATABASE_LOG',
        `mysql: ${table} was truncated between two parts of its first reading: start without the old checkpoint`,
      )
    }
    if (!shown) this.hold({ kind: 'truncate', table, ...this.place() })
  }

  private commit(end: number): undefined {
    const { transaction } = this
    if (transaction === undefined) return this.advance(end)
    this.release(1)
    const { tables, ranges, log } = this.base
    this.base = { log: { ...log, position: end }, tables, ranges }
    this.transaction = undefined
    const last = transaction.held[0]
    if (last !== undefined) this.options.out([last[0], this.base])
    return undefined
  }

  private prepared(end: number): undefined {
    if (this.transaction !== undefined && this.transaction.done > 0) {
      throw new DatabaseError(
        'ERR_DATABASE_LOG',
        'mysql: an XA transaction has changed the tables in two steps, and the log does not have it where it is committed: ' +
          'commit such with ONE PHASE, and start without the old checkpoint',
      )
    }
    return this.commit(end)
  }

  private bad(error: unknown): undefined {
    const { at } = this.place()
    this.options.bad(error, at, this.base)
    return undefined
  }

  private advance(end: number): undefined {
    const { log } = this.base
    if (end > log.position) this.base = { ...this.base, log: { ...log, position: end } }
    return undefined
  }

  /** The log goes on, and the transaction has not ended: the server was killed in it. */
  private undo(): void {
    const { transaction } = this
    this.transaction = undefined
    if (transaction?.given) throw this.takenBack()
  }

  private takenBack(): DatabaseError {
    return lostLog(
      `the transaction at ${placeText(this.base.log)}, of which changes were given, was taken back by the server, which was killed in it`,
    )
  }

  private get open(): Transaction {
    if (this.transaction !== undefined) return this.transaction
    throw new DatabaseError('ERR_DATABASE_LOG', 'mysql: the log has rows that belong to no transaction')
  }

  private hold(change: Change): void {
    const { open } = this
    const { log, tables, ranges } = this.base
    const { done } = open
    open.held.push([change, done > 0 ? { log, within: done, tables, ranges } : { log, tables, ranges }])
    if (open.held.length > this.options.limit) {
      open.given = true
      this.release(1)
    }
  }

  /** Gives what is held, but for the last so many. */
  private release(keep: number): void {
    const { held } = this.open
    for (const pair of held.splice(0, Math.max(0, held.length - keep))) this.options.out(pair)
  }

  /** Counts a row; false where it was given before. */
  private counted(table: string): boolean {
    const { open } = this
    open.done++
    if (open.toSkip === 0 || !open.skippable.has(table)) return true
    open.toSkip--
    return false
  }

  private place(): { at: string; time: number } {
    const { at, time } = this.open
    return { at, time }
  }
}

function statement(table: string): DatabaseError {
  return new DatabaseError(
    'ERR_DATABASE_SETUP',
    `mysql: the log has a statement in place of the rows of ${table} that it has changed: sessions must not set another ` +
      "binlog_format than 'ROW'. Then start without the old checkpoint",
  )
}
