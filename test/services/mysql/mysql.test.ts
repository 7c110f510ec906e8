import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Connection, createConnection } from 'mysql2/promise'
import type { OptionError } from '../../../lib'
import { sinkConformance, sourceConformance } from '../../../lib/conformance'
import type { DeadLetter } from '../../../lib/connectors'
import {
  type MysqlSinkOptions,
  mysqlChanges,
  mysqlQuery,
  mysqlSink,
  type RowOperation,
} from '../../../lib/connectors/mysql'
import { readUntil, rowsOf } from '../postgres/database'
import * as mariadb from '../servers/mariadb'
import { describeService } from '../service'

type Item = Record<string, unknown>

describeService('MariaDB', mariadb, (server) => {
  let sqlConnection: Connection | undefined
  /** The tests' own queries, on a connection of their own each time: the server is killed now and then. */
  const sql = async (text: string, values?: unknown[]): Promise<Item[]> => {
    sqlConnection = await createConnection({ uri: mariadb.url(server().port), dateStrings: true })
    try {
      return (await sqlConnection.query(text, values))[0] as Item[]
    } finally {
      sqlConnection.destroy()
    }
  }
  const connection = () => mariadb.url(server().port)
  const item = (at: number): Item => ({ id: at, text: `row ${at}` })
  const interrupt = async () => {
    await server().kill()
    await server().restart()
  }
  let tables = 0
  const newTable = async () => {
    const table = `conformance_${++tables}`
    await sql(`CREATE TABLE ${table} (id INT PRIMARY KEY, text TEXT)`)
    return table
  }

  sourceConformance(
    'mysqlChanges',
    async () => {
      const table = await newTable()
      return {
        open: () => rowsOf(mysqlChanges({ connection: connection(), tables: [table], batch: 50 })),
        put: async (items: readonly Item[]) => {
          await sql(`INSERT INTO ${table} VALUES ?`, [items.map(({ id, text }) => [id, text])])
        },
        item,
        ends: false,
        replays: true,
        interrupt,
      }
    },
    { interrupts: true },
  )

  sourceConformance(
    'mysqlQuery',
    async () => {
      const table = await newTable()
      const query = `SELECT * FROM ${table}`
      return {
        open: () => mysqlQuery<Item>({ connection: connection(), query, key: 'id', batch: 50, poll: 20 }),
        put: async (items: readonly Item[]) => {
          await sql(`INSERT INTO ${table} VALUES ?`, [items.map(({ id, text }) => [id, text])])
        },
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
      `mysqlSink, ${delivery}`,
      async () => {
        const table = await newTable()
        return {
          open: () => mysqlSink<Item>({ connection: connection(), table, key: 'id', name: table, delivery, batch: 30 }),
          item,
          contents: () => sql(`SELECT * FROM ${table} ORDER BY id`),
          guarantee: delivery,
          interrupt,
        }
      },
      { interrupts: true },
    )
  }

  const run = async <T>(options: Omit<MysqlSinkOptions<T>, 'connection'>, values: readonly T[]) => {
    const sink = mysqlSink<T>({ connection: connection(), ...options })
    await sink.open(undefined)
    try {
      for (const value of values) await sink.write(value)
      await sink.prepare(1)
      await sink.commit(1)
    } finally {
      await sink.close()
    }
  }

  for (const delivery of ['exactly-once', 'at-least-once'] as const) {
    it(`does what each value says, in their order: ${delivery}`, async () => {
      const table = `operations_${delivery.slice(0, 2)}`
      await sql(`CREATE TABLE ${table} (a INT, b VARCHAR(20), n INT, PRIMARY KEY (a, b))`)
      await sql(`INSERT INTO ${table} VALUES (0, 'old', 0)`)
      const operations: RowOperation[] = [
        { truncate: true },
        { upsert: { a: 1, b: 'x', n: 1 } },
        { upsert: { a: 1, b: 'y', n: 2 } },
        { upsert: { a: 1, b: 'x', n: 3 } },
        { delete: { a: 1, b: 'y' } },
        { upsert: { a: 2, b: 'z', n: 4 } },
        { upsert: { a: 3, b: 'z', n: 5 }, old: { a: 2, b: 'z' } },
        { upsert: { a: 3, b: 'z' } },
      ]
      for (const batch of [1, 3, 100]) {
        await run({ table, key: ['a', 'b'], to: (one: RowOperation) => one, name: table, delivery, batch }, operations)
        assert.deepEqual(await sql(`SELECT * FROM ${table} ORDER BY a, b`), [
          { a: 1, b: 'x', n: 3 },
          { a: 3, b: 'z', n: 5 },
        ])
      }
    })

    it(`passes rows that the table refuses to the dead letters: ${delivery}`, async () => {
      const table = `refused_${delivery.slice(0, 2)}`
      await sql(`CREATE TABLE ${table} (id INT PRIMARY KEY, n INT CHECK (n < 100), t VARCHAR(3))`)
      const letters: DeadLetter[] = []
      const rows: Item[] = Array.from({ length: 50 }, (_, id) => ({ id, n: id, t: 'ok' }))
      rows[7] = { id: 7, n: 'seven', t: 'ok' }
      rows[20] = { id: 20, n: 1000, t: 'ok' }
      rows[30] = { id: 30, n: 1, t: 'long' }
      rows.push({ n: 1 })
      const options = { table, key: 'id', name: table, delivery }
      await run({ ...options, deadLetters: (one) => letters.push(one) }, rows)
      assert.deepEqual(await sql(`SELECT count(*) AS count FROM ${table}`), [{ count: 47 }])
      assert.deepEqual(
        letters.map(({ record }) => (record as Item).id),
        [undefined, 7, 20, 30],
      )
      await assert.rejects(run({ ...options, deadLetters: 'error' }, [{ id: 1, n: 'one' }]), { sqlState: /^(22|HY)/ })
    })
  }

  it('takes and gives values of all kinds as they are', async () => {
    await sql(`CREATE TABLE kinds (id BIGINT UNSIGNED PRIMARY KEY, name TEXT CHARACTER SET utf8mb4, f DOUBLE, b BOOLEAN,
      at DATETIME(3), stamp TIMESTAMP NULL, d DATE, j JSON, x BLOB, n DECIMAL(30, 5))`)
    const row = {
      id: 18446744073709551615n,
      name: 'it\'s "so"\n\\ € 😀',
      f: 0.1,
      b: true,
      at: new Date('2024-02-29T01:02:03.456Z'),
      stamp: '2024-02-29 01:02:03',
      d: '2024-02-29',
      j: { a: [1, null, 'x'] },
      x: Buffer.from([0, 255]),
      n: '12345678901234567890.50000',
    }
    await run({ table: 'kinds', key: 'id', name: 'kinds' }, [row])
    const source = mysqlQuery({ connection: connection(), query: 'SELECT * FROM kinds', key: 'id' })
    const { items } = await readUntil(source, undefined, () => false)
    assert.deepEqual({ ...items[0] }, { ...row, id: '18446744073709551615', b: 1, at: '2024-02-29 01:02:03.456' })
  })

  it('takes a thousand rows at once as it takes one', async () => {
    await sql(`CREATE TABLE many (id BIGINT PRIMARY KEY, t TEXT CHARACTER SET utf8mb4, f FLOAT, g DOUBLE, n DECIMAL(30, 3),
      bits BIT(8), e ENUM('a', 'b', 'c'), y YEAR, at DATETIME(3), j JSON, x BLOB, whole BIGINT, v VARCHAR(30), w VARCHAR(30))`)
    const row = {
      t: 'it\'s "so"\n\\ € 😀',
      f: 0.1,
      g: 1e-7,
      n: 1.005,
      bits: 5,
      e: 2,
      y: 1999,
      at: new Date('2024-02-29T01:02:03.456Z'),
      j: { a: [1, null, 'x'] },
      x: Buffer.from([0, 39, 92, 255]),
      whole: 2 ** 53 - 1,
      v: 0.1,
      w: 123456789,
    }
    for (const count of [1, 2203]) {
      const rows = Array.from({ length: count }, (_, id) => ({ id: id + count * 10_000, ...row }))
      await run({ table: 'many', key: 'id', name: 'many', batch: 2500 }, rows)
    }
    const different = await sql(
      `SELECT DISTINCT t, f, g, n, CAST(bits AS UNSIGNED) AS bits, e, y, at, j, HEX(x) AS x, whole, v, w FROM many`,
    )
    assert.equal(different.length, 1, JSON.stringify(different))
    assert.deepEqual(await sql('SELECT count(*) AS count FROM many'), [{ count: 2204 }])
    const letters: DeadLetter[] = []
    const rows: Item[] = Array.from({ length: 2203 }, (_, id) => ({ id, whole: id === 1500 ? 'many' : id }))
    await run({ table: 'many', key: 'id', name: 'many', batch: 2500, deadLetters: (one) => letters.push(one) }, rows)
    assert.deepEqual(
      letters.map(({ record }) => (record as Item).id),
      [1500],
    )
    assert.deepEqual(await sql('SELECT count(*) AS count FROM many WHERE id < 10000'), [{ count: 2202 }])
  })

  it('pages by several columns, whatever the size of a page', async () => {
    await sql('CREATE TABLE pages (price DECIMAL(20, 3), big BIGINT, day DATE, PRIMARY KEY (price, big, day))')
    const rows = Array.from({ length: 120 }, (_, n) => [
      `12345678901234567.${100 + (n % 3)}`,
      `900719925474099${n % 10}`,
      `2024-01-${10 + (n % 17)}`,
    ])
    await sql('INSERT IGNORE INTO pages VALUES ?', [rows])
    const expected = await sql('SELECT price, CAST(big AS CHAR) AS big, day FROM pages ORDER BY price, pages.big, day')
    assert.equal(expected.length, 120)
    for (const batch of [1, 7, 120, 1000]) {
      const query = 'SELECT price, big, day FROM pages'
      const source = mysqlQuery({ connection: connection(), query, key: ['price', 'big', 'day'], batch })
      const { items } = await readUntil(source, undefined, () => false)
      assert.deepEqual(
        items.map((one) => ({ ...one, big: String(one.big) })),
        expected,
      )
    }
  })

  it('waits until a connection that has written under its name has ended', async () => {
    await sql('CREATE TABLE fenced (id INT PRIMARY KEY)')
    const options = { connection: connection(), table: 'fenced', key: 'id', name: 'fenced' }
    const [first, second] = [mysqlSink(options), mysqlSink(options)]
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

  it('says what is wrong, and never a password', async () => {
    const url = `mysql://test:a-wrong-secret@127.0.0.1:${server().port}/test`
    const options = { query: 'SELECT * FROM nowhere', key: 'id', retry: { initial: 1, attempts: 2 } }
    const failing = async (connection: string) => {
      try {
        await readUntil(mysqlQuery({ connection, ...options }), undefined, () => false)
      } catch (error) {
        assert.doesNotMatch(`${(error as Error).stack} ${JSON.stringify(error)}`, /a-wrong-secret/)
        return (error as { code: string }).code
      }
      throw new Error('it read')
    }
    assert.equal(await failing(connection()), 'ER_NO_SUCH_TABLE')
    assert.equal(await failing(url), 'ER_ACCESS_DENIED_ERROR')
    assert.equal(await failing('mysql://test:a-wrong-secret@127.0.0.1:1/test'), 'ERR_CONNECTION')
    assert.throws(
      () => mysqlSink({ connection: 'postgres://u:a-wrong-secret@h/d' } as never),
      (error: OptionError) => {
        assert.doesNotMatch(error.message, /a-wrong-secret/)
        return error.problems.length === 4
      },
    )
  })
})
