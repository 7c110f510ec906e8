import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DeadLetter } from '../../../lib/connectors'
import {
  type Change,
  mirror,
  type PostgresSinkOptions,
  postgresSink,
  type RowOperation,
} from '../../../lib/connectors/postgres'
import * as postgres from '../servers/postgres'
import { describeService } from '../service'
import { useSql } from './database'

describeService('PostgreSQL: sink', postgres, (server) => {
  const sql = useSql(server)
  const run = async <T>(options: Omit<PostgresSinkOptions<T>, 'connection'>, values: readonly T[]) => {
    const sink = postgresSink<T>({ connection: postgres.url(server().port), ...options })
    await sink.open(undefined)
    for (const value of values) await sink.write(value)
    await sink.prepare(1)
    await sink.commit(1)
    await sink.close()
  }

  for (const delivery of ['exactly-once', 'at-least-once'] as const) {
    it(`does what each value says, in their order: ${delivery}`, async () => {
      const table = `operations_${delivery.slice(0, 2)}`
      await sql(`CREATE TABLE ${table} (a int, b text, n int, PRIMARY KEY (a, b))`)
      await sql(`INSERT INTO ${table} VALUES (0, 'old', 0)`)
      const operations: RowOperation[] = [
        { truncate: true },
        { upsert: { a: 1, b: 'x', n: 1 } },
        { upsert: { a: 1, b: 'y', n: 2 } },
        { upsert: { a: 1, b: 'x', n: 3 } },
        { delete: { a: 1, b: 'y' } },
        { upsert: { a: 2, b: 'z', n: 4 } },
        { upsert: { a: 3, b: 'z', n: 5 }, old: { a: 2, b: 'z' } },
        { upsert: { a: 4, b: 'q', n: 6 } },
        { delete: { a: 4, b: 'q' } },
        { upsert: { a: 4, b: 'q', n: 7 } },
        { upsert: { a: 3, b: 'z' } },
      ]
      for (const batch of [1, 3, 100]) {
        await run({ table, key: ['a', 'b'], to: (one: RowOperation) => one, name: table, delivery, batch }, operations)
        assert.deepEqual(await sql(`SELECT * FROM ${table} ORDER BY a, b`), [
          { a: 1, b: 'x', n: 3 },
          { a: 3, b: 'z', n: 5 },
          { a: 4, b: 'q', n: 7 },
        ])
      }
    })
  }

  it('takes values of all kinds as they are', async () => {
    await sql(`CREATE TABLE kinds (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, f float8, b boolean, z timestamptz, j jsonb, x bytea, l int[],
      n numeric)`)
    const row = {
      id: 9007199254740993n,
      name: 'it\'s "so"\n\\ €',
      f: Number.NaN,
      b: true,
      z: new Date('2024-02-29T01:02:03.456Z'),
      j: { a: [1, null, 'x'] },
      x: Buffer.from([0, 255]),
      l: [1, 2],
      n: '12345678901234567890.5',
    }
    await run({ table: 'kinds', key: 'id', name: 'kinds' }, [row])
    const [seen] = await sql('SELECT * FROM kinds')
    assert.deepEqual(seen, { ...row, id: '9007199254740993' })
  })

  it('leaves columns alone that a row does not have, and gives new ones to those that do', async () => {
    await sql(`CREATE TABLE parts (id int PRIMARY KEY, a text DEFAULT 'none', b text)`)
    await sql(`INSERT INTO parts VALUES (1, 'kept', 'kept')`)
    await run({ table: 'parts', key: 'id', name: 'parts' }, [
      { id: 1, b: 'new' },
      { id: 2, b: 'new' },
      { id: 1, a: undefined, b: null },
      { id: 3, b: 'x', a: 'y' },
    ])
    assert.deepEqual(await sql('SELECT * FROM parts ORDER BY id'), [
      { id: 1, a: 'kept', b: null },
      { id: 2, a: 'none', b: 'new' },
      { id: 3, a: 'y', b: 'x' },
    ])
  })

  for (const delivery of ['exactly-once', 'at-least-once'] as const) {
    it(`passes rows that the table refuses to the dead letters: ${delivery}`, async () => {
      const table = `refused_${delivery.slice(0, 2)}`
      await sql(`CREATE TABLE ${table} (id int PRIMARY KEY, n int CHECK (n < 100))`)
      const letters: DeadLetter[] = []
      const rows: Record<string, unknown>[] = Array.from({ length: 50 }, (_, id) => ({ id, n: id }))
      rows[7] = { id: 7, n: 'seven' }
      rows[20] = { id: 20, n: 1000 }
      rows.push({ n: 1 })
      await run({ table, key: 'id', name: table, delivery, deadLetters: (one) => letters.push(one) }, rows)
      const [{ count }] = (await sql(`SELECT count(*)::int AS count FROM ${table}`)) as unknown as [{ count: number }]
      assert.equal(count, 48)
      const refused = letters.map(({ record }) => record)
      assert.deepEqual(refused, [{ n: 1 }, { id: 7, n: 'seven' }, { id: 20, n: 1000 }])
      await assert.rejects(
        run({ table, key: 'id', name: table, delivery, deadLetters: 'error' }, [{ id: 1, n: 'one' }]),
        {
          code: '22P02',
        },
      )
    })
  }

  it('waits until a connection that has written under its name has ended', async () => {
    await sql('CREATE TABLE fenced (id int PRIMARY KEY)')
    const options = { connection: postgres.url(server().port), table: 'fenced', key: 'id', name: 'fenced' }
    const [first, second] = [postgresSink(options), postgresSink(options)]
    await first.open(undefined)
    let isOpen = false
    const opening = Promise.resolve(second.open(undefined)).then(() => {
      isOpen = true
    })
    await sleep(300)
    assert.equal(isOpen, false)
    await first.close()
    await opening
    await second.close()
  })

  it('refuses a checkpoint of another database', async () => {
    await sql('CREATE TABLE strange (id int PRIMARY KEY)')
    const sink = postgresSink({ connection: postgres.url(server().port), table: 'strange', key: 'id', name: 'strange' })
    await assert.rejects(async () => sink.open({ sink: 'strange', run: 'x', epoch: 3 }), { code: 'ERR_JOB_SINK' })
    await sink.close()
  })

  it('mirrors changes', async () => {
    const place = { table: 'public.a', at: '0/1', time: 0 }
    await sql(`CREATE TABLE mirrored (id int PRIMARY KEY, name text)`)
    const changes: Change[] = [
      { kind: 'read', table: 'public.a', new: { id: 1, name: 'a' } },
      { kind: 'insert', ...place, new: { id: 2, name: 'b' } },
      { kind: 'update', ...place, old: { id: 2 }, new: { id: 3, name: 'c' } },
      { kind: 'update', ...place, old: null, new: { id: 1, name: 'd' } },
      { kind: 'schema', ...place, columns: [], previous: [] },
      { kind: 'insert', ...place, new: { id: 4, name: 'e' } },
      { kind: 'delete', ...place, old: { id: 4 } },
    ]
    await run({ table: 'mirrored', key: 'id', name: 'mirrored', to: mirror }, changes)
    assert.deepEqual(await sql('SELECT * FROM mirrored ORDER BY id'), [
      { id: 1, name: 'd' },
      { id: 3, name: 'c' },
    ])
  })
})
