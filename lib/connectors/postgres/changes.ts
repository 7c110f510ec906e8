import type { Source } from '../../jobs/sources'
import { StreamChecker } from '../../streams/check'
import { type CommonOptions, type ConnectorOptions, checkCommon } from '../options'
import { Backoff, retrying } from '../retry'
import { ChangeSource, readTables } from '../tables/capture'
import type { Change } from '../tables/change'
import { checkTables, type WantedTable } from '../tables/options'
import { Comparison } from './comparison'
import { Connections, checkConnection, isPassing, loadPg, type PostgresConnection } from './connection'
import { Decoder, type Positioned } from './decoder'
import { lsnOf, lsnText, type PostgresPosition, type ReadRange } from './position'
import { ReplicationSession } from './replication'
import { demandLogical, ensurePublication, ensureSlot, type KnownTable, lostLog, prepareTables } from './setup'
import { openView, rowsOf } from './snapshot'
import { type ParseValue, valueParser } from './types'

export interface PostgresChangesOptions extends Pick<ConnectorOptions<Change>, 'batch' | 'signal' | 'retry'> {
  /** A role with the attribute REPLICATION that owns the tables, or a superuser. */
  connection: PostgresConnection
  /** `orders`, `sales.orders`, or with the columns of a unique key where there is no primary key. */
  tables: readonly (string | { name: string; key: string | readonly string[] })[]
  /** The slot that holds the log for this reader: made when missing. Lower case letters, digits, '_'. */
  slot: string
  /** Made when missing, and given the tables that it lacks (default: named as the slot). */
  publication?: string
  /** `'initial'` (the default): first the rows that are there, then what happens to them. `'never'`: only that. */
  snapshot?: 'initial' | 'never'
  /** `'key'` (the default): what the tables' replica identity gives. `'full'`: all columns; sets it to FULL. */
  oldRows?: 'key' | 'full'
  /** How the text of a type becomes a value, by its number; undefined: as `pg` does it, dates and times as texts. */
  types?: (oid: number) => ((text: string) => unknown) | undefined
}

const KNOWN = [
  'connection',
  'tables',
  'slot',
  'publication',
  'snapshot',
  'oldRows',
  'types',
  'batch',
  'signal',
  'retry',
]

/** So much of the log may belong to others before the slot lets go of it, though nothing has come that could be kept. */
const IDLE_LOG = 16n << 20n

/** The most changes that are handed on at once. */
const BURST = 512

/**
 * What happens to tables of PostgreSQL, in the order of its commits: first the rows that are there, then each change, without
 * a gap between them, by logical replication. A position is a place in the log; the server keeps the log from the last
 * position that was committed on.
 *
 * `batch` is how many rows of a table are read at once, and how many changes are read ahead (default 2000).
 *
 * @throws DatabaseError by the stream where the server, a table or the slot is not as it must be
 */
export function postgresChanges(options: PostgresChangesOptions): Source<Change, PostgresPosition> {
  const check = new StreamChecker('postgresChanges', options ?? {}, KNOWN)
  checkConnection(check, options?.connection)
  const tables = checkTables(check, options?.tables, 'public')
  const slot = checkSlot(check, 'slot', options?.slot, true)
  const publication = checkSlot(check, 'publication', options?.publication, false) ?? slot
  const snapshot = check.oneOf('snapshot', options?.snapshot, ['initial', 'never']) ?? 'initial'
  const full = check.oneOf('oldRows', options?.oldRows, ['key', 'full']) === 'full'
  check.fn('types', options?.types)
  const common = checkCommon<Change>(check, `postgres: ${slot}`, options ?? {}, { batch: 2000, maxBatch: 1_000_000 })
  check.done()
  const { connection, types } = options
  return new ChangesSource(
    { tables, slot: slot!, publication: publication!, withRows: snapshot === 'initial', full, types },
    new Connections(connection, common.secrets),
    common,
  )
}

