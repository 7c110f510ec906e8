import type { Pgoutput } from 'pg-logical-replication'
import { DatabaseError } from '../../errors'
import type { Positioned as PositionedAt } from '../tables/capture'
import type { Change, ChangedColumn, Row } from '../tables/change'
import { isTableAhead, leftOf, partsAhead, type RowChange } from '../tables/parts'
import { lsnOf, lsnText, type PostgresPosition } from './position'
import type { LogMessage } from './replication'
import { columnsOf, type KnownTable } from './setup'

export type Positioned = PositionedAt<PostgresPosition>

/** Whether the rows that were read already show what was committed at `commit` to the row with this key. */
export type IsShown = (table: KnownTable, key: readonly string[], commit: bigint) => boolean | Promise<boolean>

interface Transaction {
  readonly commit: string
  readonly lsn: bigint
  readonly time: number
  /** Changes so far, also those that are passed over. */
  done: number
  /** So many were given before. */
  readonly given: number
}

/**
 * Makes changes with positions of the messages of the log. A change is held until the next message has come, so that the
 * last one of a transaction has the position behind the transaction.
 */
export class Decoder {
  private transaction: Transaction | undefined
  private held: Change | undefined
  private heldAt: PostgresPosition | undefined

  constructor(
    /** Behind the last transaction; `within` is that of the last position given. */
    private base: PostgresPosition,
    private readonly known: ReadonlyMap<string, KnownTable>,
    private readonly isShown: IsShown,
    private readonly typeName: (oid: number) => string,
    private readonly out: (change: Change, position: PostgresPosition) => void,
  ) {}

  get position(): PostgresPosition {
    return this.base
  }

  /** Returns where the log is when there was nothing for us on the way there. */
  take(message: LogMessage): Promise<bigint | undefined> | bigint | undefined {
    switch (message.tag) {
      case 'idle':
        return this.idle(message.lsn)
      case 'begin':
        this.begin(message)
        return undefined
      case 'relation':
        this.relation(message)
        return undefined
      case 'insert':
      case 'update':
      case 'delete':
        return this.row(message)
      case 'truncate':
        for (const relation of message.relations) this.truncate(relation)
        return undefined
      case 'commit':
        return this.commit(message)
      default:
        return undefined
    }
  }

  private begin(message: Pgoutput.MessageBegin): void {
    const commit = lsnText(lsnOf(message.commitLsn!))
    const { lsn, within, ranges } = this.base
    const at = lsnOf(commit)
    let given = within !== undefined && lsnOf(within.commit) === at ? within.done : 0
    if (at < lsnOf(lsn)) given = Number.POSITIVE_INFINITY
    const open = ranges.filter((range) => at < lsnOf(range.lsn))
    if (open.length < ranges.length) {
      this.base = { ...this.base, ranges: partsAhead(ranges, (range) => at < lsnOf(range.lsn)) }
    }
    this.transaction = { commit, lsn: at, time: Number(BigInt(message.commitTime as bigint) / 1000n), done: 0, given }
  }

  private relation(message: Pgoutput.MessageRelation): void {
    const table = nameOf(message)
    const { transaction, base } = this
    const before = base.tables[table]
    if (before === undefined || transaction === undefined || !this.known.has(table)) return
    const now = JSON.stringify(message.columns.map(({ name, typeOid }) => [name, typeOid]))
    if (now === before) return
    this.release()
    const own = new Map(message.columns.map(({ typeOid, typeName }) => [typeOid, typeName]))
    const columns = (text: string): ChangedColumn[] =>
      columnsOf(text).map(([name, oid]) => ({ name, type: own.get(oid) ?? this.typeName(oid) }))
    this.base = { ...base, tables: { ...base.tables, [table]: now } }
    const { commit, time } = transaction
    this.out(
      { kind: 'schema', table, columns: columns(now), previous: columns(before), at: commit, time },
      this.within(),
    )
  }

  private row(message: Pgoutput.MessageInsert | Pgoutput.MessageUpdate | Pgoutput.MessageDelete) {
    const known = this.counted(message.relation)
    if (known === undefined) return undefined
    const change = this.changeOf(message, known.table)
    if (this.base.ranges.length === 0) {
      this.hold(change)
      return undefined
    }
    return this.sift(change, known)
  }

  private truncate(relation: Pgoutput.MessageRelation): void {
    const known = this.counted(relation)
    if (known === undefined) return
    const { table } = known
    const { commit, lsn, time } = this.transaction!
    const shown = isTableAhead(this.base.ranges, table, (range) => lsn < lsnOf(range.lsn))
    if (shown === 'in part') {
      throw new DatabaseError(
        'ERR_DATABASE_LOG',
        `postgres: ${table} was truncated between two parts of its first reading: drop the slot (dropPostgresSlot), and ` +
          'start without the old checkpoint',
      )
    }
    if (!shown) this.hold({ kind: 'truncate', table, at: commit, time })
  }

  private async sift(change: RowChange, known: KnownTable): Promise<undefined> {
    const { lsn } = this.transaction!
    const left = await leftOf(change, async (row) => this.isShown(known, keyOf(known, row), lsn))
    if (left !== undefined) this.hold(left)
  }

  private commit(message: Pgoutput.MessageCommit): bigint | undefined {
    const { held } = this
    const { tables, ranges } = this.base
    const end = lsnOf(message.commitEndLsn!)
    const isNew = end > lsnOf(this.base.lsn)
    this.transaction = undefined
    if (isNew) this.base = { lsn: lsnText(end), tables, ranges }
    if (held === undefined) return isNew ? end : undefined
    this.held = undefined
    this.out(held, this.base)
    return undefined
  }

  private idle(lsn: bigint): bigint | undefined {
    return this.transaction === undefined ? lsn : undefined
  }

  /** Counts a change; its table, if it is wanted and was not given before. */
  private counted(relation: Pgoutput.MessageRelation): KnownTable | undefined {
    const { transaction } = this
    if (transaction === undefined) return undefined
    transaction.done++
    if (transaction.done <= transaction.given) return undefined
    return this.known.get(nameOf(relation))
  }

  private changeOf(
    message: Pgoutput.MessageInsert | Pgoutput.MessageUpdate | Pgoutput.MessageDelete,
    table: string,
  ): RowChange {
    const { commit: at, time } = this.transaction!
    if (message.tag === 'insert') return { kind: 'insert', table, new: plain(message.new), at, time }
    const old = message.old ?? message.key
    if (message.tag === 'delete') return { kind: 'delete', table, old: plain(old ?? {}), at, time }
    return { kind: 'update', table, old: old === null ? null : plain(old), new: plain(message.new), at, time }
  }

  private hold(change: Change): void {
    this.release()
    this.held = change
    this.heldAt = this.within()
  }

  private release(): void {
    const { held } = this
    if (held === undefined) return
    this.held = undefined
    this.out(held, this.heldAt!)
  }

  private within(): PostgresPosition {
    const { commit, done } = this.transaction!
    const { lsn, tables, ranges } = this.base
    return { lsn, within: { commit, done }, tables, ranges }
  }
}

function nameOf({ schema, name }: Pgoutput.MessageRelation): string {
  return `${schema}.${name}`
}

/** A row without the columns that the log says nothing of. */
function plain(tuple: Readonly<Record<string, unknown>>): Row {
  const row: Record<string, unknown> = {}
  for (const name in tuple) {
    const value = tuple[name]
    if (value !== undefined) row[name] = value
  }
  return row
}

function keyOf({ key }: KnownTable, row: Row): string[] {
  return key.map(({ name }) => {
    const value = row[name]
    if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`
    return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value)
  })
}
