import type { Connection, RowDataPacket } from 'mysql2/promise'
import type { Row } from '../tables/change'
import { parseJson, shortFloat } from './columns'
import { type Connections, quoted, quotedTable } from './connection'
import { behind, type KeyValues, keyValue } from './keys'
import type { LogPlace } from './position'
import { endOfLog, isMariaDb, type KnownTable } from './setup'

/** A view of the database at one place in its log. */
export interface View {
  readonly connection: Connection
  /** It shows all transactions that begin before this, and none after. */
  readonly log: LogPlace
}

const BEGIN = 'START TRANSACTION WITH CONSISTENT SNAPSHOT'
/** Seconds that a lock may be waited for: behind it everybody else waits. */
const LOCK_PATIENCE = 5

/**
 * Opens a view whose place in the log is known. MariaDB tells it; `lock`, and MySQL, keep all from writing for the moment
 * in which the view is made.
 */
export async function openView(connections: Connections, lock = false): Promise<View> {
  const connection = await connections.connect({ jsonStrings: true })
  try {
    await connection.query('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ')
    if (!lock && (await isMariaDb(connection))) {
      await connection.query(BEGIN)
      const [rows] = await connection.query<RowDataPacket[]>("SHOW STATUS LIKE 'binlog_snapshot_%'")
      const status = new Map(rows.map((row) => [String(row.Variable_name).toLowerCase(), String(row.Value)]))
      const file = status.get('binlog_snapshot_file')
      const position = Number(status.get('binlog_snapshot_position'))
      if (file !== undefined && position > 0) return { connection, log: { file, position } }
      await connection.query('ROLLBACK')
    }
    await connection.query(`SET SESSION lock_wait_timeout = ${LOCK_PATIENCE}`)
    await connection.query('FLUSH TABLES WITH READ LOCK')
    await connection.query(BEGIN)
    const log = await endOfLog(connection)
    await connection.query('UNLOCK TABLES')
    return { connection, log }
  } catch (error) {
    connections.drop(connection)
    throw error
  }
}

const EXACT = /int$|^decimal$|^year$/

/** Rows with the values of their keys, in the order of the keys, from behind `after` on. */
export async function* rowsOf(
  { connection }: View,
  { table, key, definitions }: KnownTable,
  after: KeyValues | undefined,
  page: number,
): AsyncGenerator<(readonly [row: Row, key: KeyValues])[]> {
  // Single precision is cut to six digits where it is shown.
  const columns = definitions.map(({ name, kind }) =>
    kind === 'float' ? `${quoted(name)} + 0e0 AS ${quoted(name)}` : quoted(name),
  )
  const names = key.map(({ name }) => name)
  const order = names.map(quoted).join(', ')
  const fetch = async (from: KeyValues | undefined) => {
    const { where, values } = from === undefined ? { where: '', values: [] } : behind(names, from)
    const sql = `SELECT ${columns.join(', ')} FROM ${quotedTable(table)} ${where} ORDER BY ${order} LIMIT ${page}`
    const [rows] = await connection.query<RowDataPacket[][]>({ sql, values, rowsAsArray: true })
    return rows as unknown as unknown[][]
  }
  const places = key.map(({ name, kind }) => ({
    at: definitions.findIndex((one) => one.name === name),
    exact: EXACT.test(kind),
  }))
  const keyOf = (values: readonly unknown[]) => places.map(({ at, exact }) => keyValue(values[at], exact))
  const mends = definitions.map(({ kind, json }) => (json ? parseJson : kind === 'float' ? shortFloat : undefined))
  const rowOf = (values: readonly unknown[]): Row => {
    const row: Record<string, unknown> = {}
    for (let at = 0; at < values.length; at++) {
      const mend = mends[at]
      row[definitions[at]!.name] = mend === undefined ? values[at] : mend(values[at])
    }
    return row
  }
  let coming = fetch(after)
  for (;;) {
    const rows = await coming
    // The next page comes while this one is worked off.
    const more = rows.length === page
    if (more) {
      coming = fetch(keyOf(rows.at(-1)!))
      coming.catch(() => {})
    }
    if (rows.length > 0) yield rows.map((values) => [rowOf(values), keyOf(values)] as const)
    if (!more) break
  }
}
