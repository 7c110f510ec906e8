import assert from 'node:assert/strict'
import fc from 'fast-check'
import { isSame, plainType, shortFloat } from '../../../lib/connectors/mysql/columns'
import { Decoder, type IsShown, type LogMessage, type Positioned } from '../../../lib/connectors/mysql/decoder'
import type { MysqlChangesPosition } from '../../../lib/connectors/mysql/position'
import { isBefore } from '../../../lib/connectors/mysql/position'
import type { KnownTable } from '../../../lib/connectors/mysql/setup'
import { emptiedTables, writesRows } from '../../../lib/connectors/mysql/statements'

const known = new Map([['d.t', { table: 'd.t', key: [], definitions: [], columns: '[]' } as KnownTable]])
const start: MysqlChangesPosition = { log: { file: 'b.000001', position: 4 }, tables: { 'd.t': '[]' }, ranges: [] }

async function decoded(
  messages: readonly LogMessage[],
  {
    from = start,
    limit = 100,
    isShown = async () => false as boolean,
  }: { from?: MysqlChangesPosition; limit?: number; isShown?: IsShown } = {},
) {
  const given: Positioned[] = []
  const letters: unknown[] = []
  const decoder = new Decoder(from, {
    known,
    limit,
    isShown,
    out: (pair) => given.push(pair),
    bad: (error, at) => letters.push([error, at]),
  })
  for (const message of messages) await decoder.take(message)
  return { given, letters }
}

const begin: LogMessage = { tag: 'begin', time: 7, alone: false }
const insert = (...ids: number[]): LogMessage => ({ tag: 'insert', table: 'd.t', rows: ids.map((id) => ({ id })) })
const commit = (end: number): LogMessage => ({ tag: 'commit', end })
const query = (text: string, end = 50): LogMessage => ({ tag: 'query', text, database: 'd', end, time: 7 })
const rotate = (file: string): LogMessage => ({ tag: 'rotate', place: { file, position: 4 } })
const idsOf = (given: readonly Positioned[]) =>
  given.map(([change]) => (change as unknown as { new: { id: number } }).new.id)

