import { StepRunner } from '../lifecycle/runner'
import type { Step } from '../lifecycle/steps'

/** What Python is in the middle of when its Worker is terminated. */
const BUSY: Record<string, Step> = {
  'a loop': ['start', 'w', 'loop', []],
  'a sleep': ['start', 'w', 'sleep', []],
  BLAS: ['start', 'w', 'blas', []],
  'Python threads of its own': ['start', 'w', 'threads', []],
  'writing into a SharedArrayBuffer': ['start', 'w', 'write', 'shared-memory', 'array'],
  'writing into memory of the pool': ['start', 'w', 'write', 'pool-memory', 'array'],
  'writing into a transferred buffer': ['start', 'w', 'write', 'transferred-memory', 'array'],
  'writing through memoryviews': ['start', 'w', 'write_views', 'transferred-memory', 'buffer'],
}

const ROUND: Step[] = [
  ['open', 'w'],
  ['check', 'w'],
  ['close', 'w'],
]

/** A Worker that uses numpy until it is done. */
const NUMPY: Step[] = [
  ['open', 'w'],
  ['repeat', 20, [['check', 'w', 'matrix']]],
  ['close', 'w'],
]

const WAYS: Record<string, Step[]> = {
  'a Worker that leaves a pool open ends by itself': [
    [
      'worker',
      'one',
      [
        ['open', 'w'],
        ['check', 'w'],
      ],
    ],
    ['join', 'one', 0],
  ],
  'a Worker gets the results that it awaits before it ends': [
    ['worker', 'one', [['open', 'w'], ['start', 'w', 'nap', [0.2]], ['say'], ['settle', 'w']]],
    ['join', 'one', 0],
  ],
  'a Worker ends with a call that nobody awaits': [
    [
      'worker',
      'one',
      [
        ['open', 'w'],
        ['start', 'w', 'nap', [0.2]],
      ],
    ],
    ['join', 'one', 0],
  ],
  'process.exit(3) in a Worker ends just that Worker': [
    ['open', 'a'],
    [
      'worker',
      'one',
      [
        ['open', 'w'],
        ['start', 'w', 'loop', []],
        ['exit', 3],
      ],
    ],
    ['join', 'one', 3],
    ['check', 'a', 'matrix'],
  ],
  'two Workers at once with numpy, beside the main thread': [
    ['open', 'a'],
    ['busy', 'a'],
    ['worker', 'one', [['say'], ...NUMPY]],
    ['worker', 'two', [['say'], ...NUMPY]],
    ['join', 'one', 0],
    ['join', 'two', 0],
    ['rest', 'a'],
    ['check', 'a', 'matrix'],
  ],
  'two Workers, of which one is terminated': [
    ['worker', 'one', [['open', 'w'], ['start', 'w', 'blas', []], ['say'], ['pause', 10_000]]],
    ['worker', 'two', [['say'], ...NUMPY]],
    ['terminate', 'one'],
    ['join', 'two', 0],
  ],
}

describe('pools in worker threads, in processes of their own', function () {
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

    it(`signals are for the main thread: a Worker is told so (${isolation})`, () =>
      runner.run(
        [
          [
            'worker',
            'one',
            [
              ['open', 'w'],
              ['close-on-signal', 'w'],
            ],
          ],
          ['join', 'one', 99],
        ],
        { isolation, stderr: /OptionError.*signals reach the main thread alone/ },
      ))

    for (const [title, busy] of Object.entries(BUSY)) {
      it(`worker.terminate() during ${title}, while the main thread uses its own pool (${isolation})`, () =>
        runner.run(
          [
            ['open', 'a'],
            ['busy', 'a'],
            ['worker', 'one', [['open', 'w'], busy, ['say'], ['pause', 10_000]]],
            ['terminate', 'one'],
            ['pause', 50],
            ['rest', 'a'],
            ['worker', 'two', [['say'], ...ROUND]],
            ['join', 'two', 0],
            ['check', 'a', 'matrix'],
            ['close', 'a'],
          ],
          { isolation },
        ))
    }
  }
})
