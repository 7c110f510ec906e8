import { randomInt } from 'node:crypto'
import type { Connection } from 'mysql2/promise'
import type { Source } from '../../jobs/sources'
import { StreamChecker } from '../../streams/check'
import { loadClient } from '../client'
import { type CommonOptions, type ConnectorOptions, checkCommon } from '../options'
import { ChangeSource, readTables } from '../tables/capture'
import type { Change } from '../tables/change'
import { checkTables, type WantedTable } from '../tables/options'
import { partsAhead } from '../tables/parts'
import { BinlogSession } from './binlog'
import { Comparison } from './comparison'
import { Connections, checkConnection, databaseOf, type MysqlConnection } from './connection'
import { Decoder, type LogMessage, type Positioned } from './decoder'
import { isTorn } from './faults'
import type { KeyValues } from './keys'
import { isBefore, type LogPlace, type MysqlChangesPosition, type MysqlReadRange } from './position'
import { definitionsOf, demandLog, demandPlace, endOfLog, fileAfter, type KnownTable, prepareTables } from './setup'
import { openView, rowsOf } from './snapshot'

export interface MysqlChangesOptions
  extends Pick<ConnectorOptions<Change>, 'batch' | 'signal' | 'retry' | 'deadLetters'> {
  /** A user who may read the tables, and has REPLICATION SLAVE and REPLICATION CLIENT; with MySQL RELOAD, too. */
  connection: MysqlConnection
  /** `orders`, `sales.orders`, or with the columns of a unique key where there is no primary key. */
  tables: readonly (string | { name: string; key: string | readonly string[] })[]
  /** `'initial'` (the default): first the rows that are there, then what happens to them. `'never'`: only that. */
  snapshot?: 'initial' | 'never'
  /** What this reader is known by in the server: a number that no replica has (default: a large one, by chance). */
  serverId?: number
}

const KNOWN = ['connection', 'tables', 'snapshot', 'serverId', 'batch', 'signal', 'retry', 'deadLetters']

/** The most changes that are handed on at once. */
const BURST = 512

/**
 * What happens to tables of MariaDB or MySQL, in the order of its commits: first the rows that are there, then each change,
 * without a gap between them, from the binlog. A position is a file of it and a place there; the server keeps its files for
 * as long as it is set to.
 *
 * `batch` is how many rows of a table are read at once, and how many changes are read ahead (default 2000).
 *
 * @throws DatabaseError by the stream where the server or a table is not as it must be, or the log is not there any more
 */
export function mysqlChanges(options: MysqlChangesOptions): Source<Change, MysqlChangesPosition> {
  const check = new StreamChecker('mysqlChanges', options ?? {}, KNOWN)
  checkConnection(check, options?.connection)
  const tables = checkTables(check, options?.tables, databaseOf(options?.connection))
  const snapshot = check.oneOf('snapshot', options?.snapshot, ['initial', 'never']) ?? 'initial'
  const serverId = check.whole('serverId', options?.serverId, 1, 2 ** 32 - 1) ?? randomInt(2 ** 30, 2 ** 32)
  const from = `mysql: ${tables.map(({ table }) => table).join(', ')}`
  const common = checkCommon<Change>(check, from, options ?? {}, { batch: 2000, maxBatch: 1_000_000 })
  check.done()
  const connections = new Connections(options.connection, common.secrets)
  return new ChangesSource({ tables, withRows: snapshot === 'initial', serverId }, connections, common)
}

interface CompleteChanges {
  readonly tables: readonly WantedTable[]
  readonly withRows: boolean
  readonly serverId: number
}

class ChangesSource extends ChangeSource<MysqlChangesPosition> {
  private session: BinlogSession | undefined
  /** Where the first attempt began to read the log, while nothing has come of it. */
  private origin: MysqlChangesPosition | undefined

  constructor(
    private readonly options: CompleteChanges,
    private readonly connections: Connections,
    common: CommonOptions<Change>,
  ) {
    super(`mysql: reading changes of ${options.tables.map(({ table }) => table).join(', ')}`, connections, common)
  }

