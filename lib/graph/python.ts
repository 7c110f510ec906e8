import { isText } from '../checker'
import type { Handler, HandlerSpec } from '../pool/handler-types'
import type { PythonPool } from '../pool/pool'
import { type PythonSpec, parseSpec } from '../pool/spec'
import type { GraphApi } from './api'
import type { TaskEnvironment } from './hooks'
import type { AlgorithmArgs, NodeSpec, RunSettings } from './types'

/** What the Python side, rxjs_python/_graph.py, is asked to run. */
interface Request {
  /** By which its calls find the API that is theirs. */
  token: number
  spec: PythonSpec
  args: AlgorithmArgs
  env: TaskEnvironment
}

const CALLBACK = 'rxjs-python graph'
const DEFAULT_FUNCTION = 'start'

type Call = (api: GraphApi, args: unknown[]) => Promise<unknown>

/** What Python may ask for, by the name that it uses. */
const CALLS: Readonly<Record<string, Call>> = {
  algorithm: (api, [name, input, includeResult]) =>
    api.startAlgorithm(name as string, input as unknown[], includeResult as boolean),
  stored: (api, [name, flowInput, includeResult]) =>
    api.startStoredSubpipeline(name as string, flowInput, includeResult as boolean),
  raw: (api, [name, nodes, flowInput, options, webhooks, includeResult]) =>
    api.startRawSubpipeline(
      name as string,
      nodes as NodeSpec[],
      flowInput,
      options as RunSettings,
      webhooks as object,
      includeResult as boolean,
    ),
}

/** Runs algorithms in one pool, and answers what they ask. */
class AlgorithmRunner {
  private readonly apis = new Map<number, GraphApi>()
  private last = 0
  /** Of nodes that are debugged. */
  private readonly nodes = new Map<string, Handler<Request, unknown>>()
  private readonly handler: Handler<Request, unknown>
  private readonly hashes: Handler<PythonSpec, string>

  constructor(readonly pool: PythonPool) {
    this.handler = pool.handler<Request, unknown>('rxjs_python._graph:run')
    this.hashes = pool.handler<PythonSpec, string>('rxjs_python._graph:code', { debug: false })
    pool.expose(CALLBACK, (token: number, call: string, ...args: unknown[]) => {
      const api = this.apis.get(token)
      if (api === undefined) throw new Error('the task that calls has ended')
      return CALLS[call]!(api, args)
    })
  }

  async run(spec: PythonSpec, args: AlgorithmArgs, api: GraphApi, debug: NodeSpec['debug']): Promise<unknown> {
    const token = ++this.last
    this.apis.set(token, api)
    try {
      const handler = debug ? this.debugged(args.nodeName, debug) : this.handler
      const [result] = await handler.call([{ token, spec, args, env: api.env }], { signal: api.signal })
      return result
    } finally {
      this.apis.delete(token)
    }
  }

  /** The handler of a node that is debugged, which stays so from run to run. */
  private debugged(node: string, debug: NodeSpec['debug']): Handler<Request, unknown> {
    const key = `${node} ${JSON.stringify(debug)}`
    const known = this.nodes.get(key)
    if (known !== undefined) return known
    const handler = this.pool.handler<Request, unknown>('rxjs_python._graph:run', { debug })
    this.nodes.set(key, handler)
    return handler
  }

  /** What tells one state of the code from another. */
  async code(spec: PythonSpec): Promise<string> {
    const [hash] = await this.hashes.call([spec])
    return hash!
  }
}

const runners = new WeakMap<PythonPool, AlgorithmRunner>()

function runnerOf(pool: PythonPool): AlgorithmRunner {
  let runner = runners.get(pool)
  if (runner === undefined) {
    runner = new AlgorithmRunner(pool)
    runners.set(pool, runner)
  }
  return runner
}

export function runPython(
  pool: PythonPool,
  spec: HandlerSpec,
  args: AlgorithmArgs,
  api: GraphApi,
  debug?: NodeSpec['debug'],
): Promise<unknown> {
  return runnerOf(pool).run(specOf(spec, pool), args, api, debug)
}

export function codeOfPython(pool: PythonPool, spec: HandlerSpec): Promise<string> {
  return runnerOf(pool).code(specOf(spec, pool))
}

/** Function `start` where none is named. */
export function specOf(spec: HandlerSpec, pool: PythonPool): PythonSpec {
  const parsed = parseSpec(spec, pool.path)
  return parsed.kind === 'state' || (parsed.function !== null && isText(parsed.function))
    ? parsed
    : { ...parsed, function: DEFAULT_FUNCTION }
}
