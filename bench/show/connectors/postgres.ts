import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { LogicalReplicationService, type Pgoutput, PgoutputPlugin } from 'pg-logical-replication'
import { definition, installation, url } from '../../../test/services/servers/postgres'
import { type Connector, entry, type Item, insertedRows } from './connector'

type Postgres = typeof import('../../../lib/connectors/postgres')

const WRITTEN = 1000

/** Rows into a table by the client alone, which connects: a statement for each thousand. */
async function writeAlone(connection: string, table: string, items: readonly Item[]): Promise<void> {
  const sql = await connected(connection)
  await write(sql, table, items)
  await sql.end()
}

async function write(sql: Client, table: string, items: readonly Item[]): Promise<void> {
  for (let from = 0; from < items.length; from += WRITTEN) {
    const batch = items.slice(from, from + WRITTEN)
    const values = batch.map((_, at) => `($${at * 2 + 1}, $${at * 2 + 2})`).join(', ')
    await sql.query(
      `INSERT INTO ${table} (at, text) VALUES ${values} ON CONFLICT (at) DO UPDATE SET text = EXCLUDED.text`,
      batch.flatMap(({ at, text }) => [at, text]),
    )
  }
}

/** Changes that come after the slot was made, as the row alone. */
export const postgresLog: Connector = {
  name: 'PostgreSQL changes',
  installation,
  definition,
  async place(server) {
    const { postgresChanges, postgresSink } = entry<Postgres>('postgres')
    const connection = url(server.port)
    const name = `show_${randomBytes(4).toString('hex')}`
    const [input, output] = [`${name}_in`, `${name}_out`]
    let sql = await connected(connection)
    for (const table of [input, output]) await sql.query(`CREATE TABLE ${table} (at int PRIMARY KEY, text text)`)
    await sql.query(`CREATE PUBLICATION ${name} FOR TABLE ${input}`)
    await sql.query(`SELECT pg_create_logical_replication_slot('${name}', 'pgoutput')`)
    const changes = () => postgresChanges({ connection, tables: [input], slot: name, snapshot: 'never' })
    return {
      fill: (items) => write(sql, input, items),
      source: () => insertedRows(changes()),
      sink: () => postgresSink<Item>({ connection, table: output, key: 'at', name }),
      async results() {
        // The server was killed, and the connection with it.
        sql = await connected(connection)
        return (await sql.query<{ at: number }>(`SELECT at FROM ${output}`)).rows.map(({ at }) => at)
      },
      clientReads: (count) => readByService(connection, name, count),
      clientWrites: (items) => writeAlone(connection, output, items),
      close: () => sql.end().catch(() => {}),
    }
  },
}

/** With the guarantee that the client alone has: rows go to the table at once, and may come again after a crash. */
export const postgresUpserts: Connector = {
  ...postgresLog,
  name: 'PostgreSQL upserts, at least once',
  async place(server) {
    const { postgresSink } = entry<Postgres>('postgres')
    const connection = url(server.port)
    const table = `show_${randomBytes(4).toString('hex')}`
    let sql = await connected(connection)
    await sql.query(`CREATE TABLE ${table} (at int PRIMARY KEY, text text)`)
    return {
      sink: () => postgresSink<Item>({ connection, table, key: 'at', delivery: 'at-least-once' }),
      async results() {
        // The server was killed, and the connection with it.
        sql = await connected(connection)
        return (await sql.query<{ at: number }>(`SELECT at FROM ${table}`)).rows.map(({ at }) => at)
      },
      clientWrites: (items) => writeAlone(connection, table, items),
      close: () => sql.end().catch(() => {}),
    }
  },
}

/** Without the order of a log, or its positions: the rows of a query. */
export const postgresRows: Connector = {
  ...postgresLog,
  name: 'PostgreSQL query',
  async place(server) {
    const { postgresQuery } = entry<Postgres>('postgres')
    const connection = url(server.port)
    const table = `show_${randomBytes(4).toString('hex')}`
    const sql = await connected(connection)
    await sql.query(`CREATE TABLE ${table} (at int PRIMARY KEY, text text)`)
    return {
      fill: (items) => write(sql, table, items),
      source: () => postgresQuery<Item>({ connection, query: `SELECT * FROM ${table}`, key: 'at' }),
      async clientReads(count) {
        const alone = await connected(connection)
        let got = 0
        for (let after = -1; got < count; ) {
          const { rows: page } = await alone.query<Item>(
            `SELECT * FROM ${table} WHERE at > $1 ORDER BY at LIMIT ${WRITTEN}`,
            [after],
          )
          got += page.length
          after = page.at(-1)!.at
        }
        await alone.end()
      },
      close: () => sql.end().catch(() => {}),
    }
  },
}

async function connected(connection: string): Promise<Client> {
  const sql = new Client(connection)
  sql.on('error', () => {})
  await sql.connect()
  return sql
}

/** The client's own service, which acknowledges what has come. */
async function readByService(connection: string, name: string, count: number): Promise<void> {
  const service = new LogicalReplicationService({ connectionString: connection })
  let got = 0
  const done = new Promise<void>((resolve, reject) => {
    service.on('error', reject)
    service.on('data', (_lsn: string, message: Pgoutput.Message) => {
      if (message.tag === 'insert' && ++got === count) resolve()
    })
  })
  const reading = service.subscribe(new PgoutputPlugin({ protoVersion: 1, publicationNames: [name] }), name)
  reading.catch(() => {})
  await done
  await service.destroy()
}