describe('the log of MySQL', () => {
  it('gives a transaction when it has ended, the last change with the place behind it', async () => {
    const { given } = await decoded([{ tag: 'passed', end: 256 }, begin, insert(1, 2), insert(3), commit(400)])
    const log = { file: 'b.000001', position: 256 }
    assert.deepEqual(
      given.map(([, position]) => position),
      [
        { ...start, log, within: 1 },
        { ...start, log, within: 2 },
        { ...start, log: { ...log, position: 400 } },
      ],
    )
    assert.deepEqual(given[0]![0], { kind: 'insert', table: 'd.t', new: { id: 1 }, at: 'b.000001:256', time: 7 })
    assert.deepEqual((await decoded([begin, insert(1)])).given, [])
  })

  it('forgets a transaction in which the server was killed, and goes on in the next file', async () => {
    const rest = [rotate('b.000002'), { tag: 'passed', end: 300 }, begin, insert(9), commit(400)] as const
    const { given } = await decoded([begin, insert(1, 2), ...rest])
    assert.deepEqual(idsOf(given), [9])
    assert.deepEqual(given[0]![1].log, { file: 'b.000002', position: 400 })
    // What was given of it cannot be taken back.
    await assert.rejects(decoded([begin, insert(1, 2, 3), ...rest], { limit: 1 }), { code: 'ERR_DATABASE_LOG' })
    const from = { ...start, within: 1 }
    await assert.rejects(decoded([begin, insert(1, 2), ...rest], { from }), { code: 'ERR_DATABASE_LOG' })
    await assert.rejects(decoded([...rest], { from }), { code: 'ERR_DATABASE_LOG' })
  })

  it('goes on from any position, whatever the size of what waits', async () => {
    const messages = [
      ...[{ tag: 'passed', end: 100 }, begin, insert(1, 2, 3), insert(4), commit(200)],
      ...[
        begin,
        { tag: 'table', table: 'd.t', columns: '[["id","int"]]' },
        insert(5, 6),
        commit(300),
        rotate('b.000002'),
      ],
      ...[{ tag: 'begin', time: 1, alone: true }, query('TRUNCATE t', 90), begin, insert(7), commit(120)],
    ] as LogMessage[]
    const whole = await decoded(messages)
    assert.equal(whole.given.length, 9)
    await fc.assert(
      fc.asyncProperty(fc.nat(8), fc.integer({ min: 1, max: 5 }), async (stop, limit) => {
        const first = (await decoded(messages, { limit })).given.slice(0, stop + 1)
        const { log } = first.at(-1)![1]
        // The log from there on, as the server gives it.
        const ends = [200, 300].filter((end) => log.file === 'b.000001' && end <= log.position).length
        const from =
          log.file === 'b.000002' ? (log.position === 90 ? 12 : log.position === 120 ? 15 : 10) : [0, 5, 9][ends]!
        const rest = await decoded(messages.slice(from), { from: first.at(-1)![1], limit })
        assert.deepEqual(
          [...first, ...rest.given].map(([change]) => change),
          whole.given.map(([change]) => change),
        )
      }),
    )
  })

  it('leaves out what the rows that were read already show', async () => {
    const ranges = [{ table: 'd.t', upTo: null, log: { file: 'b.000001', position: 300 } }]
    const isShown: IsShown = async (_, __, row, place) => row.id !== 2 && place.position < 300
    const messages = [begin, insert(1, 2), commit(300), begin, insert(3), commit(400)]
    const { given } = await decoded(messages, { from: { ...start, ranges }, isShown })
    assert.deepEqual(idsOf(given), [2, 3])
    assert.deepEqual(given[1]![1].ranges, [])
    const parts = [{ table: 'd.t', upTo: ['5'], log: { file: 'b.000001', position: 4 } }, ...ranges]
    const truncate = [{ tag: 'begin', time: 1, alone: true } as const, query('truncate table `d`.`t`')]
    assert.deepEqual((await decoded(truncate, { from: { ...start, ranges } })).given, [])
    await assert.rejects(decoded(truncate, { from: { ...start, ranges: parts } }), { code: 'ERR_DATABASE_LOG' })
  })

  it('passes rows that cannot be read to the dead letters, and goes on', async () => {
    const error = new RangeError('beyond the end')
    const { given, letters } = await decoded([begin, insert(1), { tag: 'bad', error }, insert(2), commit(90)])
    assert.deepEqual(idsOf(given), [1, 2])
    assert.deepEqual(letters, [[error, 'b.000001:4']])
  })

  it('knows a transaction of MySQL, which says BEGIN', async () => {
    const gtid: LogMessage = { tag: 'begin', time: 1, alone: undefined }
    const { given } = await decoded([
      ...[gtid, query('BEGIN'), insert(1), query('SAVEPOINT a'), insert(2), commit(90)],
      ...[gtid, query('CREATE TABLE x (a INT)', 120), gtid, query('BEGIN'), insert(3), query('COMMIT', 200)],
    ])
    assert.deepEqual(idsOf(given), [1, 2, 3])
    assert.equal(given[2]![1].log.position, 200)
  })

  it('knows the tables that a statement empties', () => {
    for (const [text, tables] of [
      ['TRUNCATE t', ['d.t']],
      ['/* x */ truncate table `o`.`a``b`', ['o.a`b']],
      ['-- remark\nTRUNCATE TABLE é', ['d.é']],
      ['DROP TABLE IF EXISTS `t`,`o`.`u` /* generated by server */', ['d.t', 'o.u']],
      ['CREATE OR REPLACE TABLE t (id INT)', ['d.t']],
      ['ALTER TABLE t ADD COLUMN truncate INT', []],
      ['DROP TEMPORARY TABLE t', []],
    ] as const) {
      assert.deepEqual(emptiedTables(text, 'd'), tables, text)
    }
  })

  it('knows statements that change rows', async () => {
    assert.ok(writesRows('insert into `t` values (1)', 'd.t'))
    assert.ok(writesRows('/* hi */ UPDATE x, d.t SET a = 1', 'd.t'))
    assert.ok(!writesRows('INSERT INTO tt VALUES (1)', 'd.t'))
    assert.ok(!writesRows('ALTER TABLE t ADD COLUMN a INT', 'd.t'))
    await assert.rejects(decoded([begin, query('DELETE FROM t'), commit(90)]), { code: 'ERR_DATABASE_SETUP' })
    await assert.rejects(decoded([begin, insert(1), { tag: 'prepared', end: 90 }]), /XA transaction/)
  })

  it('compares places, types and columns', () => {
    assert.ok(isBefore({ file: 'b.999999', position: 9 }, { file: 'b.1000000', position: 4 }))
    assert.ok(!isBefore({ file: 'b.000002', position: 4 }, { file: 'b.000002', position: 4 }))
    assert.equal(plainType('int(8) unsigned zerofill'), 'int unsigned')
    assert.equal(plainType('varchar(20) /*M!100301 COMPRESSED*/'), 'varchar(20)')
    assert.equal(plainType("enum('int(3)')"), "enum('int(3)')")
    const column = { name: 'a', type: 'int(11)', kind: 'int', charset: null, collation: null, json: false }
    assert.ok(isSame([column], ['a'], [3]))
    assert.ok(!isSame([column], ['b'], [3]))
    assert.ok(!isSame([column], ['a'], [8]))
    assert.equal(shortFloat(Math.fround(0.1)), 0.1)
    assert.equal(shortFloat(Math.fround(16777217)), 16777216)
    fc.assert(fc.property(fc.float({ noNaN: true }), (value) => Math.fround(shortFloat(value) as number) === value))
  })
})
