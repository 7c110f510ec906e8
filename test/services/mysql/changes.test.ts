import assert from 'node:assert/strict'
import { createConnection } from 'mysql2/promise'
import { type Change, type MysqlChangesPosition, mysqlChanges } from '../../../lib/connectors/mysql'
import { Copy, newOf, readUntil } from '../postgres/database'
import * as mariadb from '../servers/mariadb'
import { describeService } from '../service'
import { useDumps, useSql } from './database'

describeService('MariaDB: changes', mariadb, (server) => {
  const sql = useSql(server)
  const dumps = useDumps(sql)
  const source = (tables: string[], more: object = {}) =>
    mysqlChanges({ connection: mariadb.url(server().port), tables, ...more })
  const isEnd = (change: Change) => 'new' in change && change.new.name === 'end'
  /** The changes up to a row that is inserted when the log is being read. */
  const upToNow = async (table: string, from: MysqlChangesPosition | undefined, more: object = {}) => {
    await dumps.none()
    const reading = readUntil(source([table], more), from, isEnd)
    await dumps.some(reading)
    await sql(`INSERT INTO ${table} (id, name) SELECT COALESCE(MAX(id), 0) + 1, 'end' FROM ${table}`)
    return reading
  }

  it('gives the rows that are there, then what happens to them, without a gap', async () => {
    await sql('CREATE TABLE gaps (id INT PRIMARY KEY, name TEXT, version INT DEFAULT 0)')
    await sql("INSERT INTO gaps SELECT seq, CONCAT('row ', seq), 0 FROM seq_1_to_3000")
    let writing = true
    let rounds = 0
    const writer = (async () => {
      const connection = await createConnection({ uri: mariadb.url(server().port) })
      for (let at = 3001; writing; at++) {
        await connection.query(`INSERT INTO gaps VALUES (${at}, 'new', 0)`)
        await connection.query('UPDATE gaps SET version = version + 1 WHERE id % 50 = ?', [at % 50])
        await connection.query('DELETE FROM gaps WHERE id % 500 = ?', [at % 500])
        rounds++
      }
      connection.destroy()
    })()
    const copy = new Copy('id')
    const versions = new Map<unknown, number>()
    const { items } = await readUntil(source(['gaps'], { batch: 100 }), undefined, (change, count) => {
      copy.apply(change)
      if ('new' in change) {
        const before = versions.get(change.new.id)
        if (change.kind === 'update') assert.equal(change.new.version, before! + 1)
        versions.set(change.new.id, change.new.version as number)
      }
      if (count > 6000 && writing) {
        writing = false
        void writer.then(() => sql(`INSERT INTO gaps VALUES (1000000, 'end', 0)`))
      }
      return isEnd(change)
    })
    await writer
    assert.ok(rounds > 10)
    assert.ok(items.filter(({ kind }) => kind === 'update').length > 1000)
    assert.deepEqual(copy.sorted(), await sql('SELECT * FROM gaps ORDER BY id'))
  })

  for (const [type, keyOf] of [
    ['INT', (n: number) => n],
    ['VARCHAR(20)', (n: number) => `${n % 2 === 0 ? 'Ä' : 'b'}-${String(n).padStart(6, '0')}`],
    ['DECIMAL(20, 3)', (n: number) => `${n}.125`],
  ] as const) {
    it(`goes on in the middle of the rows that were there, whatever has happened to them since: keys of ${type}`, async () => {
      const table = `parts_${type.replace(/\W.*/, '').toLowerCase()}`
      await sql(`CREATE TABLE ${table} (id ${type} PRIMARY KEY, name TEXT)`)
      await sql(`INSERT INTO ${table} VALUES ?`, [
        Array.from({ length: 1000 }, (_, at) => [keyOf((at + 1) * 10), 'row']),
      ])
      const reader = () => source([table], { batch: 40 })
      const copy = new Copy('id')
      let position: MysqlChangesPosition | undefined
      for (const count of [300, 200, 150]) {
        const part = await readUntil(reader(), position, (_, so) => so === count)
        for (const change of part.items) copy.apply(change)
        position = part.position
        // Before the border and behind it, and from one side to the other.
        const border = [...copy.rows.keys()].length * 10
        await sql(`UPDATE ${table} SET name = CONCAT(name, '!')`)
        await sql(`DELETE FROM ${table} WHERE id IN (?, ?)`, [keyOf(border - 100), keyOf(border + 100)])
        await sql(`UPDATE ${table} SET id = ? WHERE id = ?`, [keyOf(border - 205), keyOf(border + 200)])
        await sql(`UPDATE ${table} SET id = ? WHERE id = ?`, [keyOf(border + 305), keyOf(border - 300)])
        await sql(`INSERT INTO ${table} VALUES (?, 'new'), (?, 'new')`, [keyOf(border - 3), keyOf(border + 3)])
        if (count === 200) await sql('FLUSH BINARY LOGS')
      }
      await dumps.none()
      const reading = readUntil(reader(), position, isEnd)
      await dumps.some(reading)
      await sql(`INSERT INTO ${table} VALUES (?, 'end')`, [keyOf(99_999)])
      for (const change of (await reading).items) copy.apply(change)
      const expected = await sql(`SELECT * FROM ${table} ORDER BY id`)
      assert.deepEqual(copy.rows, new Map(expected.map((row) => [String(row.id), row])))
    })
  }

  it('goes on in the middle of a transaction, also of one that does not wait for its end', async () => {
    await sql('CREATE TABLE large (id INT PRIMARY KEY, name TEXT)')
    for (const batch of [3, 2000]) {
      await sql('DELETE FROM large')
      const { position } = await upToNow('large', undefined, { batch })
      await sql(`INSERT INTO large SELECT seq, 'row' FROM seq_10_to_19`)
      const first = await readUntil(source(['large'], { batch }), position, (_, count) => count === 4)
      assert.equal(first.position!.within, 4)
      const rest = await upToNow('large', first.position, { batch })
      const ids = [...first.items, ...rest.items].map((change) => newOf(change).id)
      assert.deepEqual(ids, [10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20])
    }
  })

  it('tells the rows before and after, truncation, and changes of the schema', async () => {
    await sql('CREATE TABLE kinds (id INT PRIMARY KEY, name TEXT, note VARCHAR(10))')
    const { position } = await upToNow('kinds', undefined)
    await sql(`INSERT INTO kinds VALUES (5, 'a', 'x')`)
    await sql(`UPDATE kinds SET name = 'b' WHERE id = 5`)
    await sql('ALTER TABLE kinds ADD COLUMN price DECIMAL(10, 2), ADD COLUMN more JSON')
    await sql(`UPDATE kinds SET price = 1.5, more = '{"a": [1]}' WHERE id = 5`)
    await sql('DELETE FROM kinds WHERE id = 5')
    await sql('/* all of it */ TRUNCATE TABLE kinds')
    const { items } = await upToNow('kinds', position)
    const table = 'test.kinds'
    const seen = items.map((change) => {
      const { at, time, ...rest } = change as Exclude<Change, { kind: 'read' }>
      assert.match(at, /^binlog\.\d+:\d+$/)
      assert.ok(Math.abs(time - Date.now()) < 600_000)
      return rest
    })
    const columns = [
      { name: 'id', type: 'int' },
      { name: 'name', type: 'text' },
      { name: 'note', type: 'varchar(10)' },
    ]
    const added = [
      { name: 'price', type: 'decimal(10,2)' },
      { name: 'more', type: 'longtext' },
    ]
    const none = { price: null, more: null }
    assert.deepEqual(seen, [
      { kind: 'insert', table, new: { id: 5, name: 'a', note: 'x' } },
      { kind: 'update', table, old: { id: 5, name: 'a', note: 'x' }, new: { id: 5, name: 'b', note: 'x' } },
      { kind: 'schema', table, columns: [...columns, ...added], previous: columns },
      {
        kind: 'update',
        table,
        old: { id: 5, name: 'b', note: 'x', ...none },
        new: { id: 5, name: 'b', note: 'x', price: '1.50', more: { a: [1] } },
      },
      { kind: 'delete', table, old: { id: 5, name: 'b', note: 'x', price: '1.50', more: { a: [1] } } },
      { kind: 'truncate', table },
      { kind: 'insert', table, new: { id: 1, name: 'end', note: null, ...none } },
    ])
  })

  it('reads a table that was added later, and leaves out what it was not asked for', async () => {
    await sql('CREATE TABLE early (id INT PRIMARY KEY, name TEXT)')
    await sql('CREATE TABLE later (id INT PRIMARY KEY, name TEXT)')
    await sql(`INSERT INTO later VALUES (1, 'there')`)
    const { position } = await upToNow('early', undefined)
    await sql(`INSERT INTO later VALUES (2, 'there')`)
    await sql(`INSERT INTO early VALUES (7, 'in between'), (8, 'end')`)
    const { items } = await readUntil(source(['early', 'test.later']), position, isEnd)
    const seen = items.map((change) => `${change.kind} ${change.table} ${newOf(change).id}`)
    assert.deepEqual(seen, [
      ...['read test.later 1', 'read test.later 2'],
      ...['insert test.early 7', 'insert test.early 8'],
    ])
  })

  it('has values as the snapshot and the log agree on, without a loss', async () => {
    await sql(`CREATE TABLE all_kinds (id BIGINT UNSIGNED PRIMARY KEY, name TEXT, l VARCHAR(20) CHARACTER SET latin1, c CHAR(5),
      b BIGINT, tiny TINYINT, utiny TINYINT UNSIGNED, medium MEDIUMINT, f FLOAT, g DOUBLE, n DECIMAL(30, 9), flag BOOLEAN,
      at DATETIME(3), stamp TIMESTAMP(6) NULL, plain TIMESTAMP NULL, d DATE, t TIME(2), y YEAR, zero DATE, j JSON, jn JSON, x BLOB, fixed BINARY(4),
      bits BIT(10), e ENUM('a', 'b,c', 'd''e'), s SET('x', 'y'), p POINT, u UUID, i6 INET6, i4 INET4,
      twice INT AS (medium * 2) VIRTUAL, thrice INT AS (medium * 3) PERSISTENT, empty TEXT)`)
    const values = `-9007199254740993, -1, 255, -5, 0.1, 0.1, '-12345678901234567890.123456789', true,
      '2024-02-29 01:02:03.456', '2024-02-29 01:02:03.456789', '2024-02-29 01:02:03', '2024-02-29', '-12:00:01.50', 0, '0000-00-00',
      '{"a": [1, null, "x"]}', 'null', x'00ff', x'01', b'1000000001', 'b,c', 'x,y', ST_GeomFromText('POINT(1 2)'),
      '0e37df36-f698-11e6-8dd4-cb9ced3df976', '::1', '1.2.3.4', default, default, null`
    const insert = async (id: string) => {
      const connection = await createConnection({ uri: mariadb.url(server().port) })
      await connection.query("SET sql_mode = '', time_zone = '+00:00'")
      await connection.query(`INSERT INTO all_kinds VALUES (${id}, 'it''s € 😀', 'é€', 'ab', ${values})`)
      connection.destroy()
    }
    await insert('18446744073709551615')
    await dumps.none()
    const reading = readUntil(source(['all_kinds']), undefined, (_, count) => count === 2)
    await dumps.some(reading)
    await insert('2')
    const { items } = await reading
    const [read, inserted] = items
    const expected = {
      id: '18446744073709551615',
      name: "it's € 😀",
      l: 'é€',
      c: 'ab',
      b: '-9007199254740993',
      tiny: -1,
      utiny: 255,
      medium: -5,
      f: 0.1,
      g: 0.1,
      n: '-12345678901234567890.123456789',
      flag: 1,
      at: '2024-02-29 01:02:03.456',
      stamp: '2024-02-29 01:02:03.456789',
      plain: '2024-02-29 01:02:03',
      d: '2024-02-29',
      t: '-12:00:01.50',
      y: 0,
      zero: '0000-00-00',
      j: { a: [1, null, 'x'] },
      jn: null,
      x: Buffer.from([0, 255]),
      fixed: Buffer.from([1, 0, 0, 0]),
      bits: Buffer.from([2, 1]),
      e: 'b,c',
      s: 'x,y',
      p: { x: 1, y: 2 },
      u: '0e37df36-f698-11e6-8dd4-cb9ced3df976',
      i6: '::1',
      i4: '1.2.3.4',
      twice: -10,
      thrice: -15,
      empty: null,
    }
    assert.deepEqual(newOf(read), expected)
    assert.equal(inserted!.kind, 'insert')
    assert.deepEqual(newOf(inserted), { ...expected, id: 2 })
  })
})
