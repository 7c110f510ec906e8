import assert from 'node:assert/strict'
import { OptionError } from '../../../lib'
import { mysqlChanges } from '../../../lib/connectors/mysql'

const connection = 'mysql://user:a-secret@localhost/db'

function problemsOf(options: object): readonly string[] {
  try {
    mysqlChanges(options as never)
  } catch (error) {
    assert.ok(error instanceof OptionError)
    assert.doesNotMatch(error.message, /a-secret/)
    return error.problems
  }
  throw new Error('it took the options')
}

describe('the options of mysqlChanges', () => {
  it('are told all their problems at once', () => {
    const wrong = {
      connection: 'postgres://user:a-secret@localhost',
      tables: [],
      snapshot: 'maybe',
      serverId: 0,
      batch: 0,
      retry: { initial: -1 },
      deadLetters: 1,
      slot: 'none',
    }
    const problems = problemsOf(wrong)
    const about = ['connection', 'tables', 'snapshot', 'serverId', 'batch', 'retry.initial', 'deadLetters', 'slot']
    for (const name of about)
      assert.ok(
        problems.some((one) => one.includes(`'${name}'`)),
        name,
      )
    assert.equal(problems.length, about.length)
    assert.equal(problemsOf({}).length, 2)
  })

  it('say which database a table is in', () => {
    assert.match(problemsOf({ connection, tables: ['a', 'db.a'] }).join(), /twice/)
    assert.match(
      problemsOf({ connection: 'mysql://h', tables: ['a', 'b.c'] }).join(),
      /'tables\[0\]' must be 'schema.table'/,
    )
    mysqlChanges({ connection: 'mariadb://h', tables: ['b.c'] })
    mysqlChanges({ connection: { host: 'h', database: 'd' }, tables: ['a', { name: 'b', key: 'id' }] })
  })
})
