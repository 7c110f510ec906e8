import { randomBytes } from 'node:crypto'
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import type { MysqlChangesPosition } from '../../../lib/connectors/mysql'
import { definition, installation, url } from '../../../test/services/servers/mariadb'
import { type Connector, entry, type Item, insertedRows } from './connector'

type Mysql = typeof import('../../../lib/connectors/mysql')

const WRITTEN = 1000
const COLUMNS = '[["at","int"],["text","text"]]'

/** Rows into a table by the client alone: a statement for each thousand. */
async function write(sql: Connection, table: string, items: readonly Item[]): Promise<void> {
  for (let from = 0; from < items.length; from += WRITTEN) {
    const values = items.slice(from, from + WRITTEN).map(({ at, text }) => [at, text])
    await sql.query(`INSERT INTO ${table} VALUES ? ON DUPLICATE KEY UPDATE text = VALUES(text)`, [values])
  }
}

/** Changes that come after the place is made, as the row alone. */
export const mysqlLog: Connector = {
  name: 'MariaDB changes',
  timed: 500_000,
  installation,
  definition,
  async place(server) {
    const { mysqlChanges, mysqlSink } = entry<Mysql>('mysql')
    const connection = url(server.port)
    const name = `show_${randomBytes(4).toString('hex')}`
    const [input, output] = [`${name}_in`, `${name}_out`]
    const sql = await createConnection(connection)
    // The server is killed.
    sql.on('error', () => {})
    for (const table of [input, output]) await sql.query(`CREATE TABLE ${table} (at INT PRIMARY KEY, text TEXT)`)
    const [[status]] = await sql.query<RowDataPacket[]>('SHOW MASTER STATUS')
    const log = { file: String(status!.File), position: Number(status!.Position) }
    return {
      fill: (items) => write(sql, input, items),
      source: () =>
        insertedRows(mysqlChanges({ connection, tables: [input] }), {
          log,
          tables: { [`test.${input}`]: COLUMNS },
          ranges: [],
        }),
      sink: () => mysqlSink<Item>({ connection, table: output, key: 'at', name }),
      async results() {
        const again = await createConnection(connection)
        const [rows] = await again.query<RowDataPacket[]>(`SELECT at FROM ${output}`)
        again.destroy()
        return rows.map(({ at }) => at as number)
      },
      clientReads: (count) => readByClient(connection, log, input, count),
      clientWrites: (items) => writeAlone(connection, output, items),
      close: () => sql.destroy(),
    }
  },
}

/** The guarantee that the client alone has: rows are seen at once. */
export const mysqlUpserts: Connector = {
  ...mysqlLog,
  name: 'MariaDB upserts, at least once',
  async place(server) {
    const { mysqlSink } = entry<Mysql>('mysql')
    const { source, fill, ...place } = await mysqlLog.place(server)
    const connection = url(server.port)
    const table = `show_${randomBytes(4).toString('hex')}`
    const sql = await createConnection(connection)
    await sql.query(`CREATE TABLE ${table} (at INT PRIMARY KEY, text TEXT)`)
    sql.destroy()
    return {
      ...place,
      sink: () => mysqlSink<Item>({ connection, table, key: 'at', delivery: 'at-least-once' }),
      async results() {
        const again = await createConnection(connection)
        const [rows] = await again.query<RowDataPacket[]>(`SELECT at FROM ${table}`)
        again.destroy()
        return rows.map(({ at }) => at as number)
      },
      clientWrites: (items) => writeAlone(connection, table, items),
    }
  },
}

async function writeAlone(connection: string, table: string, items: readonly Item[]): Promise<void> {
  const sql = await createConnection(connection)
  await write(sql, table, items)
  sql.destroy()
}

/** Without the order of a log, or its positions: the rows of a query. */
export const mysqlRows: Connector = {
  ...mysqlLog,
  name: 'MariaDB query',
  async place(server) {
    const { mysqlQuery } = entry<Mysql>('mysql')
    const connection = url(server.port)
    const table = `show_${randomBytes(4).toString('hex')}`
    const sql = await createConnection(connection)
    sql.on('error', () => {})
    await sql.query(`CREATE TABLE ${table} (at INT PRIMARY KEY, text TEXT)`)
    return {
      fill: (items) => write(sql, table, items),
      source: () => mysqlQuery<Item>({ connection, query: `SELECT * FROM ${table}`, key: 'at' }),
      async clientReads(count) {
        const alone = await createConnection(connection)
        let got = 0
        for (let after = -1; got < count; ) {
          const [page] = await alone.query<RowDataPacket[]>(
            `SELECT * FROM ${table} WHERE at > ? ORDER BY at LIMIT ${WRITTEN}`,
            [after],
          )
          got += page.length
          after = page.at(-1)!.at as number
        }
        alone.destroy()
      },
      close: () => sql.destroy(),
    }
  },
}

/** The client as its documentation has it. */
async function readByClient(connection: string, log: MysqlChangesPosition['log'], table: string, count: number) {
  const { default: ZongJi } = await import('@vlasky/zongji')
  const client = new ZongJi(connection)
  let got = 0
  await new Promise<void>((resolve, reject) => {
    client.on('error', reject)
    client.on('binlog', (event) => {
      if (event.getEventName() !== 'writerows') return
      got += (event as unknown as { rows: unknown[] }).rows.length
      if (got >= count) resolve()
    })
    client.start({
      filename: log.file,
      position: log.position,
      serverId: 77,
      includeEvents: ['tablemap', 'writerows', 'updaterows', 'deleterows'],
      includeSchema: { test: [table] },
    })
  })
  client.stop()
}
