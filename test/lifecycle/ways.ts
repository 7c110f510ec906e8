/** The ways in which a program, or a part of it, may end: each with numpy, its threads and Python's in play. */
import type { Expectation } from './runner'
import type { Step } from './steps'

export interface Way {
  readonly title: string
  /** The steps of one round; `pause` is a while in which Python gets somewhere else. */
  steps(pause: Step): Step[]
  readonly expected: Omit<Expectation, 'isolation'>
}

/** Two interpreters: one within BLAS for good, one that has Python threads of its own, which outlive their call. */
function inTheMiddle(pool: string): Step[] {
  return [
    ['open', pool, 2],
    ['check', pool, 'matrix'],
    ['start', pool, 'threads', []],
    ['start', pool, 'blas', []],
  ]
}

/** A Worker that opens a pool, uses numpy and closes the pool. */
const ROUND: Step[] = [
  ['open', 'w'],
  ['check', 'w', 'matrix'],
  ['close', 'w'],
]

/** A Worker that is in the middle of a call for as long as it is let. */
const COMPUTING: Step[] = [['open', 'w'], ['check', 'w', 'matrix'], ['start', 'w', 'blas', []], ['say']]
const FOR_EVER: Step = ['pause', 60_000]

function workers(count: number, atOnce: number, steps: Step[]): Step {
  const names = Array.from({ length: atOnce }, (_, i) => `worker ${i}`)
  return [
    'repeat',
    Math.ceil(count / atOnce),
    [
      ...names.map((name): Step => ['worker', name, [['say'], ...steps]]),
      ...names.map((name): Step => ['join', name, 0]),
    ],
  ]
}

function graceful(signal: NodeJS.Signals, code: number): Way {
  return {
    title: `${signal}, drains and leaves`,
    steps: (pause) => [
      ['open', 'a', 2],
      ['check', 'a', 'matrix'],
      ['start', 'a', 'threads', []],
      ['close-on-signal', 'a'],
      ['stream', 'a'],
      ['start', 'a', 'nap', [0.1]],
      pause,
      ['kill', signal],
      FOR_EVER,
    ],
    expected: { code, stdout: /^drained$/m },
  }
}

function manyWorkers(count: number): Way {
  return {
    title: `${count} Workers open and close`,
    steps: (pause) => [['open', 'a'], workers(count, 4, ROUND), pause, ['check', 'a', 'matrix'], ['copies', 5]],
    expected: {},
  }
}

/** All ways; in one of them `count` Workers come and go. */
export const waysToEnd = (count: number): readonly Way[] => [
  {
    title: 'natural end',
    steps: (pause) => [
      ['open', 'a', 2],
      ['check', 'a', 'matrix'],
      ['start', 'a', 'threads', []],
      ['start', 'a', 'nap', [0.05]],
      pause,
    ],
    expected: {},
  },
  {
    title: 'process.exit() mid-call',
    steps: (pause) => [...inTheMiddle('a'), pause, ['exit', 3]],
    expected: { code: 3 },
  },
  {
    title: 'uncaught exception',
    steps: (pause) => [...inTheMiddle('a'), pause, ['throw']],
    expected: { code: 1, stderr: /Error: thrown on purpose/ },
  },
  {
    title: 'unhandled rejection',
    steps: (pause) => [...inTheMiddle('a'), pause, ['reject']],
    expected: { code: 1, stderr: /Error: rejected on purpose/ },
  },
  {
    title: 'SIGINT mid-call',
    steps: (pause) => [...inTheMiddle('a'), pause, ['kill', 'SIGINT'], FOR_EVER],
    expected: { signal: 'SIGINT', leaves: true },
  },
  {
    title: 'SIGTERM mid-call',
    steps: (pause) => [...inTheMiddle('a'), pause, ['kill', 'SIGTERM'], FOR_EVER],
    expected: { signal: 'SIGTERM', leaves: true },
  },
  graceful('SIGINT', 130),
  graceful('SIGTERM', 143),
  {
    title: 'worker.terminate() mid-call',
    steps: (pause) => [
      ['open', 'a'],
      ['busy', 'a'],
      ['worker', 'one', [...COMPUTING, FOR_EVER]],
      pause,
      ['terminate', 'one'],
      ['rest', 'a'],
      ['worker', 'two', ROUND],
      ['join', 'two', 0],
      ['check', 'a', 'matrix'],
      ['close', 'a'],
    ],
    expected: {},
  },
  {
    title: 'closing one pool of two',
    steps: (pause) => [
      ['open', 'a'],
      ['open', 'b'],
      ['start', 'b', 'threads', []],
      ['check', 'b', 'matrix'],
      ['busy', 'a'],
      pause,
      ['close', 'b'],
      ['rest', 'a'],
      ['check', 'a', 'matrix'],
      ['close', 'a'],
    ],
    expected: {},
  },
  {
    title: 'the addon again in a new Worker',
    steps: (pause) => [
      [
        'repeat',
        3,
        [
          ['worker', 'one', ROUND],
          ['join', 'one', 0],
        ],
      ],
      pause,
      ['copies', 1],
      ['open', 'a'],
      ['check', 'a', 'matrix'],
    ],
    expected: {},
  },
  manyWorkers(count),
  {
    title: 'exit while a Worker computes',
    steps: (pause) => [['worker', 'one', [...COMPUTING, FOR_EVER]], ...inTheMiddle('a'), pause, ['exit', 0]],
    expected: { leaves: true },
  },
]
