import assert from 'node:assert/strict'
import { postgresQuery } from '../../../lib/connectors/postgres'
import * as postgres from '../servers/postgres'
import { describeService } from '../service'
import { readUntil, useSql } from './database'

describeService('PostgreSQL: query', postgres, (server) => {
  const sql = useSql(server)
  const all = async (query: string, key: string[], batch: number) => {
    const source = postgresQuery({ connection: postgres.url(server().port), query, key, batch })
    return (await readUntil(source, undefined, () => false)).items
  }

  it('gives every row once, in the order of the key, whatever the pages', async () => {
    await sql('CREATE TABLE pages (day date, name text, n int, PRIMARY KEY (day, name))')
    await sql(
      `INSERT INTO pages SELECT date '2024-01-01' + i % 7, 'Ä' || chr(97 + i % 26) || i, i FROM generate_series(1, 500) i`,
    )
    const query = 'SELECT day, name, n * 2 AS twice FROM pages WHERE n % 2 = 0'
    const expected = await sql(`SELECT day::text, name, n * 2 AS twice FROM pages WHERE n % 2 = 0 ORDER BY day, name`)
    assert.equal(expected.length, 250)
    for (const batch of [1, 7, 50, 249, 250, 1000]) assert.deepEqual(await all(query, ['day', 'name'], batch), expected)
  })

  it('goes on behind any position, also when a row of the key is gone', async () => {
    await sql('CREATE TABLE gone (id numeric PRIMARY KEY)')
    await sql('INSERT INTO gone SELECT i / 10.0 FROM generate_series(1, 100) i')
    const open = () =>
      postgresQuery({ connection: postgres.url(server().port), query: 'TABLE gone', key: 'id', batch: 9 })
    const { position } = await readUntil(open(), undefined, (_, count) => count === 40)
    await sql('DELETE FROM gone WHERE id BETWEEN 3.5 AND 4.5')
    const { items } = await readUntil(open(), position, () => false)
    assert.deepEqual(items[0], { id: '4.6000000000000000' })
    assert.equal(items.length, 55)
  })

  it('pages by what the database writes, whatever becomes of values and wherever the key is', async () => {
    await sql('CREATE TABLE parsed (note text, name text, at timestamptz, PRIMARY KEY (at, name))')
    await sql(
      `INSERT INTO parsed SELECT NULL, 'n' || i, timestamptz '2024-01-01' + i / 4 * interval '1 microsecond' FROM generate_series(1, 40) i`,
    )
    const connection = postgres.url(server().port)
    const types = () => (text: string) => ({ length: text.length })
    const query = 'SELECT * FROM parsed'
    const open = (batch: number) => postgresQuery({ connection, query, key: ['at', 'name'], batch, types })
    const { items } = await readUntil(open(3), undefined, () => false)
    assert.equal(items.length, 40)
    assert.deepEqual(items[0], { note: null, name: { length: 2 }, at: { length: 22 } })
    const { position } = await readUntil(open(7), undefined, (_, count) => count === 10)
    assert.equal((await readUntil(open(5), position, () => false)).items.length, 30)
  })

  it('says what is wrong with a query', async () => {
    await assert.rejects(all('SELECT * FROM nowhere', ['id'], 10), { code: '42P01' })
    await assert.rejects(all('SELECT NULL::int AS id', ['id'], 10), { code: 'ERR_DATABASE_SETUP' })
    await assert.rejects(all('SELECT 1 AS id', ['other'], 10), { code: '42703' })
  })
})
