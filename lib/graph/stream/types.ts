import type { Observable } from 'rxjs'
import type { NodeError } from '../../errors'
import type { PoolOptions } from '../../options'
import type { PythonPool } from '../../pool/pool'
import type { IterableInput } from '../../sources/fromIterable'
import type { PythonAlgorithm } from '../types'

/** What a stateless algorithm is called with, for each message. */
export interface StreamArgs {
  nodeName: string
  /** The node's own `input`. */
  input: readonly unknown[]
  streamInput: { message: unknown; origin: string }
}

/** What algorithms of a streaming graph are given. */
export interface StreamApi {
  /**
   * Sends a message on: along the flow that the message at hand came by, or else the default flow; or along a flow by its
   * name. Await it where messages are made rather than answered: it resolves when there is room.
   *
   * @throws GraphFlowError where the node is not in that flow
   */
  sendMessage(message: unknown, flowName?: string): Promise<void>
  /** Aborts when the graph ends. */
  readonly signal: AbortSignal
}

/** Called for each message; what it returns is sent on, unless it is undefined or null. */
export type StatelessAlgorithm = (args: StreamArgs, api: StreamApi) => unknown

/** Lives as long as the graph. Messages come one after the other, when `start` has returned. */
export interface StatefulAlgorithm {
  start?(args: Omit<StreamArgs, 'streamInput'>, api: StreamApi): unknown
  onMessage?(message: unknown, origin: string): unknown
  stop?(): unknown
}

export type StreamAlgorithm = StatelessAlgorithm | StatefulAlgorithm | PythonAlgorithm

export interface StreamNodeSpec {
  /** Letters, digits, '-' and '_'. */
  nodeName: string
  algorithmName?: string
  /** The algorithm itself, in place of a name. A node with neither, and without a source, passes messages on. */
  algorithm?: StreamAlgorithm
  /** Where messages come from that the node sends by itself. */
  source?: Observable<unknown> | IterableInput<unknown>
  /** `'stateful'`: `start(args, api)` once, then `onMessage(message, origin)` (default `'stateless'`). */
  stateType?: 'stateless' | 'stateful'
  input?: readonly unknown[]
  /**
   * Python: interpreters of its own, which may follow its load: more while messages wait, after 300 ms; fewer when there was
   * nothing to do for one for `idleAfter` milliseconds (default 2,000). Nodes without share the graph's, and hand messages
   * to each other there.
   */
  interpreters?: number | { min?: number; max?: number; idleAfter?: number }
  /** Python: the most messages in a call (default 64). */
  batch?: number
  /** JavaScript, stateless: the most messages at a time (default 1). Messages go on in their order. */
  concurrency?: number
}

export interface GraphOptions {
  name: string
  nodes: readonly StreamNodeSpec[]
  /** Which way messages go: `{ master: 'twitt >> sort >> B', analyze: 'sort >> A' }`. */
  flows: Readonly<Record<string, string>>
  /** The flow of messages that come from no other (default: the only one). */
  defaultFlow?: string
  algorithms?: Readonly<Record<string, StreamAlgorithm>>
  /** Where nodes in Python run that have no interpreters of their own. Default: a pool that the graph opens. */
  pool?: PythonPool
  /** For the pools that the graph opens. */
  poolOptions?: Omit<PoolOptions, 'size' | 'name' | 'callbacks'>
  /** The number of messages in the graph from which on sources wait (default 4096). */
  capacity?: number
  /** What becomes of a message whose node fails: the graph ends (default), or it is left out and told of in `errors`. */
  onError?: 'error' | 'skip'
}

/** A message that has come to the end of its flow. */
export interface GraphOutput {
  nodeName: string
  flowName: string
  message: unknown
}

export interface StreamNodeMetrics {
  /** Messages that came to the node. */
  received: number
  failed: number
  /** Messages that wait for it. Nodes that share interpreters have one queue. */
  waiting: number
  /** Python: how many interpreters it has now. */
  interpreters?: number
}

/** A streaming graph that runs. */
export interface RunningGraph extends AsyncDisposable {
  readonly name: string
  /** Resolves when all sources have ended, `end()` was called where there are open entries, and all messages have gone through. */
  readonly done: Promise<void>
  /** What nodes send that have no further node in the message's flow. Subscribe before the first message. */
  readonly output: Observable<GraphOutput>
  outputOf(nodeName: string): Observable<unknown>
  /** With `onError: 'skip'`. */
  readonly errors: Observable<NodeError>
  /** Gives a node a message from outside; resolves when there is room for the next. */
  send(nodeName: string, message: unknown, flowName?: string): Promise<void>
  /** No more messages come from outside; resolves as `done` does. */
  end(): Promise<void>
  /** Ends at once: what is in the graph is dropped. */
  stop(): Promise<void>
  metrics(): Readonly<Record<string, StreamNodeMetrics>>
}
