import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type Sqlite from 'better-sqlite3'
import { OptionError } from '../../../lib'
import { sinkConformance, sourceConformance } from '../../../lib/conformance'
import type { DeadLetter } from '../../../lib/connectors'
import { type RowOperation, type SqliteSinkOptions, sqliteQuery, sqliteSink } from '../../../lib/connectors/sqlite'
import { readUntil } from '../postgres/database'
import { installation } from '../servers/sqlite'

type Item = Record<string, unknown>

describe('SQLite', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rxjs-python-sqlite-'))
  let Database: typeof Sqlite
  before(function () {
    if (!installation.installed()) this.skip()
    Database = require('better-sqlite3') as typeof Sqlite
  })
  after(() => rmSync(folder, { recursive: true, force: true }))
  let files = 0
  /** A new file, and its tables. */
  const database = (...tables: string[]) => {
    const file = join(folder, `${++files}.db`)
    const sql = new Database(file)
    for (const table of tables) sql.exec(table)
    return { file, sql }
  }
  const item = (at: number): Item => ({ id: at, text: `row ${at}` })
  const TABLE = 'CREATE TABLE items (id INTEGER PRIMARY KEY, text TEXT)'

  sourceConformance('sqliteQuery', () => {
    const { file, sql } = database(TABLE)
    return {
      open: () => sqliteQuery<Item>({ file, query: 'SELECT * FROM items', key: 'id', batch: 50, poll: 20 }),
      put: (items: readonly Item[]) => {
        const insert = sql.prepare('INSERT INTO items VALUES (@id, @text)')
        sql.transaction(() => items.forEach((one) => void insert.run(one)))()
      },
      item,
      ends: false,
      replays: true,
      dispose: () => void sql.close(),
    }
  })

  for (const guarantee of ['exactly-once', 'at-least-once'] as const) {
    sinkConformance(`sqliteSink, ${guarantee}`, () => {
      const { file, sql } = database(TABLE)
      return {
        open: () =>
          sqliteSink<Item>({ file, table: 'items', key: 'id', name: 'items', delivery: guarantee, batch: 30 }),
        item,
        contents: () => sql.prepare('SELECT * FROM items ORDER BY id').all() as Item[],
        guarantee,
        dispose: () => void sql.close(),
      }
    })
  }

  const run = async <T>(options: SqliteSinkOptions<T>, values: readonly T[]) => {
    const sink = sqliteSink<T>(options)
    await sink.open(undefined)
    for (const value of values) await sink.write(value)
    await sink.prepare(1)
    await sink.commit(1)
    await sink.close()
  }

  it('does what each value says, in their order', async () => {
    const operations: RowOperation[] = [
      { truncate: true },
      { upsert: { a: 1, b: 'x', n: 1 } },
      { upsert: { a: 1, b: 'y', n: 2 } },
      { delete: { a: 1, b: 'y' } },
      { upsert: { a: 2, b: 'z', n: 4 } },
      { upsert: { a: 3, b: 'z', n: 5 }, old: { a: 2, b: 'z' } },
      { upsert: { a: 1, b: 'x', n: 3 } },
      { upsert: { a: 3, b: 'z' } },
    ]
    for (const batch of [1, 3, 100]) {
      for (const delivery of ['exactly-once', 'at-least-once'] as const) {
        const { file, sql } = database(
          'CREATE TABLE t (a INT, b TEXT, n INT, PRIMARY KEY (a, b))',
          `INSERT INTO t VALUES (0, 'old', 0)`,
        )
        const to = (one: RowOperation) => one
        await run({ file, table: 't', key: ['a', 'b'], name: 't', to, delivery, batch }, operations)
        assert.deepEqual(sql.prepare('SELECT * FROM t ORDER BY a, b').all(), [
          { a: 1, b: 'x', n: 3 },
          { a: 3, b: 'z', n: 5 },
        ])
        sql.close()
      }
    }
  })

  it('takes and gives values of all kinds as they are', async () => {
    const { file, sql } = database('CREATE TABLE kinds (id INTEGER PRIMARY KEY, a, b, c, d, e, f)')
    const at = new Date('2024-02-29T01:02:03.456Z')
    await run({ file, table: 'kinds', key: 'id', name: 'kinds' }, [
      { id: 9007199254740993n, a: 0.5, b: Buffer.from([0, 255]), c: null, d: true, e: at, f: { x: [1] } },
      { id: 2, a: -7, b: 'text \u0000 €', c: null, d: null, e: null, f: null },
    ])
    const { items } = await readUntil(
      sqliteQuery({ file, query: 'SELECT * FROM kinds', key: 'id' }),
      undefined,
      () => false,
    )
    assert.deepEqual(items, [
      { id: 2, a: -7, b: 'text \u0000 €', c: null, d: null, e: null, f: null },
      { id: 9007199254740993n, a: 0.5, b: Buffer.from([0, 255]), c: null, d: 1, e: at.toISOString(), f: '{"x":[1]}' },
    ])
    sql.close()
  })

  it('pages by several columns, whatever the size of a page', async () => {
    const { file, sql } = database('CREATE TABLE pages (day TEXT, n INTEGER, PRIMARY KEY (day, n))')
    const insert = sql.prepare('INSERT INTO pages VALUES (?, ?)')
    for (let n = 0; n < 200; n++) insert.run(`2024-01-0${1 + (n % 7)}`, n)
    const query = 'SELECT day, n FROM pages WHERE n % 3 > 0'
    const expected = sql.prepare(`${query} ORDER BY day, n`).all()
    for (const batch of [1, 7, expected.length, 1000]) {
      const { items } = await readUntil(sqliteQuery({ file, query, key: ['day', 'n'], batch }), undefined, () => false)
      assert.deepEqual(items, expected)
    }
    sql.close()
  })

  it('passes rows that the table refuses to the dead letters', async () => {
    const { file, sql } = database('CREATE TABLE refused (id INTEGER PRIMARY KEY, n INT CHECK (n < 100))')
    const letters: DeadLetter[] = []
    const rows: Item[] = [
      { id: 1, n: 1 },
      { id: 2, n: 1000 },
      { id: 'three', n: 3 },
      { n: 4 },
      { id: 5, n: () => 1 },
      { id: 6, n: 6 },
    ]
    const options = { file, table: 'refused', key: 'id', name: 'refused' }
    await run({ ...options, deadLetters: (one) => letters.push(one) }, rows)
    assert.deepEqual(sql.prepare('SELECT id FROM refused').pluck().all(), [1, 6])
    assert.equal(letters.length, 4)
    await assert.rejects(run({ ...options, deadLetters: 'error' }, [{ id: 8, n: 1000 }]), {
      code: 'SQLITE_CONSTRAINT_CHECK',
    })
    sql.close()
  })

  it('writes all but the refused ones of many rows, wherever those are', async () => {
    const { file, sql } = database('CREATE TABLE many (id INTEGER PRIMARY KEY, n INT CHECK (n < 100))')
    const letters: DeadLetter[] = []
    const bad = [0, 17, 49, 50, 120, 121, 256]
    const rows = Array.from({ length: 257 }, (_, id) => ({ id, n: bad.includes(id) ? 100 : 1 }))
    await run({ file, table: 'many', key: 'id', name: 'many', deadLetters: (one) => letters.push(one) }, rows)
    const written = sql.prepare('SELECT id FROM many ORDER BY id').pluck().all()
    assert.deepEqual(
      written,
      rows.map(({ id }) => id).filter((id) => !bad.includes(id)),
    )
    assert.deepEqual(
      letters.map(({ record }) => (record as { id: number }).id),
      bad,
    )
    sql.close()
  })

  it('gives large fractions as numbers, and beside them whole numbers as they are', async () => {
    const { file, sql } = database('CREATE TABLE numbers (id INTEGER PRIMARY KEY, n)')
    const values = [1e300, 2 ** 53, -0.5, 9007199254740993n, -9007199254740993n, Number.MAX_SAFE_INTEGER, 7]
    const insert = sql.prepare('INSERT INTO numbers VALUES (?, ?)')
    for (const [id, value] of values.entries()) insert.run(id, value)
    for (const batch of [1, 100]) {
      const source = sqliteQuery<{ n: unknown }>({ file, query: 'SELECT * FROM numbers', key: 'id', batch })
      const { items } = await readUntil(source, undefined, () => false)
      assert.deepEqual(
        items.map(({ n }) => n),
        values,
      )
    }
    sql.close()
  })

  it('waits for a file that somebody else holds, and refuses one that another job writes under its name', async () => {
    const { file, sql } = database(TABLE)
    const options = { file, table: 'items', key: 'id', name: 'items' }
    const first = sqliteSink(options)
    await first.open(undefined)
    sql.exec('BEGIN IMMEDIATE')
    await first.write(item(1))
    const prepared = first.prepare(1)
    setTimeout(() => sql.exec('COMMIT'), 50)
    await prepared
    const second = sqliteSink(options)
    await second.open(undefined)
    await assert.rejects(first.commit(1), { code: 'ERR_DATABASE_BUSY' })
    await second.close()
    await first.close()
    sql.close()
  })

  it('has its options told all their problems at once', () => {
    assert.throws(() => sqliteSink({ file: ':memory:', table: 'a.b.c' } as never), OptionError)
    assert.throws(
      () => sqliteQuery({ file: 'a', query: 'SELECT 1;', key: [] }),
      (error: OptionError) => error.problems.length === 2,
    )
  })
})
