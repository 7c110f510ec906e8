import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Change, dropPostgresSlot, type PostgresPosition, postgresChanges } from '../../../lib/connectors/postgres'
import * as postgres from '../servers/postgres'
import { describeService } from '../service'
import { iterate, newOf, readUntil, useSql } from './database'

describeService('PostgreSQL: what the log keeps, and what the server does', postgres, (server) => {
  const sql = useSql(server)
  const source = (slot: string, tables: string[], more: object = {}) =>
    postgresChanges({ connection: postgres.url(server().port), tables, slot, ...more })
  const confirmed = async (slot: string) => {
    const rows = await sql('SELECT confirmed_flush_lsn::text AS lsn FROM pg_replication_slots WHERE slot_name = $1', [
      slot,
    ])
    return rows[0]?.lsn as unknown as string
  }

  it('lets the server forget what was committed, and nothing else', async () => {
    await sql('CREATE TABLE kept (id int PRIMARY KEY)')
    const kept = source('kept', ['kept'], { snapshot: 'never' })
    const items = iterate(kept)
    const first = items.next()
    // Its slot is there when it streams.
    while ((await confirmed('kept')) === undefined) await sleep(20)
    await sleep(300)
    const before = await confirmed('kept')
    for (let id = 0; id < 5; id++) await sql(`INSERT INTO kept VALUES (${id})`)
    const positions: PostgresPosition[] = [(await first).value![1]]
    while (positions.length < 5) positions.push((await items.next()).value![1])
    await sleep(200)
    assert.equal(await confirmed('kept'), before)
    await kept.commit!(positions[2]!)
    while ((await confirmed('kept')) !== positions[2]!.lsn) await sleep(20)
    await items.return!()
    const { items: rest } = await readUntil(source('kept', ['kept']), positions[2], (_, count) => count === 2)
    assert.deepEqual(
      rest.map((change) => newOf(change).id),
      [3, 4],
    )
  })

  it('waits in the server while nobody takes what it reads ahead', async () => {
    await sql('CREATE TABLE wide (id int PRIMARY KEY, text text)')
    const wide = source('wide', ['wide'], { snapshot: 'never', batch: 100 })
    const items = iterate(wide)
    const first = items.next()
    while ((await confirmed('wide')) === undefined) await sleep(20)
    await sql('ALTER TABLE wide ALTER text SET STORAGE EXTERNAL')
    for (let part = 0; part < 20; part++) {
      await sql(`INSERT INTO wide SELECT ${part} * 100 + i, repeat('x', 32000) FROM generate_series(1, 100) i`)
    }
    await first
    await sleep(1500)
    const [{ behind }] = (await sql(
      `SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), sent_lsn)::int AS behind FROM pg_stat_replication WHERE application_name = 'rxjs-python'`,
    )) as unknown as [{ behind: number }]
    assert.ok(behind > 20e6, `${behind} bytes are left in the server`)
    let count = 1
    while (count < 2000) {
      const { value } = await items.next()
      assert.equal((newOf(value![0]).text as string).length, 32_000)
      count++
    }
    await items.return!()
  })

  it('comes back to a server that was killed, with each change once', async () => {
    await sql('CREATE TABLE killed (id int PRIMARY KEY, name text)')
    await sql(`INSERT INTO killed SELECT i, 'there' FROM generate_series(1, 5000) i`)
    let kills = 0
    let busy: Promise<unknown> = Promise.resolve()
    const kill = () => {
      kills++
      busy = (async () => {
        await server().kill()
        await server().restart()
        await sql(`INSERT INTO killed SELECT i, 'new' FROM generate_series(${kills} * 10000, ${kills} * 10000 + 999) i`)
      })()
    }
    const { items } = await readUntil(source('killed', ['killed'], { batch: 100 }), undefined, (_, count) => {
      // Among the rows that were there, among the changes, and when all has come.
      if (count === 2000 || count === 5500 || count === 7000) kill()
      return count === 8000
    })
    await busy
    assert.equal(kills, 3)
    const ids = items.map((change) => newOf(change).id)
    assert.equal(new Set(ids).size, 8000)
    const [{ count }] = (await sql('SELECT count(*)::int AS count FROM killed')) as unknown as [{ count: number }]
    assert.equal(count, 8000)
  })

  it('says what is wrong with tables, slots and servers, and never a password', async () => {
    await sql('CREATE TABLE keyless (name text)')
    const failing = async (given: { read: ReturnType<typeof source>['read'] }, from?: PostgresPosition) => {
      const nothing: Change[] = []
      try {
        for await (const [change] of given.read(from)) nothing.push(change)
      } catch (error) {
        return error as Error & { code: string }
      }
      throw new Error(`no error, but ${nothing.length} changes`)
    }
    const setup = await failing(source('wrong', ['keyless', 'nowhere']))
    assert.equal(setup.code, 'ERR_DATABASE_SETUP')
    assert.match(setup.message, /keyless has no primary key.*there is no table public.nowhere/)

    await sql('CREATE TABLE lost (id int PRIMARY KEY)')
    await sql('INSERT INTO lost VALUES (1)')
    const { position } = await readUntil(source('lost', ['lost']), undefined, () => true)
    await dropPostgresSlot({ connection: postgres.url(server().port), slot: 'lost' })
    const lost = await failing(source('lost', ['lost']), position)
    assert.equal(lost.code, 'ERR_DATABASE_LOG')

    const port = server().port
    const connection = `postgres://postgres:a-wrong-secret@127.0.0.1:${port}/postgres`
    const refused = await failing(postgresChanges({ connection, tables: ['lost'], slot: 'refused' }))
    assert.equal(refused.code, '28P01')
    const away = `postgres://postgres:a-wrong-secret@127.0.0.1:1/postgres`
    const retry = { initial: 1, attempts: 3 }
    const unreachable = await failing(postgresChanges({ connection: away, tables: ['lost'], slot: 'away', retry }))
    assert.equal(unreachable.code, 'ERR_CONNECTION')
    for (const error of [refused, unreachable]) {
      assert.doesNotMatch(`${error.stack} ${JSON.stringify(error)} ${(error.cause as Error)?.stack}`, /a-wrong-secret/)
    }
  })

  it('ends, and lets go of its slot, wherever it is on its way there', async () => {
    await sql('CREATE TABLE brief (id int PRIMARY KEY)')
    const active = async () =>
      (await sql(`SELECT 1 FROM pg_replication_slots WHERE slot_name = 'brief' AND active`)).length
    for (let wait = 0; wait < 60; wait++) {
      const over = new AbortController()
      const waiting = iterate(source('brief', ['brief']), undefined, over.signal).next()
      await sleep(wait)
      over.abort()
      assert.equal((await waiting).done, true)
      while ((await active()) > 0) await sleep(20)
    }
  }).timeout(60_000)

  it('ends while it waits for changes', async () => {
    await sql('CREATE TABLE quiet (id int PRIMARY KEY)')
    const quiet = source('quiet', ['quiet'])
    const over = new AbortController()
    const waiting = iterate(quiet, undefined, over.signal).next()
    while ((await confirmed('quiet')) === undefined) await sleep(20)
    over.abort()
    assert.equal((await waiting).done, true)
  })
})
