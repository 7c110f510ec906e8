import { StepRunner } from '../lifecycle/runner'
import type { Step } from '../lifecycle/steps'

/** Ways to use pools that end by themselves: all steps are done, and the process leaves with 0. */
const WAYS: Record<string, Step[]> = {
  'a pool that is left open does not keep the process': [
    ['open', 'a'],
    ['check', 'a'],
  ],
  'nor do two idle interpreters that have numpy': [
    ['open', 'a', 2],
    ['check', 'a', 'matrix'],
    ['pause', 50],
  ],
  'nor Python threads that handlers left behind': [
    ['open', 'a'],
    ['start', 'a', 'threads', []],
    ['settle', 'a'],
  ],
  'a call that nobody awaits is still answered before the process leaves': [
    ['open', 'a'],
    ['start', 'a', 'nap', [0.2]],
  ],
  'close() waits for the calls that were made': [
    ['open', 'a'],
    ['start', 'a', 'nap', [0.2]],
    ['close', 'a'],
    ['settle', 'a'],
  ],
  'destroy() in the middle of a loop': [
    ['open', 'a'],
    ['start', 'a', 'loop', []],
    ['destroy', 'a'],
    ['settle', 'a', 'ERR_POOL_CLOSED'],
  ],
  'destroy() in the middle of a sleep, then a pool in its place': [
    ['open', 'a'],
    ['start', 'a', 'sleep', []],
    ['destroy', 'a'],
    ['open', 'a'],
    ['check', 'a'],
    ['close', 'a'],
  ],
  'destroy() with numpy busy': [
    ['open', 'a'],
    ['start', 'a', 'blas', []],
    ['destroy', 'a'],
    ['settle', 'a', 'ERR_POOL_CLOSED'],
  ],
  'one pool of two closes, the other goes on': [
    ['open', 'a'],
    ['open', 'b'],
    ['check', 'b', 'matrix'],
    ['start', 'a', 'nap', [0.2]],
    ['close', 'b'],
    ['settle', 'a'],
    ['check', 'a', 'matrix'],
    ['close', 'a'],
  ],
  'one pool of two is destroyed in the middle of a call, the other goes on': [
    ['open', 'a'],
    ['open', 'b'],
    ['start', 'b', 'loop', []],
    ['busy', 'a'],
    ['destroy', 'b'],
    ['settle', 'b', 'ERR_POOL_CLOSED'],
    ['pause', 50],
    ['rest', 'a'],
    ['close', 'a'],
  ],
  'Python threads that come and go, on stacks that Workers and other copies left': [
    ['open', 'a'],
    ['open', 'b'],
    [
      'repeat',
      5,
      [
        [
          'worker',
          'one',
          [
            ['open', 'w'],
            ['start', 'w', 'churn', [20]],
            ['close', 'w'],
          ],
        ],
        ['start', 'a', 'churn', [50]],
        ['start', 'b', 'churn', [50]],
        ['join', 'one', 0],
        ['settle', 'a'],
        ['settle', 'b'],
        ['check', 'a', 'matrix'],
      ],
    ],
  ],
  'opening and closing a pool 50 times needs one copy of Python': [
    [
      'repeat',
      50,
      [
        ['open', 'a'],
        ['check', 'a'],
        ['close', 'a'],
      ],
    ],
    ['copies', 1],
  ],
}

describe('the life of a pool, in processes of their own', function () {
  this.timeout(0) // each child has a time limit of its own
  let runner: StepRunner
  before(async () => {
    runner = await StepRunner.make()
  })
  after(() => runner?.remove())

  for (const isolation of ['shared', 'namespace', 'process'] as const) {
    for (const [title, steps] of Object.entries(WAYS)) {
      it(`${title} (${isolation})`, () => runner.run(steps, { isolation }))
    }
  }
})
