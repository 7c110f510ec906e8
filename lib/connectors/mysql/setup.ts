import type { Connection, RowDataPacket } from 'mysql2/promise'
import { DatabaseError } from '../../errors'
import type { WantedTable } from '../tables/options'
import { columnsText, type Definition } from './columns'
import type { LogPlace } from './position'

/** A table as the source needs to know it. */
export interface KnownTable {
  /** `database.table`. */
  readonly table: string
  /** The columns of its primary key, or those that the options name. */
  readonly key: readonly Definition[]
  readonly definitions: readonly Definition[]
  /** Names and types of its columns, as JSON. */
  readonly columns: string
}

interface Demand {
  readonly name: string
  readonly value: RegExp
  readonly cure: string
  /** Where the server has no such variable. */
  readonly without?: string
}

const DEMANDS: readonly Demand[] = [
  {
    name: 'log_bin',
    value: /^(ON|1)$/,
    cure: 'the server writes no binlog: set log_bin and server_id in its configuration, and restart it',
  },
  { name: 'binlog_format', value: /^ROW$/, cure: "set binlog_format = 'ROW' in the server's configuration" },
  { name: 'binlog_row_image', value: /^FULL$/, cure: "set binlog_row_image = 'FULL' in the server's configuration" },
  {
    name: 'binlog_row_metadata',
    value: /^FULL$/,
    cure: "set binlog_row_metadata = 'FULL' in the server's configuration",
    without: 'the server is too old: it takes MariaDB 10.5 or MySQL 8.0',
  },
  { name: 'binlog_transaction_compression', value: /^(OFF|0)$/, cure: 'set binlog_transaction_compression = OFF' },
  { name: 'binlog_row_value_options', value: /^$/, cure: "set binlog_row_value_options = ''" },
]

/** Where the first event of a file is. */
const FIRST = 4

/** Sees that the server writes a log with all that is needed.. */
export async function demandLog(connection: Connection): Promise<void> {
  const names = DEMANDS.map(({ name }) => name)
  const [rows] = await connection.query<RowDataPacket[]>('SHOW GLOBAL VARIABLES WHERE Variable_name IN (?)', [names])
  const values = new Map(rows.map((row) => [String(row.Variable_name).toLowerCase(), String(row.Value)]))
  const problems: string[] = []
  for (const { name, value, cure, without } of DEMANDS) {
    const is = values.get(name)
    if (is === undefined && without !== undefined) problems.push(without)
    else if (is !== undefined && !value.test(is)) problems.push(`${name} is '${is}': ${cure}`)
  }
  if (problems.length > 0) throw new DatabaseError('ERR_DATABASE_SETUP', `mysql: ${problems.join('; ')}`)
}

export async function isMariaDb(connection: Connection): Promise<boolean> {
  const [[row]] = await connection.query<RowDataPacket[]>('SELECT VERSION() AS version')
  return /mariadb/i.test(String(row!.version))
}

/** Looks the tables up. `views`: their rows will be read, too, as they are at one moment. */
export async function prepareTables(
  connection: Connection,
  wanted: readonly WantedTable[],
  views: boolean,
): Promise<readonly KnownTable[]> {
  const problems: string[] = []
  const known: KnownTable[] = []
  for (const one of wanted) {
    const found = await lookUp(connection, one, views)
    if (typeof found === 'string') problems.push(found)
    else known.push(found)
  }
  if (problems.length > 0) throw new DatabaseError('ERR_DATABASE_SETUP', `mysql: ${problems.join('; ')}`)
  return known
}

/** The columns of a table as they are now; empty where it is not there (any more). */
export async function definitionsOf(connection: Connection, table: string): Promise<readonly Definition[]> {
  const names = databaseAndName(table)
  const [columns] = await connection.query<RowDataPacket[]>(
    'SELECT COLUMN_NAME AS name, COLUMN_TYPE AS type, DATA_TYPE AS kind, CHARACTER_SET_NAME AS charset, ' +
      'COLLATION_NAME AS collation FROM information_schema.COLUMNS ' +
      'WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION',
    names,
  )
  const json = new Set<string>()
  if (await isMariaDb(connection)) {
    const [checks] = await connection.query<RowDataPacket[]>(
      'SELECT CHECK_CLAUSE AS clause FROM information_schema.CHECK_CONSTRAINTS ' +
        "WHERE CONSTRAINT_SCHEMA = ? AND TABLE_NAME = ? AND CHECK_CLAUSE LIKE 'json_valid(%'",
      names,
    )
    for (const { clause } of checks) json.add(String(clause).replace(/^json_valid\(`(.*)`\)$/, '$1'))
  }
  return columns.map(({ name, type, kind, charset, collation }) => {
    const lower = String(kind).toLowerCase()
    return { name, type: String(type), kind: lower, charset, collation, json: lower === 'json' || json.has(name) }
  })
}

