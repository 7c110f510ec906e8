import { Socket } from 'node:net'
import type { Client, ClientConfig } from 'pg'
import type { StreamChecker } from '../../streams/check'
import { loadClient } from '../client'
import { safeError } from '../secrets'

type Pg = typeof import('pg')

/** A URL (`postgres://user:password@host/database`), or what `pg` takes: host, port, user, password, database, ssl … */
export type PostgresConnection = string | ClientConfig

export const CLIENT_RANGE = '^8.11.0'

export function loadPg(): Promise<Pg> {
  return loadClient<Pg>('pg', CLIENT_RANGE)
}

export function checkConnection(check: StreamChecker, connection: unknown): void {
  if (typeof connection === 'string' && /^postgres(ql)?:\/\//.test(connection)) return
  if (connection === undefined) check.problem("'connection' is missing: a URL, or what pg takes")
  // Without what it is: it may have a password in it.
  else if (typeof connection === 'string') check.problem("'connection' must begin with postgres://")
  else if (typeof connection !== 'object' || connection === null) {
    check.problem("'connection' must be a URL, or what pg takes")
  }
}

/** Texts of dates and times do not depend on how the server is set. */
const SETTINGS = '-c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres -c extra_float_digits=1'

/** How long the server may take to accept a connection, in milliseconds. */
const CONNECT_TIMEOUT = 10_000

/** Connections of one source or sink. Aborting `signal` ends the one that is open. */
export class Connections {
  private readonly open = new Set<Client>()

  constructor(
    private readonly connection: PostgresConnection,
    private readonly secrets: readonly string[],
  ) {}

  /** Connects. Errors of the connection come by its queries. */
  async connect(extra: ClientConfig & { replication?: 'database' } = {}): Promise<Client> {
    const pg = await loadPg()
    const given = typeof this.connection === 'string' ? { connectionString: this.connection } : this.connection
    const options = given.options === undefined ? SETTINGS : `${SETTINGS} ${given.options}`
    const client = new pg.Client({
      application_name: 'rxjs-python',
      connectionTimeoutMillis: CONNECT_TIMEOUT,
      keepAlive: true,
      stream: () => new Socket(),
      ...given,
      options,
      ...extra,
    } as ClientConfig)
    // Each query that waits gets it, too.
    client.on('error', () => {})
    this.open.add(client)
    client.once('end', () => this.open.delete(client))
    try {
      await client.connect()
    } catch (error) {
      this.open.delete(client)
      throw this.safe(error)
    }
    return client
  }

  async end(client: Client | undefined): Promise<void> {
    if (client === undefined) return
    this.open.delete(client)
    await client.end().catch(() => {})
  }

  /** Ends all of them at once: what waits for an answer gets an error. */
  cut(): void {
    for (const client of this.open) socketOf(client).destroy()
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

/** What is beneath the client, for what its types do not have. */
export interface RawConnection {
  readonly stream: Socket
  on(event: 'copyData', listener: (message: { chunk: Buffer }) => void): void
  once(event: 'replicationStart', listener: () => void): void
  sendCopyFromChunk(chunk: Buffer): void
}

export function rawOf(client: Client): RawConnection {
  return (client as unknown as { connection: RawConnection }).connection
}

export function socketOf(client: Client): Socket {
  return rawOf(client).stream
}

/** Classes of SQLSTATE that pass: connection, resources, the operator's doing, a serialization or a deadlock. */
const PASSING = new Set(['08', '53', '57', '40'])
const PASSING_CODES = new Set(['55006', '55P03', '25006', '25P03'])

/** Whether another attempt may succeed: the server is away, is starting, or is short of something. */
export function isPassing(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  // Five letters without a digit are Node's (EPIPE), not the server's.
  if (typeof code === 'string' && /^(?=.*\d)[0-9A-Z]{5}$/.test(code)) {
    return PASSING.has(code.slice(0, 2)) || PASSING_CODES.has(code)
  }
  if (typeof code === 'string') return /^(E(?!RR_)[A-Z_]+|ERR_(SOCKET|STREAM)_.*)$/.test(code)
  const message = error instanceof Error ? error.message : ''
  return /^Connection terminated|^timeout expired|connection (was )?(closed|ended)|not queryable|closed the connection/i.test(
    message,
  )
}

/** Whether the database refused what a row has: a value, a constraint. */
export function isAboutData(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' && /^(21|22|23)[0-9A-Z]{3}$/.test(code)
}

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** `table` or `schema.table`, quoted; tables without a schema are in `public`. */
export function quotedTable(table: string): string {
  return schemaAndName(table).map(quoted).join('.')
}

export function schemaAndName(table: string): [schema: string, name: string] {
  const dot = table.indexOf('.')
  return dot < 0 ? ['public', table] : [table.slice(0, dot), table.slice(dot + 1)]
}
