import type { Connection as RawConnection } from 'mysql2'
import type { Connection, ConnectionOptions } from 'mysql2/promise'
import type { StreamChecker } from '../../streams/check'
import { loadClient } from '../client'
import { safeError } from '../secrets'

type MySql = typeof import('mysql2')

/** A URL (`mysql://user:password@host/database`), or what `mysql2` takes: host, port, user, password, database, ssl … */
export type MysqlConnection = string | ConnectionOptions

export function checkConnection(check: StreamChecker, connection: unknown): void {
  if (typeof connection === 'string' && /^(mysql|mariadb):\/\//.test(connection)) return
  if (connection === undefined) check.problem("'connection' is missing: a URL, or what mysql2 takes")
  // Without what it is: it may have a password in it.
  else if (typeof connection === 'string') check.problem("'connection' must begin with mysql://")
  else if (typeof connection !== 'object' || connection === null) {
    check.problem("'connection' must be a URL, or what mysql2 takes")
  }
}

/** The database that it leads to. */
export function databaseOf(connection: MysqlConnection | undefined): string | undefined {
  if (typeof connection !== 'string') return connection?.database
  try {
    return decodeURIComponent(new URL(connection).pathname.slice(1)) || undefined
  } catch {
    return undefined
  }
}

/** How long the server may take to accept a connection, in milliseconds. */
const CONNECT_TIMEOUT = 10_000

/** Dates and times are texts, in UTC; whole numbers that a double does not hold are texts, too; nothing is cut to fit. */
const VALUES = { dateStrings: true, supportBigNumbers: true, timezone: 'Z' } as const
const SESSION = `SET SESSION autocommit = 1, time_zone = '+00:00', sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')`

/** What has connections of its own. */
export interface Cuttable {
  cut(): void
}

/** Connections of one source or sink. */
export class Connections {
  private readonly open = new Map<Connection, RawConnection>()
  private readonly others = new Set<Cuttable>()

  constructor(
    private readonly connection: MysqlConnection,
    private readonly secrets: readonly string[],
  ) {}

  /** What `mysql2` is given, and what is built on it. */
  options(extra: ConnectionOptions = {}): ConnectionOptions {
    const given =
      typeof this.connection === 'string' ? { uri: this.connection.replace(/^mariadb:/, 'mysql:') } : this.connection
    return { connectTimeout: CONNECT_TIMEOUT, ...given, ...VALUES, ...extra } as never
  }

  async connect(extra: ConnectionOptions = {}): Promise<Connection> {
    const mysql = await loadClient<MySql>('mysql2', '^3.9.0')
    const raw = mysql.createConnection(this.options(extra) as never)
    // Each query that waits gets it, too.
    raw.on('error', () => {})
    const connection = raw.promise() as Connection
    this.open.set(connection, raw)
    try {
      await connection.connect()
      await connection.query(SESSION)
      return connection
    } catch (error) {
      this.drop(connection)
      throw this.safe(error)
    }
  }

  /** Says good-bye, so that the server lets go of what the connection holds. */
  async end(connection: Connection | undefined): Promise<void> {
    if (connection === undefined || !this.open.delete(connection)) return
    await connection.end().catch(() => connection.destroy())
  }

  drop(connection: Connection): void {
    this.open.delete(connection)
    connection.destroy()
  }

  /** Something else that is to end with them. */
  own(other: Cuttable): void {
    this.others.add(other)
  }

  disown(other: Cuttable): void {
    this.others.delete(other)
  }

  /** Ends all of them at once: what waits for an answer gets an error. */
  cut(): void {
    for (const other of this.others) other.cut()
    this.others.clear()
    for (const [connection, raw] of this.open) {
      // Not with a code that the client takes for the end that was asked for: its queries would wait for ever.
      const { stream } = raw as unknown as { stream?: { destroy(error?: Error): void } }
      stream?.destroy(Object.assign(new Error('the connection was cut'), { code: 'PROTOCOL_CONNECTION_LOST' }))
      connection.destroy()
    }
    this.open.clear()
  }

  /** The error without what nobody may see. */
  safe(error: unknown): unknown {
    return safeError(error, this.secrets)
  }

  isPassing(error: unknown): boolean {
    return isPassing(error)
  }
}

const PASSING = new Set([
  'PROTOCOL_CONNECTION_LOST',
  'ER_CON_COUNT_ERROR',
  'ER_SERVER_SHUTDOWN',
  'ER_LOCK_DEADLOCK',
  'ER_LOCK_WAIT_TIMEOUT',
  'ER_CONNECTION_KILLED',
  'ER_NORMAL_SHUTDOWN',
  'ER_QUERY_INTERRUPTED',
])

/** Whether another attempt may succeed: the server is away, is starting, or is short of something. */
export function isPassing(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  if (typeof code === 'string' && (PASSING.has(code) || /^E(?!RR?_)[A-Z_]+$/.test(code))) return true
  const message = error instanceof Error ? error.message : ''
  return /closed state|connection (is|was) (closed|lost)|server closed the connection/i.test(message)
}

/** Of MySQL and MariaDB, where the class of the state does not tell: a value of the wrong kind, a check, no default. */
const ABOUT_DATA = new Set([1264, 1265, 1292, 1364, 1366, 1406, 3819, 4025])

/** Whether the database refused what a row has: a value, a constraint. */
export function isAboutData(error: unknown): boolean {
  const { errno, sqlState } = error as { errno?: number; sqlState?: string }
  return /^2[123]/.test(sqlState ?? '') || ABOUT_DATA.has(errno ?? 0)
}

export function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}

/** `table`, or `database.table`, quoted. */
export function quotedTable(table: string): string {
  return table.split('.').map(quoted).join('.')
}
