import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Change, dropPostgresSlot, type PostgresPosition, postgresChanges } from '../../../lib/connectors/postgres'
import * as postgres from '../servers/postgres'
import { describeService } from '../service'
import { Copy, newOf, readUntil, useSql } from './database'

describeService('PostgreSQL: changes', postgres, (server) => {
  const sql = useSql(server)
  const source = (slot: string, tables: string[], more: object = {}) =>
    postgresChanges({ connection: postgres.url(server().port), tables, slot, ...more })
  const isEnd = (change: Change) => 'new' in change && change.new.name === 'end'
  /** Resolves when the log is being read. */
  const streaming = async (slot: string, reading: Promise<unknown>) => {
    const streams =
      'SELECT 1 FROM pg_replication_slots JOIN pg_stat_replication ON pid = active_pid WHERE slot_name = $1'
    while ((await sql(streams, [slot])).length === 0) await Promise.race([reading, sleep(20)])
  }
  /** The changes up to a row that is inserted when the log is being read. */
  const upToNow = async (slot: string, table: string, from: PostgresPosition | undefined, more: object = {}) => {
    const reading = readUntil(source(slot, [table], more), from, isEnd)
    await streaming(slot, reading)
    await sql(`INSERT INTO ${table} (id, name) VALUES ((SELECT coalesce(max(id), 0) + 1 FROM ${table}), 'end')`)
    return reading
  }

  it('gives the rows that are there, then what happens to them, without a gap', async () => {
    await sql('CREATE TABLE gaps (id int PRIMARY KEY, name text, version int DEFAULT 0)')
    await sql(`INSERT INTO gaps SELECT i, 'row ' || i FROM generate_series(1, 3000) i`)
    let writing = true
    let rounds = 0
    const writer = (async () => {
      for (let at = 3001; writing; at++) {
        await sql(`INSERT INTO gaps VALUES (${at}, 'new')`)
        await sql('UPDATE gaps SET version = version + 1 WHERE id % 50 = $1', [at % 50])
        await sql('DELETE FROM gaps WHERE id % 500 = $1', [at % 500])
        rounds++
      }
    })()
    const copy = new Copy('id')
    const versions = new Map<unknown, number>()
    const { items } = await readUntil(source('gaps', ['gaps'], { batch: 100 }), undefined, (change, count) => {
      copy.apply(change)
      if ('new' in change) {
        const before = versions.get(change.new.id)
        if (change.kind === 'update') assert.equal(change.new.version, before! + 1)
        versions.set(change.new.id, change.new.version as number)
      }
      if (count > 6000 && writing) {
        writing = false
        void writer.then(() => sql(`INSERT INTO gaps VALUES (1000000, 'end')`))
      }
      return isEnd(change)
    })
    await writer
    assert.ok(rounds > 10)
    assert.ok(items.filter(({ kind }) => kind === 'update').length > 1000)
    assert.deepEqual(copy.sorted(), await sql('SELECT * FROM gaps ORDER BY id'))
  })

  for (const [type, keyOf] of [
    ['int', (n: number) => n],
    ['text', (n: number) => `${n % 2 === 0 ? 'Ä' : 'b'}-${String(n).padStart(6, '0')}`],
  ] as const) {
    it(`goes on in the middle of the rows that were there, whatever has happened to them since: keys of ${type}`, async () => {
      const table = `parts_${type}`
      await sql(`CREATE TABLE ${table} (id ${type} PRIMARY KEY, name text)`)
      for (let n = 10; n <= 10_000; n += 10) await sql(`INSERT INTO ${table} VALUES ($1, 'row')`, [keyOf(n)])
      const reader = () => source(table, [table], { batch: 40 })
      const copy = new Copy('id')
      let position: PostgresPosition | undefined
      for (const count of [300, 200, 150]) {
        const part = await readUntil(reader(), position, (_, so) => so === count)
        for (const change of part.items) copy.apply(change)
        position = part.position
        // Before the border and behind it, and from one side to the other.
        const border = [...copy.rows.keys()].length * 10
        await sql(`UPDATE ${table} SET name = name || '!'`)
        await sql(`DELETE FROM ${table} WHERE id IN ($1, $2)`, [keyOf(border - 100), keyOf(border + 100)])
        await sql(`UPDATE ${table} SET id = $1 WHERE id = $2`, [keyOf(border - 205), keyOf(border + 200)])
        await sql(`UPDATE ${table} SET id = $1 WHERE id = $2`, [keyOf(border + 305), keyOf(border - 300)])
        await sql(`INSERT INTO ${table} VALUES ($1, 'new'), ($2, 'new')`, [keyOf(border - 3), keyOf(border + 3)])
      }
      const reading = readUntil(reader(), position, isEnd)
      await streaming(table, reading)
      await sql(`INSERT INTO ${table} VALUES ($1, 'end')`, [keyOf(99_999)])
      for (const change of (await reading).items) copy.apply(change)
      const expected = await sql(`SELECT * FROM ${table} ORDER BY id`)
      assert.deepEqual(copy.rows, new Map(expected.map((row) => [String(row.id), row])))
    })
  }

  it('goes on in the middle of a transaction', async () => {
    await sql('CREATE TABLE large (id int PRIMARY KEY, name text)')
    const { position } = await upToNow('large', 'large', undefined)
    await sql(`INSERT INTO large SELECT i, 'row' FROM generate_series(10, 19) i`)
    const first = await readUntil(source('large', ['large']), position, (_, count) => count === 4)
    const rest = await upToNow('large', 'large', first.position)
    const ids = [...first.items, ...rest.items].map((change) => newOf(change).id)
    assert.deepEqual(ids, [10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20])
  })

  it('tells the rows before and after, truncation, and changes of the schema', async () => {
    await sql('CREATE TABLE kinds (id int PRIMARY KEY, name text, note text)')
    const { position } = await upToNow('kinds', 'kinds', undefined, { oldRows: 'full' })
    await sql(`INSERT INTO kinds VALUES (5, 'a', 'x')`)
    await sql(`UPDATE kinds SET name = 'b' WHERE id = 5`)
    await sql('ALTER TABLE kinds ADD COLUMN price numeric(10, 2)')
    await sql('UPDATE kinds SET price = 1.5 WHERE id = 5')
    await sql('DELETE FROM kinds WHERE id = 5')
    await sql('TRUNCATE kinds')
    const { items } = await upToNow('kinds', 'kinds', position)
    const table = 'public.kinds'
    const seen = items.map((change) => {
      const { at, time, ...rest } = change as Exclude<Change, { kind: 'read' }>
      assert.match(at, /^[0-9A-F]+\/[0-9A-F]+$/)
      assert.ok(Math.abs(time - Date.now()) < 600_000)
      return rest
    })
    const columns = [
      { name: 'id', type: 'int4' },
      { name: 'name', type: 'text' },
      { name: 'note', type: 'text' },
    ]
    assert.deepEqual(seen, [
      { kind: 'insert', table, new: { id: 5, name: 'a', note: 'x' } },
      { kind: 'update', table, old: { id: 5, name: 'a', note: 'x' }, new: { id: 5, name: 'b', note: 'x' } },
      { kind: 'schema', table, columns: [...columns, { name: 'price', type: 'numeric' }], previous: columns },
      {
        kind: 'update',
        table,
        old: { id: 5, name: 'b', note: 'x', price: null },
        new: { id: 5, name: 'b', note: 'x', price: '1.50' },
      },
      { kind: 'delete', table, old: { id: 5, name: 'b', note: 'x', price: '1.50' } },
      { kind: 'truncate', table },
      { kind: 'insert', table, new: { id: 1, name: 'end', note: null, price: null } },
    ])
  })

  it('reads a table that was added later, and leaves out what it was not asked for', async () => {
    await sql('CREATE TABLE early (id int PRIMARY KEY, name text)')
    await sql('CREATE TABLE later (id int PRIMARY KEY, name text)')
    await sql(`INSERT INTO later VALUES (1, 'there')`)
    const { position } = await upToNow('added', 'early', undefined)
    await sql(`INSERT INTO later VALUES (2, 'there')`)
    await sql(`INSERT INTO early VALUES (7, 'in between'), (8, 'end')`)
    const { items } = await readUntil(source('added', ['early', 'later']), position, isEnd)
    const seen = items.map((change) => `${change.kind} ${change.table} ${newOf(change).id}`)
    assert.deepEqual(seen, [
      ...['read public.later 1', 'read public.later 2'],
      ...['insert public.early 7', 'insert public.early 8'],
    ])
  })

  it('has values as the snapshot and the log agree on, without a loss', async () => {
    await sql(`CREATE TABLE kinds_of_values (id bigint PRIMARY KEY, name text, n numeric, f float8, b boolean, d date,
      t timestamp, z timestamptz, i interval, j jsonb, u uuid, x bytea, l int[], ds date[], e text)`)
    const values = `'it''s', 12345678901234567890.123456789, 0.1, true, '2024-02-29', '2024-02-29 01:02:03.456789',
      '2024-02-29 01:02:03.456789+02', '1 day 02:00', '{"a": [1, null]}', '0e37df36-f698-11e6-8dd4-cb9ced3df976',
      '\\x00ff', '{1,NULL,3}', '{2024-02-29}', NULL`
    await sql(`INSERT INTO kinds_of_values VALUES (9007199254740993, ${values})`)
    const { items, position } = await readUntil(source('kinds', ['kinds_of_values']), undefined, () => true)
    await sql(`INSERT INTO kinds_of_values VALUES (2, ${values})`)
    const logged = await readUntil(source('kinds', ['kinds_of_values']), position, () => true)
    const [read, inserted] = [items[0] as { new: object }, logged.items[0] as { new: object }]
    const expected = {
      id: '9007199254740993',
      name: "it's",
      n: '12345678901234567890.123456789',
      f: 0.1,
      b: true,
      d: '2024-02-29',
      t: '2024-02-29 01:02:03.456789',
      z: '2024-02-28 23:02:03.456789+00',
      i: '1 day 02:00:00',
      j: { a: [1, null] },
      u: '0e37df36-f698-11e6-8dd4-cb9ced3df976',
      x: Buffer.from([0, 255]),
      l: [1, null, 3],
      ds: ['2024-02-29'],
      e: null,
    }
    assert.deepEqual(read.new, expected)
    assert.deepEqual(inserted.new, { ...expected, id: '2' })
  })

  it('drops what it has made', async () => {
    const connection = postgres.url(server().port)
    assert.equal(await dropPostgresSlot({ connection, slot: 'large' }), true)
    assert.equal(await dropPostgresSlot({ connection, slot: 'large' }), false)
    const left = await sql(
      `SELECT slot_name FROM pg_replication_slots WHERE slot_name = 'large' UNION ALL ` +
        `SELECT pubname FROM pg_publication WHERE pubname = 'large'`,
    )
    assert.deepEqual(left, [])
  })
})
