import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type Sqlite from 'better-sqlite3'
import { installation } from '../../../test/services/servers/sqlite'
import { type Connector, entry, type Item } from './connector'

const WRITTEN = 1000

/** Rows of a file by a query, and into another table of it. */
export const sqlite: Connector = {
  name: 'SQLite',
  timed: 500_000,
  installation,
  async place() {
    const { sqliteQuery, sqliteSink } = entry<typeof import('../../../lib/connectors/sqlite')>('sqlite')
    const Database = createRequire(__filename)('better-sqlite3') as typeof Sqlite
    const folder = await mkdtemp(join(tmpdir(), 'rxjs-python-show-sqlite-'))
    const file = join(folder, 'items.db')
    const sql = new Database(file)
    // As the sink has it: a commit is on the disk.
    sql.pragma('journal_mode = WAL')
    sql.pragma('synchronous = FULL')
    for (const table of ['input', 'output']) sql.exec(`CREATE TABLE ${table} (at INTEGER PRIMARY KEY, text TEXT)`)
    const write = async (table: string, items: readonly Item[]) => {
      const insert = sql.prepare(
        `INSERT INTO ${table} VALUES (@at, @text) ON CONFLICT (at) DO UPDATE SET text = excluded.text`,
      )
      for (let from = 0; from < items.length; from += WRITTEN) {
        sql.transaction((batch: readonly Item[]) => {
          for (const item of batch) insert.run(item)
        })(items.slice(from, from + WRITTEN))
      }
    }
    return {
      fill: (items) => write('input', items),
      source: () => sqliteQuery<Item>({ file, query: 'SELECT * FROM input', key: 'at' }),
      sink: () => sqliteSink<Item>({ file, table: 'output', key: 'at', name: 'show' }),
      results: async () => (sql.prepare('SELECT at FROM output').all() as Item[]).map(({ at }) => at),
      async clientReads(count) {
        const page = sql.prepare(`SELECT * FROM input WHERE at > ? ORDER BY at LIMIT ${WRITTEN}`)
        let got = 0
        for (let after = -1; got < count; ) {
          const rows = page.all(after) as Item[]
          got += rows.length
          after = rows.at(-1)!.at
        }
      },
      clientWrites: (items) => write('output', items),
      async close() {
        sql.close()
        await rm(folder, { recursive: true, force: true })
      },
    }
  },
}
