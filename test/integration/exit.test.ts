import { StepRunner } from '../lifecycle/runner'
import type { Step } from '../lifecycle/steps'

/** What Python is in the middle of. */
const BUSY: Record<string, Step[]> = {
  'a loop': [['start', 'a', 'loop', []]],
  'a sleep': [['start', 'a', 'sleep', []]],
  'a lock that nobody gives back': [['start', 'a', 'wait', []]],
  'BLAS with its threads': [['start', 'a', 'blas', []]],
  'Python threads, daemons and others': [['start', 'a', 'threads', []]],
  'writing into shared memory': [['start', 'a', 'write', 'shared-memory', 'array']],
}

describe('leaving in the middle of a call, in processes of their own', function () {
  // On a machine that is busy with other things a child may run into its time limit.
  this.retries(2)
  let runner: StepRunner
  before(async function () {
    this.timeout(300_000)
    runner = await StepRunner.make()
  })
  after(() => runner?.remove())

  for (const isolation of ['shared', 'namespace', 'process'] as const) {
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

    it(`an uncaught exception in the middle of a call (${isolation})`, () =>
      runner.run([['open', 'a'], ['start', 'a', 'blas', []], ['throw']], {
        isolation,
        code: 1,
        stderr: /Error: thrown on purpose/,
      }))

    it(`an unhandled rejection in the middle of a call (${isolation})`, () =>
      runner.run([['open', 'a'], ['start', 'a', 'loop', []], ['reject']], {
        isolation,
        code: 1,
        stderr: /Error: rejected on purpose/,
      }))
  }
})
