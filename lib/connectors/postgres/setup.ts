import type { Client } from 'pg'
import { DatabaseError } from '../../errors'
import type { WantedTable } from '../tables/options'
import { quoted, quotedTable, schemaAndName } from './connection'

/** A table as the source needs to know it. */
export interface KnownTable {
  /** `schema.table`. */
  readonly table: string
  /** The columns of its primary key, or those that the options name, with what a comparison in SQL needs. */
  readonly key: readonly KeyColumn[]
  /** Names and type numbers of its columns, as JSON. */
  readonly columns: string
}

export interface KeyColumn {
  readonly name: string
  /** For a cast. */
  readonly type: string
}

export interface SlotNames {
  readonly slot: string
  readonly publication: string
}

/** Looks the tables up, and sees that the log will have what is needed of them. */
export async function prepareTables(
  client: Client,
  wanted: readonly WantedTable[],
  full: boolean,
): Promise<readonly KnownTable[]> {
  const problems: string[] = []
  const known: KnownTable[] = []
  for (const one of wanted) {
    const { table, identity, problem } = await lookUp(client, one)
    if (table === undefined) problems.push(problem)
    else {
      known.push(table)
      if (full && identity !== 'f') await client.query(`ALTER TABLE ${quotedTable(table.table)} REPLICA IDENTITY FULL`)
    }
  }
  if (problems.length > 0) throw new DatabaseError('ERR_DATABASE_SETUP', `postgres: ${problems.join('; ')}`)
  return known
}

type LookedUp =
  | { table: KnownTable; identity: string; problem?: undefined }
  | { table?: undefined; identity?: undefined; problem: string }

async function lookUp(client: Client, { table, key }: WantedTable): Promise<LookedUp> {
  const { rows } = await client.query<{ identity: string; columns: Column[]; primary: string[] | null }>(
    `SELECT c.relreplident::text AS identity,
       (SELECT json_agg(json_build_object('name', attname, 'type', format_type(atttypid, atttypmod) ||
          CASE WHEN attcollation IN (0, 100) THEN '' ELSE ' COLLATE ' || attcollation::regcollation END, 'oid', atttypid::bigint,
          'generated', attgenerated <> '') ORDER BY attnum)
        FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) AS columns,
       (SELECT json_agg(a.attname ORDER BY k.place)
        FROM pg_index i, unnest(i.indkey) WITH ORDINALITY AS k (attnum, place), pg_attribute a
        WHERE i.indrelid = c.oid AND i.indisprimary AND a.attrelid = c.oid AND a.attnum = k.attnum) AS primary
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')`,
    schemaAndName(table),
  )
  const row = rows[0]
  if (row === undefined) return { problem: `there is no table ${table}` }
  const { identity, columns, primary } = row
  if (identity === 'n' || (identity === 'd' && primary === null)) {
    return {
      problem:
        `${table} has no primary key, so its updates and deletes could not be told apart: ALTER TABLE ${table} ADD PRIMARY KEY …, ` +
        'or REPLICA IDENTITY FULL',
    }
  }
  const names = key ?? primary
  if (names === null)
    return { problem: `${table} has no primary key: say in 'tables' what else is unique, as { name, key }` }
  const parts = names.map((name) => columns.find((column) => column.name === name))
  const missing = names.filter((_, at) => parts[at] === undefined)
  if (missing.length > 0) return { problem: `${table} has no column ${missing.join(', ')}` }
  return {
    table: { table, key: parts.map((part) => ({ name: part!.name, type: part!.type })), columns: columnsText(columns) },
    identity,
  }
}

interface Column {
  name: string
  type: string
  oid: number
  generated: boolean
}

/** What a schema is compared by: names and type numbers, in their order. Generated columns are not in the log. */
function columnsText(columns: readonly Column[]): string {
  return JSON.stringify(columns.filter(({ generated }) => !generated).map(({ name, oid }) => [name, oid]))
}

/** The pairs in the text that `KnownTable.columns` is. */
export function columnsOf(text: string): readonly (readonly [name: string, oid: number])[] {
  return JSON.parse(text) as [string, number][]
}

/** Makes the publication, or adds the tables that it lacks. */
export async function ensurePublication(client: Client, publication: string, tables: readonly string[]): Promise<void> {
  const { rows } = await client.query<{ all: boolean }>(
    'SELECT puballtables AS "all" FROM pg_publication WHERE pubname = $1',
    [publication],
  )
  const list = (names: readonly string[]) => names.map(quotedTable).join(', ')
  if (rows.length === 0) {
    await client.query(
      `CREATE PUBLICATION ${quoted(publication)} FOR TABLE ${list(tables)} WITH (publish_via_partition_root = true)`,
    )
    return
  }
  const { rows: there } = await client.query<{ table: string }>(
    `SELECT schemaname || '.' || tablename AS table FROM pg_publication_tables WHERE pubname = $1`,
    [publication],
  )
  const published = new Set(there.map(({ table }) => table))
  const missing = tables.filter((table) => !published.has(table))
  if (missing.length > 0) await client.query(`ALTER PUBLICATION ${quoted(publication)} ADD TABLE ${list(missing)}`)
}

/** Up to where the changes of the slot are confirmed. Makes it where it is missing, unless what came since `from` would be. */
export async function ensureSlot(client: Client, slot: string, from: string | undefined): Promise<string> {
  const { rows } = await client.query<{ lsn: string | null; plugin: string; state: string | null }>(
    'SELECT confirmed_flush_lsn::text AS lsn, plugin, wal_status AS state FROM pg_replication_slots WHERE slot_name = $1',
    [slot],
  )
  const there = rows[0]
  if (there === undefined) {
    if (from !== undefined) throw lostLog(slot, 'is not there any more', from)
    const { rows: made } = await client.query<{ lsn: string }>(
      `SELECT lsn::text FROM pg_create_logical_replication_slot($1, 'pgoutput')`,
      [slot],
    )
    return made[0]!.lsn
  }
  if (there.plugin !== 'pgoutput' || there.lsn === null) {
    throw new DatabaseError(
      'ERR_DATABASE_SETUP',
      `postgres: the slot '${slot}' is not one of pgoutput, the plugin that this source reads: choose another 'slot'`,
    )
  }
  if (there.state === 'lost') throw lostLog(slot, 'fell behind max_slot_wal_keep_size', from ?? there.lsn)
  return there.lsn
}

export function lostLog(slot: string, why: string, from: string): DatabaseError {
  return new DatabaseError(
    'ERR_DATABASE_LOG',
    `postgres: the slot '${slot}' ${why}, and the position to go on from is ${from}: changes are lost. Drop the slot ` +
      '(dropPostgresSlot), and start without the old checkpoint',
  )
}

/** Sees that the server writes what logical decoding needs. */
export async function demandLogical(client: Client): Promise<void> {
  const { rows } = await client.query<{ level: string }>(`SELECT current_setting('wal_level') AS level`)
  if (rows[0]!.level === 'logical') return
  throw new DatabaseError(
    'ERR_DATABASE_SETUP',
    `postgres: wal_level is '${rows[0]!.level}': set it to 'logical' in postgresql.conf, and restart the server`,
  )
}
