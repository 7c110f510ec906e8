import { sinkConformance, sourceConformance } from '../../../lib/conformance'
import { dropPostgresSlot, postgresChanges, postgresQuery, postgresSink } from '../../../lib/connectors/postgres'
import * as postgres from '../servers/postgres'
import { describeService } from '../service'
import { rowsOf, useSql } from './database'

type Item = Record<string, unknown>

describeService('PostgreSQL as runJob needs it', postgres, (server) => {
  const sql = useSql(server)
  const connection = () => postgres.url(server().port)
  const item = (at: number): Item => ({ id: at, text: `row ${at}` })
  const interrupt = async () => {
    await server().kill()
    await server().restart()
  }
  let tables = 0
  const newTable = async () => {
    const table = `conformance_${++tables}`
    await sql(`CREATE TABLE ${table} (id int PRIMARY KEY, text text)`)
    return table
  }
  const put = async (table: string, items: readonly Item[]) => {
    await sql(`INSERT INTO ${table} SELECT id, text FROM json_populate_recordset(NULL::${table}, $1)`, [
      JSON.stringify(items),
    ])
  }

  sourceConformance(
    'postgresChanges',
    async () => {
      const table = await newTable()
      return {
        open: () => rowsOf(postgresChanges({ connection: connection(), tables: [table], slot: table, batch: 50 })),
        put: (items: readonly Item[]) => put(table, items),
        item,
        ends: false,
        replays: true,
        interrupt,
        dispose: async () => void (await dropPostgresSlot({ connection: connection(), slot: table })),
      }
    },
    { interrupts: true },
  )

  sourceConformance(
    'postgresQuery',
    async () => {
      const table = await newTable()
      const query = `SELECT * FROM ${table}`
      return {
        open: () => postgresQuery<Item>({ connection: connection(), query, key: 'id', batch: 50, poll: 20 }),
        put: (items: readonly Item[]) => put(table, items),
        item,
        ends: false,
        replays: true,
        interrupt,
      }
    },
    { interrupts: true },
  )

  for (const delivery of ['exactly-once', 'at-least-once'] as const) {
    sinkConformance(
      `postgresSink, ${delivery}`,
      async () => {
        const table = await newTable()
        return {
          open: () =>
            postgresSink<Item>({ connection: connection(), table, key: 'id', name: table, delivery, batch: 30 }),
          item,
          contents: () => sql(`SELECT * FROM ${table} ORDER BY id`),
          guarantee: delivery,
          interrupt,
        }
      },
      { interrupts: true },
    )
  }
})
