import assert from 'node:assert/strict'
import { testPython } from '../../fixtures/python'
import { changesKillRun } from '../../stress/changes-run'
import { installation } from '../servers/postgres'

describe('PostgreSQL changes through Python into PostgreSQL', () => {
  before(function () {
    if (!installation.installed()) this.skip()
  })

  it('leave the table as it should be, though the job is killed (npm run show has more kills)', async function () {
    this.timeout(300_000)
    const seed = Math.floor(Math.random() * 2 ** 31)
    const report = await changesKillRun({ python: await testPython(), seed, kills: 3, rows: 1_000 })
    const { different, rows, transactions } = report
    assert.deepEqual({ different, seed }, { different: 0, seed })
    assert.ok(rows > 500 && transactions > 50, JSON.stringify(report))
  })
})
