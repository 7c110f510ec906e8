import { randomBytes } from 'node:crypto'
import type { Client } from 'pg'
import type { Row } from '../tables/change'
import { type Connections, quoted, quotedTable } from './connection'
import { columnsOf, type KnownTable } from './setup'
import { type ParseValue, rowBehind, typesBehind } from './types'

/** A view of the database at one place in its log. */
export interface View {
  readonly client: Client
  /** It shows all transactions that were committed before this, and none after. */
  readonly lsn: string
}

/**
 * Opens a view whose place in the log is known: the server tells both when it makes a slot. This one is temporary and is
 * gone as soon as the view is there; the one that the stream uses holds the log.
 */
export async function openView(connections: Connections): Promise<View> {
  const maker = await connections.connect({ replication: 'database' })
  let client: Client | undefined
  try {
    const slot = `rxjs_python_${randomBytes(6).toString('hex')}`
    const made = await maker.query<{ snapshot_name: string; consistent_point: string }>(
      `CREATE_REPLICATION_SLOT ${slot} TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT`,
    )
    const { snapshot_name, consistent_point } = made.rows[0]!
    client = await connections.connect()
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    await client.query(`SET TRANSACTION SNAPSHOT '${snapshot_name.replaceAll("'", "''")}'`)
    return { client, lsn: consistent_point }
  } catch (error) {
    await connections.end(client)
    throw error
  } finally {
    await connections.end(maker)
  }
}

/** Rows with the texts of their keys, in the order of the keys, from behind `after` on. */
export async function* rowsOf(
  { client }: View,
  parserOf: ParseValue,
  { table, key, columns }: KnownTable,
  after: readonly string[] | undefined,
  page: number,
): AsyncGenerator<(readonly [row: Row, key: readonly string[]])[]> {
  const names = columnsOf(columns).map(([name]) => name)
  // With the table's name: the texts in the result are called the same.
  const parts = key.map(({ name }) => `rows.${quoted(name)}`)
  const from = after === undefined ? '' : `WHERE (${parts.join(', ')}) > (${castsOf(key, 1)})`
  const texts = parts.map((part) => `${part}::text`).join(', ')
  await client.query(
    `DECLARE reading NO SCROLL CURSOR FOR SELECT ${texts}, ${names.map(quoted).join(', ')} ` +
      `FROM ${quotedTable(table)} AS rows ${from} ORDER BY ${parts.join(', ')}`,
    after === undefined ? undefined : [...after],
  )
  const fetch = () =>
    client.query<unknown[]>({
      text: `FETCH ${page} FROM reading`,
      rowMode: 'array',
      types: typesBehind(key.length, parserOf),
    })
  let coming = fetch()
  for (;;) {
    const { rows } = await coming
    // The next page comes while this one is worked off.
    const more = rows.length === page
    if (more) {
      coming = fetch()
      coming.catch(() => {})
    }
    if (rows.length > 0) {
      yield rows.map(
        (values) => [rowBehind(key.length, names, values), values.slice(0, key.length) as string[]] as const,
      )
    }
    if (!more) break
  }
  await client.query('CLOSE reading')
}

/** Parameters from `$from` on, as the types of the key's columns. */
export function castsOf(key: KnownTable['key'], from: number): string {
  return key.map(({ type }, at) => `$${from + at}::${type}`).join(', ')
}