  protected begun(): void {
    this.origin = undefined
  }

  protected async ended(): Promise<void> {
    await this.session?.close()
    this.session = undefined
  }

  protected async *attempt(given: MysqlChangesPosition | undefined): AsyncGenerator<readonly Positioned[]> {
    const client = await loadClient<typeof import('@vlasky/zongji')>('@vlasky/zongji', '^0.9.0')
    const from = given ?? this.origin
    const { known, log } = await this.prepare(from)
    let at = from ?? { log, tables: {}, ranges: [] }
    const unread = known.filter(({ table }) => at.tables[table] === undefined)
    if (unread.length > 0) {
      if (this.options.withRows) at = yield* this.readRows(unread, from)
      else
        at = { ...at, tables: { ...at.tables, ...Object.fromEntries(unread.map((one) => [one.table, one.columns])) } }
    }
    this.origin ??= at
    yield* this.stream(at, known, client)
  }

  private prepare(from: MysqlChangesPosition | undefined) {
    return this.ask(async (connection) => {
      await demandLog(connection)
      const known = await prepareTables(connection, this.options.tables, this.options.withRows)
      if (from !== undefined) await demandPlace(connection, from.log)
      return { known, log: await endOfLog(connection) }
    })
  }

  /** The rows of tables that were not read to their end yet, as one view of the database shows them. */
  private async *readRows(unread: readonly KnownTable[], from: MysqlChangesPosition | undefined) {
    const view = await openView(this.connections)
    const { log } = view
    try {
      return yield* readTables<KeyValues, MysqlReadRange, MysqlChangesPosition, KnownTable>(
        unread,
        from ?? { log, tables: {}, ranges: [] },
        (table, after) => rowsOf(view, table, after, this.common.batch),
        (table, upTo) => ({ table, upTo, log }),
      )
    } finally {
      await this.connections.end(view.connection)
    }
  }

  private async *stream(
    from: MysqlChangesPosition,
    known: readonly KnownTable[],
    client: typeof import('@vlasky/zongji'),
  ): AsyncGenerator<readonly Positioned[]> {
    const start = { ...from, ranges: partsAhead(from.ranges, (range) => isBefore(from.log, range.log)) }
    const tables = [...new Set([...known.map(({ table }) => table), ...Object.keys(start.tables)])]
    const open = async (log: LogPlace) => {
      this.session = await BinlogSession.open(this.connections, client, {
        log,
        serverId: this.options.serverId,
        // Those that nobody wants any more are counted.
        tables,
        readAhead: this.common.batch,
        definitions: new Map(known.map((one) => [one.table, one.definitions])),
        lookUp: (table) => this.ask((connection) => definitionsOf(connection, table)),
      })
      return this.session
    }
    let session = await open(start.log)
    const comparison = new Comparison(this.connections)
    let pairs: Positioned[] = []
    const decoder = new Decoder(start, {
      known: new Map(known.map((one) => [one.table, one])),
      limit: this.common.batch,
      isShown: comparison.isShown,
      out: (pair) => pairs.push(pair),
      bad: (error, at, position) => this.common.deadLetters.add(error, { at } as never, position),
    })
    try {
      for (;;) {
        let message: LogMessage | undefined
        try {
          message = session.take()
        } catch (error) {
          // What the server could not finish before it was killed was taken back. It went on in another file.
          const next = isTorn(error) && (await this.ask((one) => fileAfter(one, decoder.log.file)))
          if (!next) throw error
          decoder.take({ tag: 'rotate', place: next })
          await session.close()
          session = await open(next)
        }
        if (message !== undefined) {
          const passed = decoder.take(message)
          if (passed !== undefined) await passed
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

  /** Asks the server something, on a connection for that alone. */
  private async ask<R>(question: (connection: Connection) => Promise<R>): Promise<R> {
    const connection = await this.connections.connect()
    try {
      return await question(connection)
    } finally {
      await this.connections.end(connection)
    }
  }
}
