import assert from 'node:assert/strict'
import { OptionError } from '../../../lib'
import { dropPostgresSlot, postgresChanges, postgresQuery, postgresSink } from '../../../lib/connectors/postgres'

const connection = 'postgres://user:a-secret@localhost/db'

function problemsOf(act: () => unknown): readonly string[] {
  try {
    act()
  } catch (error) {
    assert.ok(error instanceof OptionError)
    assert.doesNotMatch(error.message, /a-secret/)
    return error.problems
  }
  throw new Error('it took the options')
}

describe('the options of rxjs-python/postgres', () => {
  it('are told all their problems at once', () => {
    const wrong = {
      connection: 'mysql://user:a-secret@localhost',
      tables: [],
      slot: 'Big',
      snapshot: 'maybe',
      codec: 'json',
    }
    const problems = problemsOf(() => postgresChanges(wrong as never))
    const about = ['connection', 'tables', 'slot', 'snapshot', 'codec']
    for (const name of about)
      assert.ok(
        problems.some((one) => one.includes(`'${name}'`)),
        name,
      )
    assert.equal(problems.length, about.length)
    assert.equal(problemsOf(() => postgresChanges({} as never)).length, 3)
    assert.equal(problemsOf(() => postgresSink({} as never)).length, 4)
    assert.equal(problemsOf(() => postgresQuery({} as never)).length, 3)
  })

  it('are told what is at odds', () => {
    const table = { connection, table: 'a', key: 'id' }
    assert.match(problemsOf(() => postgresSink(table)).join(), /'name' is missing/)
    postgresSink({ ...table, delivery: 'at-least-once' })
    const twice = { connection, tables: ['a', 'public.a'], slot: 's' }
    assert.match(problemsOf(() => postgresChanges(twice)).join(), /twice/)
    const query = { connection, query: 'SELECT 1;', key: ['a', 'a'] }
    assert.equal(problemsOf(() => postgresQuery(query)).length, 2)
  })

  it('of dropPostgresSlot, too', async () => {
    await assert.rejects(dropPostgresSlot({ connection, slot: 'No' }), OptionError)
  })
})
