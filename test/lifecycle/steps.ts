import type { CodecName } from '../../lib/index'

/** Where a call's items come from: plain values, or memory that both sides hold. */
export type Items = unknown[] | 'shared-memory' | 'pool-memory' | 'transferred-memory'

/** What a child process, or a Worker in it, does one after the other; program.ts carries it out. */
export type Step =
  /** Opens a pool under a name. */
  | ['open', pool: string, size?: number]
  /** Makes calls whose results are known, and checks them. */
  | ['check', pool: string, handler?: 'identity' | 'matrix']
  /** Makes a call and goes on when Python is busy with it. */
  | ['start', pool: string, handler: string, items: Items, codec?: CodecName]
  /** Waits for the calls that were started; they succeed, or all fail with this code. */
  | ['settle', pool: string, code?: string]
  /** Streams items through the pool beside the steps that follow, until its source is stopped. */
  | ['stream', pool: string]
  /** Waits for the stream's end; everything that it took must have come out. */
  | ['drained', pool: string]
  /** Leaves on a signal, once the pool has drained. */
  | ['close-on-signal', pool: string]
  /** Sends a signal to the process itself. */
  | ['kill', signal: NodeJS.Signals]
  | ['close', pool: string]
  | ['destroy', pool: string]
  /** Checks the pool over and over, beside the steps that follow, until `rest`. */
  | ['busy', pool: string]
  | ['rest', pool: string]
  | ['pause', milliseconds: number]
  /** Runs another program, and waits for its end. */
  | ['spawn']
  | ['repeat', count: number, steps: Step[]]
  /** At most so many copies of libpython are in this process. */
  | ['copies', atMost: number]
  /** Starts a Worker with steps of its own and goes on when it has done `say`, or when it has ended. */
  | ['worker', name: string, steps: Step[]]
  | ['say']
  | ['terminate', worker: string]
  /** Waits for the Worker's own end. */
  | ['join', worker: string, code: number]
  | ['exit', code: number]
  | ['throw']
  | ['reject']

/** What the program is given, as JSON: on its command line, or as a Worker's data. */
export interface Setting {
  python: string
  isolation: 'shared' | 'namespace' | 'process'
  steps: Step[]
  /** Told to the worker processes in `RXJS_PYTHON_ROUND`, so that those that are left behind can be found. */
  round?: string
}