interface CompleteChanges {
  readonly tables: readonly WantedTable[]
  readonly slot: string
  readonly publication: string
  readonly withRows: boolean
  readonly full: boolean
  readonly types: PostgresChangesOptions['types']
}

class ChangesSource extends ChangeSource<PostgresPosition> {
  private session: ReplicationSession | undefined
  /** The last position that is safe. */
  private safe: PostgresPosition | undefined

  constructor(
    private readonly options: CompleteChanges,
    private readonly connections: Connections,
    common: CommonOptions<Change>,
  ) {
    super(`postgres: reading slot ${options.slot}`, connections, common)
  }

  protected begun(position: PostgresPosition | undefined): void {
    this.safe = position
  }

  protected async ended(): Promise<void> {
    await this.session?.close()
    this.session = undefined
  }

  commit(position: PostgresPosition): void {
    this.safe = position
    this.session?.confirm(lsnOf(position.lsn))
  }

  protected async *attempt(from: PostgresPosition | undefined): AsyncGenerator<readonly Positioned[]> {
    const parserOf = await valueParser(this.options.types)
    const { known, lsn } = await this.prepare(from)
    let at: PostgresPosition = from ?? { lsn, tables: {}, ranges: [] }
    const unread = known.filter(({ table }) => at.tables[table] === undefined)
    if (unread.length > 0) {
      if (this.options.withRows) at = yield* this.readRows(unread, at, parserOf)
      else
        at = { ...at, tables: { ...at.tables, ...Object.fromEntries(unread.map((one) => [one.table, one.columns])) } }
    }
    yield* this.stream(startOf(at, known), known, lsnOf(lsn), parserOf)
  }

  private async prepare(from: PostgresPosition | undefined) {
    const { tables, slot, publication, full } = this.options
    const client = await this.connections.connect()
    try {
      await demandLogical(client)
      const known = await prepareTables(client, tables, full)
      await ensurePublication(
        client,
        publication,
        known.map(({ table }) => table),
      )
      const lsn = await ensureSlot(client, slot, from?.lsn)
      if (from !== undefined) demandLog(slot, from, lsn)
      return { known, lsn }
    } finally {
      await this.connections.end(client)
    }
  }

  /** The rows of tables that were not read to their end yet, as one view of the database shows them. */
  private async *readRows(unread: readonly KnownTable[], from: PostgresPosition, parserOf: ParseValue) {
    const { client, lsn } = await openView(this.connections)
    try {
      return yield* readTables(
        unread,
        from,
        (table, after: readonly string[] | undefined) =>
          rowsOf({ client, lsn }, parserOf, table, after, this.common.batch),
        (table, upTo): ReadRange => ({ table, upTo, lsn }),
      )
    } finally {
      await this.connections.end(client)
    }
  }

  private async *stream(
    from: PostgresPosition,
    known: readonly KnownTable[],
    confirmed: bigint,
    parserOf: ParseValue,
  ): AsyncGenerator<readonly Positioned[]> {
    const { slot, publication } = this.options
    const options = { slot, publication, lsn: from.lsn, readAhead: this.common.batch, parserOf }
    const session = await ReplicationSession.open(this.connections, options, confirmed)
    this.session = session
    const comparison = new Comparison(this.connections)
    let pairs: Positioned[] = []
    const decoder: Decoder = new Decoder(
      from,
      new Map(known.map((one) => [one.table, one])),
      (table, key, commit) => comparison.isShown(decoder.position.ranges, table, key, commit),
      await typeNames(),
      (change, position) => pairs.push([change, position]),
    )
    try {
      for (;;) {
        const message = session.take()
        if (message !== undefined) {
          const passed = decoder.take(message)
          const idle = passed instanceof Promise ? await passed : passed
          if (idle !== undefined && pairs.length === 0) this.passed(session, idle)
          if (pairs.length < BURST) continue
        }
        if (pairs.length > 0) {
          const full = pairs
          pairs = []
          yield full
        } else await session.wait()
      }
    } finally {
      this.session = undefined
      await session.close()
      await comparison.close()
    }
  }

