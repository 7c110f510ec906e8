import type { Observable } from 'rxjs'
import type { Debuggable } from '../pool/debug'
import type { HandlerSpec } from '../pool/handler-types'
import type { PythonPool } from '../pool/pool'
import type { GraphApi } from './api'
import type { NodeHooks } from './hooks'

/** What an algorithm is called with. It is data, the same in JavaScript and in Python. */
export interface AlgorithmArgs {
  /** The node's `input`, with what it refers to in place of the references. */
  input: unknown[]
  flowInput: unknown
  nodeName: string
  algorithmName: string
  pipelineName: string
  /** The run's id. */
  jobId: string
  /** Of a node that fans out: which of its tasks this is, from 0. */
  batchIndex?: number
}

export type AlgorithmStart = (args: AlgorithmArgs, api: GraphApi) => unknown

/** An algorithm in JavaScript, such as a module that exports `start`. */
export interface JavaScriptAlgorithm {
  start: AlgorithmStart
  /** The most tasks of it at a time, over all runs; calls that an algorithm waits for are not held back (default: no limit). */
  concurrency?: number
  /** Part of what stored results are found by: to be changed where the code's text does not say that something has changed. */
  version?: string
}

/** An algorithm in Python: a function `start(args, hkubeapi)`. */
export interface PythonAlgorithm {
  /** `'folder/alg.py'`, `'module:function'` or source; function `start` where none is named. */
  python: HandlerSpec
  /** Default: the pipeline's pool. */
  pool?: PythonPool
  concurrency?: number
  version?: string
}

export type Algorithm = AlgorithmStart | JavaScriptAlgorithm | PythonAlgorithm

/** A node of a batch pipeline. */
export interface NodeSpec {
  /** Letters, digits, '-' and '_'. */
  nodeName: string
  /** `'algorithm'` (default), `'output'`, or a kind that was registered. */
  kind?: string
  /** Whose algorithm is run: a name among `algorithms`. */
  algorithmName?: string
  /** The algorithm itself, in place of a name. */
  algorithm?: Algorithm
  /**
   * Values, and references wherever a text stands: `'@node'`, `'@node.field'`, `'@flowInput.field'`; a task for each item
   * with `'#@node'`, `'#@flowInput.list'` or `'#[1, 2]'`. `'@@text'` is the text `@text`.
   */
  input?: readonly unknown[]
  /** How several lists to fan out over go together: item by item (default), or each with each. */
  batchOperation?: 'indexed' | 'cartesian'
  /** The most tasks of this node at a time. */
  concurrency?: number
  /** Seconds that each of its tasks may take. */
  ttl?: number
  /** How often a task that failed is run again (default 0). */
  retries?: number
  /** What the node's kind makes of it. */
  spec?: unknown
  /** False: its results are neither stored nor taken from the store. */
  cache?: boolean
  /** Of an algorithm in Python: it waits for a debugger, or `'local'`: for a process of your own that serves it; see docs/debugging.md. */
  debug?: Debuggable['debug']
  /** What hooks make of it. */
  [extra: string]: unknown
}

/** Options of a run. Numbers and booleans may be texts, as in JSON that people write. */
export interface RunSettings {
  /** The share of a fan-out's tasks, in percent, that may fail before the run does (default 80; 0: none may). */
  batchTolerance?: number | string
  /** How many runs of this pipeline there may be at a time, and whether a further one fails or waits. */
  concurrentPipelines?: { amount: number | string; rejectOnFailure?: boolean | string }
  /** The least level that progress is told of (default `'info'`). */
  progressVerbosityLevel?: ProgressLevel
  /** Seconds that a run may take. */
  ttl?: number | string
  /** The most tasks of a run at a time. */
  concurrency?: number | string
}

/** A batch pipeline as data. */
export interface PipelineSpec {
  name: string
  nodes: readonly NodeSpec[]
  /** What `@flowInput` is where a run is given none. */
  flowInput?: unknown
  options?: RunSettings
}

/** What a pipeline's nodes find around them. */
export interface Surroundings {
  algorithms?: Readonly<Record<string, Algorithm>>
  /** Pipelines that algorithms may start by name. */
  pipelines?: Readonly<Record<string, Omit<PipelineSpec, 'name'>>>
  /** Where algorithms in Python run that name no pool of their own (default: the default pool). */
  pool?: PythonPool
  /** A folder: runs and results are kept there. */
  store?: string
  /** Take the result of any node from the store whose code and input are as they were (default false). */
  cache?: boolean
  hooks?: NodeHooks | readonly NodeHooks[]
}

export interface PipelineOptions extends PipelineSpec, Surroundings {}

/** Options of one run. */
export interface RunOptions {
  flowInput?: unknown
  /** Runs this node and those after it; the others' results are taken from the store. `flowInput` is the last run's where none is given. */
  from?: string
  signal?: AbortSignal
  /** Letters, digits, '.', '-' and '_'; default: one is made. */
  id?: string
}

export type ProgressLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'critical'
export const PROGRESS_LEVELS: readonly ProgressLevel[] = ['trace', 'debug', 'info', 'warn', 'error', 'critical']

/** What a run tells of itself: nodes at level `info`, single tasks at `debug`, calls that algorithms make at `trace`. */
export interface Progress {
  level: ProgressLevel
  /** Milliseconds since 1970. */
  time: number
  jobId: string
  pipelineName: string
  /** How much is done, from 0 to 100, of what is known to be done. */
  percent: number
  details: string
  nodeName?: string
  batchIndex?: number
}

export type NodeState = 'waiting' | 'running' | 'completed' | 'failed' | 'cancelled'
export type RunState = 'waiting' | 'running' | 'completed' | 'failed' | 'cancelled'

/** How a node fared in a run. */
export interface NodeReport {
  nodeName: string
  algorithmName?: string
  state: NodeState
  /** How many tasks there are; 1 where the node does not fan out. */
  tasks: number
  /** How many have a result. */
  completed: number
  failures: readonly { batchIndex?: number; error: string }[]
  /** Whether the result came from the store and nothing was run. */
  cached: boolean
  /** Milliseconds since 1970. */
  started?: number
  ended?: number
}

export interface RunResult {
  jobId: string
  /** The output node's input; where there is no such node, the results of the nodes that none depends on, by name. */
  output: unknown
  /** Each node's result. Of a node that fans out, a list of those of its tasks that did not fail. */
  results: Readonly<Record<string, unknown>>
  nodes: Readonly<Record<string, NodeReport>>
}

/** A run that `pipeline.start` has begun. */
export interface PipelineRun {
  readonly id: string
  readonly pipelineName: string
  readonly state: RunState
  /** Rejects with what made it fail: NodeError, GraphRunError, PythonAbortError. */
  readonly done: Promise<RunResult>
  /** Begins with what was told last; completes with the run. */
  readonly progress: Observable<Progress>
  readonly nodes: Readonly<Record<string, NodeReport>>
  /** Interrupts what runs; `done` rejects with `ERR_ABORTED`. */
  cancel(reason?: unknown): void
}
