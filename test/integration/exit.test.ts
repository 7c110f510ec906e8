import assert from 'node:assert/strict'
import { openPool } from '../fixtures/modes'
import { processesOf, waitForEnd } from '../lifecycle/processes'
import { StepRunner } from '../lifecycle/runner'
import type { Step } from '../lifecycle/steps'
import { waysToEnd } from '../lifecycle/ways'

/** What Python is in the middle of. */
const BUSY: Record<string, Step[]> = {
  'a loop': [['start', 'a', 'loop', []]],
  'a sleep': [['start', 'a', 'sleep', []]],
  'a lock that nobody gives back': [['start', 'a', 'wait', []]],
  'BLAS with its threads': [['start', 'a', 'blas', []]],
  'Python threads, daemons and others': [['start', 'a', 'threads', []]],
  'writing into shared memory': [['start', 'a', 'write', 'shared-memory', 'array']],
}

describe('the processes of a round', () => {
  it('are found while they run, and gone when their pool has closed', async function () {
    this.timeout(300_000)
    const mark = `mark of test ${process.pid}`
    const pool = await openPool({ isolation: 'process', size: 2, env: { RXJS_PYTHON_ROUND: mark } })
    assert.equal(processesOf(mark).length, 2)
    await pool.close()
    assert.deepEqual(await waitForEnd(() => processesOf(mark)), [])
  })
})

describe('leaving in the middle of a call, in processes of their own', function () {
  this.timeout(0) // each child has a time limit of its own
  let runner: StepRunner
  before(async () => {
    runner = await StepRunner.make()
  })
  after(() => runner?.remove())

  for (const isolation of ['shared', 'namespace', 'process'] as const) {
    for (const { title, steps, expected } of waysToEnd(12)) {
      it(`${title} (${isolation})`, () => runner.run(steps(['pause', 5]), { ...expected, isolation }))
    }

    for (const [title, busy] of Object.entries(BUSY)) {
      it(`process.exit(3) during ${title} (${isolation})`, () =>
        runner.run([['open', 'a'], ...busy, ['exit', 3]], { isolation, code: 3 }))
    }

    it(`process.exit(0) with two interpreters in BLAS (${isolation})`, () => {
      const busy: Step[] = [
        ['start', 'a', 'blas', []],
        ['start', 'a', 'blas', []],
      ]
      return runner.run([['open', 'a', 2], ...busy, ['exit', 0]], { isolation, leaves: true })
    })
  }
})
