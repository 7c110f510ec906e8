import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { createConnection } from 'mysql2/promise'
import { type Change, type MysqlChangesPosition, mysqlChanges } from '../../../lib/connectors/mysql'
import { Connections } from '../../../lib/connectors/mysql/connection'
import { endOfLog } from '../../../lib/connectors/mysql/setup'
import { openView } from '../../../lib/connectors/mysql/snapshot'
import { iterate, newOf, readUntil } from '../postgres/database'
import * as mariadb from '../servers/mariadb'
import { describeService } from '../service'
import { useDumps, useSql } from './database'

describeService('MariaDB: what the log keeps, and what the server does', mariadb, (server) => {
  const sql = useSql(server)
  const connection = () => mariadb.url(server().port)
  const source = (tables: string[], more: object = {}) => mysqlChanges({ connection: connection(), tables, ...more })
  const dumps = useDumps(sql)

  it('waits in the server while nobody takes what it reads ahead', async () => {
    await sql('CREATE TABLE wide (id INT PRIMARY KEY, text MEDIUMTEXT)')
    const items = iterate(source(['wide'], { snapshot: 'never', batch: 100 }))
    const first = items.next()
    await dumps.some(first)
    for (let part = 0; part < 20; part++) {
      await sql(`INSERT INTO wide SELECT ${part} * 100 + seq, REPEAT('x', 32000) FROM seq_1_to_100`)
    }
    await first
    let looks = 0
    for (const end = performance.now() + 1500; performance.now() < end; await sleep(50)) {
      // Where it has nothing left to send, it says so.
      for (const state of await dumps.states()) {
        assert.doesNotMatch(state, /sent all/i)
        looks++
      }
    }
    assert.ok(looks > 0)
    let count = 1
    while (count < 2000) {
      const { value } = await items.next()
      assert.equal((newOf(value![0]).text as string).length, 32_000)
      count++
    }
    await items.return!()
  })

  it('comes back to a server that was killed, with each change once', async () => {
    await sql('CREATE TABLE killed (id INT PRIMARY KEY, name TEXT)')
    await sql(`INSERT INTO killed SELECT seq, 'there' FROM seq_1_to_5000`)
    let kills = 0
    let busy: Promise<unknown> = Promise.resolve()
    const kill = () => {
      kills++
      busy = (async () => {
        await server().kill()
        await server().restart()
        await sql(`INSERT INTO killed SELECT seq + ${kills} * 10000, 'new' FROM seq_1_to_1000`)
      })()
    }
    const { items } = await readUntil(source(['killed'], { batch: 100 }), undefined, (_, count) => {
      // Among the rows that were there, among the changes, and when all has come.
      if (count === 2000 || count === 5500 || count === 7000) kill()
      return count === 8000
    })
    await busy
    assert.equal(kills, 3)
    const ids = items.map((change) => newOf(change).id)
    assert.equal(new Set(ids).size, 8000)
    assert.deepEqual(await sql('SELECT COUNT(*) AS count FROM killed'), [{ count: 8000 }])
  })

  it('has every transaction that was committed, and none that was not, while the server is killed under writers', async () => {
    await sql('CREATE TABLE writers (id INT PRIMARY KEY AUTO_INCREMENT, writer INT, text MEDIUMTEXT)')
    const reading = iterate(source(['writers'], { batch: 5000 }))
    const seen = new Map<unknown, unknown>()
    let writing = true
    const writer = async (number: number) => {
      while (writing) {
        try {
          const one = await createConnection({ uri: connection() })
          one.on('error', () => {})
          // Wide, so that the server is often killed while it writes them to the log.
          while (writing) {
            await one.query("INSERT INTO writers (writer, text) SELECT ?, REPEAT('x', 5000) FROM seq_1_to_200", [
              number,
            ])
          }
          one.destroy()
        } catch {
          await sleep(50)
        }
      }
    }
    const writers = [1, 2, 3].map(writer)
    const taking = (async () => {
      for (let next = await reading.next(); !next.done; next = await reading.next()) {
        const { id, writer: by } = newOf(next.value[0])
        assert.ok(!seen.has(id), `${id} came twice`)
        seen.set(id, by)
        if (by === 0) break
      }
      await reading.return!()
    })()
    for (let kills = 0; kills < 4; kills++) {
      const before = seen.size
      while (seen.size < before + 1000) await Promise.race([sleep(50), taking])
      await server().kill()
      await server().restart()
    }
    writing = false
    await Promise.all(writers)
    await sql("INSERT INTO writers (writer, text) VALUES (0, 'end')")
    await taking
    const rows = await sql('SELECT id FROM writers')
    assert.deepEqual([...seen.keys()].map(Number).sort(), rows.map(({ id }) => Number(id)).sort())
  })

  it('tells that the log is not there any more', async () => {
    await sql('CREATE TABLE purged (id INT PRIMARY KEY)')
    await sql('INSERT INTO purged VALUES (1)')
    const { position } = await readUntil(source(['purged']), undefined, () => true)
    await sql('FLUSH BINARY LOGS')
    await sql('FLUSH BINARY LOGS')
    await dumps.none()
    const files = async () => (await sql('SHOW BINARY LOGS')).map(({ Log_name }) => String(Log_name))
    const last = (await files()).at(-1)!
    // The server keeps a file for as long as it may need it itself.
    while ((await files()).length > 1) {
      await sql(`PURGE BINARY LOGS TO '${last}'`)
      await sleep(20)
    }
    const lost = await failing(source(['purged']), position)
    assert.equal(lost.code, 'ERR_DATABASE_LOG')
    assert.match(lost.message, /has no binlog .* any more/)
    const beyond = await failing(source(['purged']), { ...position!, log: { file: last, position: 1e9 } })
    assert.equal(beyond.code, 'ERR_DATABASE_LOG')
  })

  const failing = async (given: ReturnType<typeof source>, from?: MysqlChangesPosition) => {
    const nothing: Change[] = []
    try {
      for await (const [change] of given.read(from)) nothing.push(change)
    } catch (error) {
      return error as Error & { code: string }
    }
    throw new Error(`no error, but ${nothing.length} changes`)
  }

  it('says what is wrong with tables, settings and servers, and never a password', async () => {
    await sql('CREATE TABLE keyless (name TEXT)')
    await sql("CREATE TABLE strange (id ENUM('a') PRIMARY KEY)")
    await sql('CREATE TABLE old (id INT PRIMARY KEY) ENGINE = MyISAM')
    await sql('CREATE VIEW view AS SELECT 1 AS id')
    const setup = await failing(source(['keyless', 'nowhere', 'strange', 'old', 'view']))
    assert.equal(setup.code, 'ERR_DATABASE_SETUP')
    assert.match(
      setup.message,
      /keyless has no primary key.*there is no table test.nowhere.*key of test.strange has id \(enum\).*old is of MyISAM.*view is a view/,
    )

    await sql("SET GLOBAL binlog_row_metadata = 'MINIMAL', binlog_row_image = 'MINIMAL'")
    await sql('CREATE TABLE lean (id INT PRIMARY KEY)')
    const lean = await failing(source(['lean']))
    assert.equal(lean.code, 'ERR_DATABASE_SETUP')
    assert.match(lean.message, /binlog_row_image is 'MINIMAL': .*binlog_row_metadata is 'MINIMAL': set/)
    await sql('INSERT INTO lean VALUES (1)')
    await sql("SET GLOBAL binlog_row_metadata = 'FULL', binlog_row_image = 'FULL'")

    const refused = await failing(
      mysqlChanges({ connection: `mysql://test:a-wrong-secret@127.0.0.1:${server().port}/test`, tables: ['keyless'] }),
    )
    assert.equal(refused.code, 'ER_ACCESS_DENIED_ERROR')
    const away = await failing(
      mysqlChanges({
        connection: 'mysql://test:a-wrong-secret@127.0.0.1:1/test',
        tables: ['keyless'],
        retry: { initial: 1, attempts: 3 },
      }),
    )
    assert.equal(away.code, 'ERR_CONNECTION')
    for (const error of [refused, away]) {
      assert.doesNotMatch(`${error.stack} ${JSON.stringify(error)} ${(error.cause as Error)?.stack}`, /a-wrong-secret/)
    }
  })

  it('stops where the log has not what it needs', async () => {
    await sql('CREATE TABLE spare (id INT PRIMARY KEY, name TEXT)')
    const { position } = await afterOne('spare')
    for (const [setting, code, why] of [
      ["binlog_format = 'STATEMENT'", 'ERR_DATABASE_SETUP', /statement in place of the rows of test.spare/],
      ["binlog_row_image = 'MINIMAL'", 'ERR_DATABASE_SETUP', /parts of rows of test.spare/],
    ] as const) {
      const one = await createConnection({ uri: connection() })
      await one.query(`SET SESSION ${setting}`)
      await one.query(`UPDATE spare SET name = '${setting.length}'`)
      one.destroy()
      const error = await failing(source(['spare']), position)
      assert.equal(error.code, code)
      assert.match(error.message, why)
      await sql('DELETE FROM spare')
      Object.assign(position, (await afterOne('spare')).position)
    }
    await sql("SET GLOBAL binlog_row_metadata = 'NO_LOG'")
    await sql("UPDATE spare SET name = 'no names'")
    await sql("SET GLOBAL binlog_row_metadata = 'FULL'")
    const error = await failing(source(['spare']), position)
    assert.equal(error.code, 'ERR_DATABASE_LOG')
    assert.match(error.message, /without the names of its columns/)
  })

  /** The position behind a row that was inserted while the log was read. */
  const afterOne = async (table: string) => {
    await dumps.none()
    const reading = readUntil(source([table], { snapshot: 'never' }), undefined, () => true)
    await dumps.some(reading)
    await sql(`INSERT INTO ${table} VALUES (1, 'one')`)
    const { items, position } = await reading
    assert.equal(items.length, 1)
    return { position: position! }
  }

  it('does not take a transaction in two steps for one that is committed', async () => {
    await sql('CREATE TABLE steps (id INT PRIMARY KEY, name TEXT)')
    const { position } = await afterOne('steps')
    const one = await createConnection({ uri: connection() })
    for (const text of ["XA START 'x'", "INSERT INTO steps VALUES (2, 'x')", "XA END 'x'", "XA PREPARE 'x'"]) {
      await one.query(text)
    }
    await one.query("XA ROLLBACK 'x'")
    one.destroy()
    const error = await failing(source(['steps']), position)
    assert.match(error.message, /XA transaction/)
  })

  it('opens a view as MySQL has it: under a lock, with the place in the log', async () => {
    await sql('CREATE TABLE locked (id INT PRIMARY KEY)')
    const connections = new Connections(connection(), [])
    const { connection: view, log } = await openView(connections, true)
    await sql('INSERT INTO locked VALUES (1)')
    const [rows] = await view.query('SELECT * FROM locked')
    assert.deepEqual(rows, [])
    const now = await endOfLog(await connections.connect())
    assert.equal(now.file, log.file)
    assert.ok(now.position > log.position)
    connections.cut()
  })

  it('ends while it waits for changes', async () => {
    await sql('CREATE TABLE quiet (id INT PRIMARY KEY)')
    const over = new AbortController()
    await dumps.none()
    const waiting = iterate(source(['quiet']), undefined, over.signal).next()
    await dumps.some(waiting)
    over.abort()
    assert.equal((await waiting).done, true)
  })
})