  /** The log went on and had nothing for us: the slot need not hold it, if all that came before is safe. */
  private passed(session: ReplicationSession, lsn: bigint): void {
    const { given, safe } = this
    const behind = given === undefined ? 0n : lsnOf(given.lsn)
    const isSafe = given === undefined || (safe !== undefined && given.within === undefined && safe.lsn === given.lsn)
    if (isSafe && safe?.within === undefined && lsn - behind > IDLE_LOG) session.confirm(lsn)
  }
}

/** Where to begin in the log: what all rows show need not come again. */
function startOf(at: PostgresPosition, known: readonly KnownTable[]): PostgresPosition {
  const { ranges } = at
  const isRead = (table: string) => ranges.some((range) => range.table === table)
  if (at.within !== undefined || ranges.length === 0 || !known.every(({ table }) => isRead(table))) return at
  const [first = 0n] = ranges.map(({ lsn }) => lsnOf(lsn)).sort((a, b) => (a < b ? -1 : 1))
  if (first <= lsnOf(at.lsn)) return at
  const isOpen = ranges.some(({ lsn }) => lsnOf(lsn) > first)
  return { ...at, lsn: lsnText(first), ranges: isOpen ? ranges : [] }
}

function demandLog(slot: string, from: PostgresPosition, confirmed: string): void {
  const missing = lsnOf(confirmed) - lsnOf(from.lsn)
  if (missing <= 0n || (missing > IDLE_LOG && from.within === undefined)) return
  throw lostLog(slot, `has let go of what lies before ${confirmed}`, from.lsn)
}

async function typeNames(): Promise<(oid: number) => string> {
  const { types } = await loadPg()
  const names = new Map(Object.entries(types.builtins).map(([name, oid]) => [oid as number, name.toLowerCase()]))
  return (oid) => names.get(oid) ?? `type ${oid}`
}

function checkSlot(check: StreamChecker, what: string, name: unknown, needed: boolean): string | undefined {
  if (typeof name === 'string' && /^[a-z0-9_]{1,63}$/.test(name)) return name
  if (name === undefined && !needed) return undefined
  check.problem(`'${what}' must be 1 to 63 lower case letters, digits or '_'`, name)
  return undefined
}

export interface DropPostgresSlotOptions {
  connection: PostgresConnection
  slot: string
  /** Default: named as the slot. */
  publication?: string
}

/**
 * Takes away what `postgresChanges` has made in the server, which holds the log for ever otherwise. Waits a moment for a
 * reader that is just ending. False where there was no such slot.
 */
export async function dropPostgresSlot(options: DropPostgresSlotOptions): Promise<boolean> {
  const check = new StreamChecker('dropPostgresSlot', options ?? {}, ['connection', 'slot', 'publication'])
  checkConnection(check, options?.connection)
  const slot = checkSlot(check, 'slot', options?.slot, true)
  const publication = checkSlot(check, 'publication', options?.publication, false) ?? slot
  const { secrets } = checkCommon(check, 'postgres', { ...options } as ConnectorOptions<unknown>, {
    batch: 1,
    maxBatch: 1,
  })
  check.done()
  const connections = new Connections(options.connection, secrets)
  const backoff = new Backoff(`postgres: dropping slot ${slot}`, { initial: 50, max: 500, attempts: 20 }, secrets)
  const dropped = await retrying(
    backoff,
    undefined,
    async () => {
      const client = await connections.connect()
      try {
        const { rowCount } = await client.query(
          'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1',
          [slot],
        )
        await client.query(`DROP PUBLICATION IF EXISTS ${publication}`)
        return rowCount === 1
      } catch (error) {
        throw connections.safe(error)
      } finally {
        await connections.end(client)
      }
    },
    isPassing,
  )
  return dropped === true
}
