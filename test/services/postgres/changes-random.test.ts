import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { type PostgresPosition, postgresChanges } from '../../../lib/connectors/postgres'
import { type Random, seeded, whole } from '../../stress/random'
import * as postgres from '../servers/postgres'
import { describeService } from '../service'
import { Copy, useSql } from './database'

/** Transactions of a kind until it is stopped; the number of those that there were. */
async function write(connection: string, random: Random, over: () => boolean, statement: () => string) {
  const sql = new Client(connection)
  sql.on('error', () => {})
  await sql.connect()
  let count = 0
  for (; !over(); await sleep(whole(random, 0, 4))) {
    try {
      await sql.query('BEGIN')
      for (let left = whole(random, 1, 5); left > 0; left--) {
        await sql.query(statement())
        // A view has to wait for those that are under way.
        if (random() < 0.01) await sleep(whole(random, 1, 100))
      }
      await sql.query(random() < 0.1 ? 'ROLLBACK' : 'COMMIT')
      count++
    } catch {
      // Two took the same rows, in another order.
      await sql.query('ROLLBACK')
    }
  }
  await sql.end()
  return count
}

describeService('PostgreSQL: changes, stopped at random and begun again where a checkpoint was', postgres, (server) => {
  const sql = useSql(server)

  const round = async (table: string, seed: number, type: 'int' | 'text') => {
    const random = seeded(seed)
    const connection = postgres.url(server().port)
    const rows = whole(random, 500, 2000)
    const key = (n: number) => (type === 'int' ? `${n}` : `'${n % 2 === 0 ? 'Ä' : 'b'}-${n % 7}-${n}'`)
    const any = () => key(whole(random, 1, rows * 2))
    await sql(`CREATE TABLE ${table} (id ${type} PRIMARY KEY, name text, version int DEFAULT 0)`)
    for (let n = 1; n <= rows; n += 100) {
      const values = Array.from({ length: Math.min(100, rows - n + 1) }, (_, at) => `(${key(n + at)}, 'there')`)
      await sql(`INSERT INTO ${table} VALUES ${values.join()}`)
    }
    const statement = () => {
      const [id, kind] = [any(), random()]
      if (kind < 0.5) return `UPDATE ${table} SET version = version + 1 WHERE id = ${id}`
      if (kind < 0.7) return `INSERT INTO ${table} VALUES (${id}, 'new') ON CONFLICT DO NOTHING`
      if (kind < 0.9) return `DELETE FROM ${table} WHERE id = ${id}`
      const to = any()
      return `UPDATE ${table} SET id = ${to} WHERE id = ${id} AND NOT EXISTS (SELECT 1 FROM ${table} WHERE id = ${to})`
    }
    let writing = true
    const writers = [1, 2, 3].map(() => write(connection, random, () => !writing, statement))
    const seen = { stops: 0, amongRows: 0, amongChanges: 0 }
    let safe: { position: PostgresPosition | undefined; rows: Copy['rows'] } = { position: undefined, rows: new Map() }
    const cut = () =>
      sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rxjs-python'`)
    try {
      for (let ended = false; !ended; ) {
        // The last one gets as far as it takes.
        const last = seen.stops >= 6 && seen.amongRows > 0 && seen.amongChanges > 0
        if (last && writing) {
          writing = false
          await Promise.all(writers)
          await sql(`INSERT INTO ${table} VALUES (${type === 'int' ? rows * 9 : `'zzz'`}, 'end')`)
        }
        const batch = whole(random, 1, 300)
        const retry = { initial: 5, max: 50 }
        const source = postgresChanges({ connection, tables: [table], slot: table, batch, retry })
        const copy = new Copy('id')
        for (const [id, row] of safe.rows) copy.rows.set(id, row)
        const over = new AbortController()
        // A checkpoint is older than what was read when the process dies.
        const stop = last ? Number.POSITIVE_INFINITY : whole(random, 20, rows)
        let count = 0
        for await (const [change, position] of source.read(safe.position, over.signal)) {
          copy.apply(change)
          count++
          if (random() < 0.02) {
            safe = { position: structuredClone(position), rows: new Map(copy.rows) }
            if (position.reading === undefined) seen.amongChanges++
            else seen.amongRows++
            if (random() < 0.8) await source.commit!(safe.position!)
          }
          if (random() < 0.001) await cut()
          if (random() < 0.002) await sleep(whole(random, 0, 30))
          const isEnd = 'new' in change && change.new.name === 'end'
          // Where it is the last of the rows, changes of others are still to come.
          if (isEnd && change.kind === 'read') await sql(`UPDATE ${table} SET version = 1 WHERE name = 'end'`)
          ended = isEnd && change.kind !== 'read'
          if (ended || count >= stop) break
        }
        seen.stops++
        over.abort()
        await source.close!()
        if (ended) {
          const expected = await sql(`SELECT * FROM ${table}`)
          assert.deepEqual(copy.rows, new Map(expected.map((row) => [String(row.id), row])))
        }
      }
    } finally {
      writing = false
      await Promise.all(writers)
    }
    for (const count of await Promise.all(writers)) assert.ok(count > 0)
  }

  for (const type of ['int', 'text'] as const) {
    it(`are those that bring a copy to what the table is: keys of ${type}`, async function () {
      this.timeout(120_000)
      for (let at = 0; at < 2; at++) {
        const seed = Math.floor(Math.random() * 2 ** 31)
        try {
          await round(`random_${type}_${at}`, seed, type)
        } catch (error) {
          throw new Error(`seed ${seed}`, { cause: error })
        }
      }
    })
  }
})