/** Types that a key may have: whose order is the same here and in the server, or can be asked for. */
const KEYS =
  /^((tiny|small|medium|big)?int|decimal|year|date|datetime|timestamp|time|(var)?(char|binary)|(tiny|medium|long)?(text|blob)|uuid|inet[46])$/

async function lookUp(
  connection: Connection,
  { table, key }: WantedTable,
  views: boolean,
): Promise<KnownTable | string> {
  const [[found]] = await connection.query<RowDataPacket[]>(
    'SELECT t.TABLE_TYPE AS type, t.ENGINE AS engine, e.TRANSACTIONS AS transactions FROM information_schema.TABLES t ' +
      'LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE WHERE t.TABLE_SCHEMA = ? AND t.TABLE_NAME = ?',
    databaseAndName(table),
  )
  if (found === undefined) return `there is no table ${table}`
  if (/VIEW/.test(String(found.type))) return `${table} is a view: name the tables that it shows`
  if (views && found.transactions !== 'YES') {
    return (
      `${table} is of ${found.engine}, whose rows cannot be read as they are at one moment: ALTER TABLE ${table} ` +
      "ENGINE = InnoDB, or snapshot: 'never'"
    )
  }
  const [primary] = await connection.query<RowDataPacket[]>(
    "SELECT COLUMN_NAME AS name FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND INDEX_NAME = 'PRIMARY' " +
      'ORDER BY SEQ_IN_INDEX',
    databaseAndName(table),
  )
  const names = key ?? primary.map(({ name }) => name as string)
  if (names.length === 0) return `${table} has no primary key: say in 'tables' what else is unique, as { name, key }`
  const definitions = await definitionsOf(connection, table)
  const parts = names.map((name) => definitions.find((one) => one.name === name))
  const missing = names.filter((_, at) => parts[at] === undefined)
  if (missing.length > 0) return `${table} has no column ${missing.join(', ')}`
  const strange = parts.filter((part) => !KEYS.test(part!.kind))
  if (strange.length > 0) {
    const what = strange.map((part) => `${part!.name} (${part!.kind})`).join(', ')
    return `the key of ${table} has ${what}, which rows cannot be put into order by: say in 'tables' what else is unique`
  }
  return { table, key: parts.map((part) => part!), definitions, columns: columnsText(definitions) }
}

export function databaseAndName(table: string): [database: string, name: string] {
  const dot = table.indexOf('.')
  return [table.slice(0, dot), table.slice(dot + 1)]
}

/** Where the next transaction will be written. */
export async function endOfLog(connection: Connection): Promise<LogPlace> {
  const [[row]] = await connection
    .query<RowDataPacket[]>('SHOW MASTER STATUS')
    // MySQL 8.4 knows it by another name.
    .catch((error) => {
      if ((error as { errno?: number }).errno !== 1064) throw error
      return connection.query<RowDataPacket[]>('SHOW BINARY LOG STATUS')
    })
  return { file: String(row!.File), position: Number(row!.Position) }
}

/** Sees that the server still has what lies behind a place. */
export async function demandPlace(connection: Connection, { file, position }: LogPlace): Promise<void> {
  const [rows] = await connection.query<RowDataPacket[]>('SHOW BINARY LOGS')
  const there = rows.find((row) => row.Log_name === file)
  if (there === undefined) {
    const first = rows[0] === undefined ? 'there are none' : `the first one is ${rows[0].Log_name}`
    throw lostLog(`the server has no binlog ${file} any more, in which the position is to go on from: ${first}`)
  }
  if (Number(there.File_size) < position) {
    throw lostLog(`${file} has ${there.File_size} bytes, and the position to go on from is ${position}`)
  }
}

/** The beginning of the next file, where there is one. */
export async function fileAfter(connection: Connection, file: string): Promise<LogPlace | undefined> {
  const [rows] = await connection.query<RowDataPacket[]>('SHOW BINARY LOGS')
  const at = rows.findIndex((row) => row.Log_name === file)
  const next = at < 0 ? undefined : rows[at + 1]
  return next && { file: String(next.Log_name), position: FIRST }
}

export function lostLog(why: string, options?: ErrorOptions): DatabaseError {
  return new DatabaseError(
    'ERR_DATABASE_LOG',
    `mysql: ${why}: changes are lost. Start without the old checkpoint, and let the server keep its binlogs for longer`,
    options,
  )
}
