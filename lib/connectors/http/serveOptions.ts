import { OptionError } from '../../errors'
import type { BatchOptions } from '../../operators/options'
import { checkHandlerOptions, type HandlerOptions, isHandlerSpec } from '../../options'
import type { Handler, HandlerSpec } from '../../pool/handler'
import type { PythonPool } from '../../pool/pool'
import { StreamChecker } from '../../streams/check'
import { checkListen, checkPath, LISTEN, type ListenOptions } from '../listen'
import type { BodyShape, ServedCodec } from './format'

/** What a request was that could not be served. */
export interface ServeFailure {
  readonly error: unknown
  /** What it was answered with. */
  readonly status: number
  readonly records: readonly unknown[]
}

export interface MonitorOptions {
  /** Answers 200 while the process lives (default `/health`). */
  health?: string | false
  /** Answers 200 while requests are taken, else 503 (default `/ready`). */
  ready?: string | false
  /** Counts and times for Prometheus (default `/metrics`). */
  metrics?: string | false
}

export interface ServeOptions<I = unknown> extends ListenOptions {
  /** The path that requests are POSTed to (default `/`). */
  path?: string
  /** False: opens no port. `service.listener` is then for a server of yours. */
  listen?: boolean

  /** Of a handler that is given by its name or source; default: a pool that all without one share. */
  pool?: PythonPool
  codec?: ServedCodec
  init?: HandlerSpec
  schema?: HandlerOptions['schema']

  /** As for `mapPython`; for an operator only a number. A free interpreter takes what is there at once. */
  batch?: number | 'auto' | BatchOptions
  maxLatency?: number
  /**
   * The most batches at a time. Default: one for each interpreter, two where the pool's size follows the
   * load; for an operator 1.
   */
  concurrency?: number
  /** The most time that a batch may take, in milliseconds (default for an operator: `answerTimeout`). */
  timeout?: number
  key?: string | number | ((record: I) => string | number)
  /**
   * Whether a batch that fails is tried again in parts, so that only the requests fail that make it fail (default true). For
   * handlers with side effects: false, and all requests in the batch fail.
   */
  isolateErrors?: boolean

  /** `'auto'` (default): a JSON array is a list of records, anything else one. `'record'`: an array is one record, too. */
  body?: BodyShape
  /** The most bytes of a body (default 1 MiB); a longer one is answered with 413. */
  maxBody?: number
  /** The most records of a list (default 10,000); a longer one is answered with 413. */
  maxRecords?: number
  /** The most records that wait for a result (default 10,000). Further requests are answered with 503 and Retry-After. */
  maxWaiting?: number
  /** The most bytes that these requests may have together (default 256 MiB), with the same answer. */
  maxWaitingBytes?: number
  /** Seconds that Retry-After says (default 1). */
  retryAfter?: number
  /** The most milliseconds until a request has arrived as a whole (default 10,000); then 408. */
  receiveTimeout?: number
  /** The most milliseconds from then to its answer (default 30,000); then 504. */
  answerTimeout?: number
  /** How long a connection without a request stays open, in milliseconds (default 65,000). */
  keepAliveTimeout?: number

  /** Gives the status for an error of the handler; undefined: as it would be (500, or 504 after a timeout). */
  status?: (error: unknown, records: readonly I[]) => number | undefined
  /** Whether answers say what Python raised (default false: only that it failed). */
  expose?: boolean
  /** Told of each request that failed in the handler, or whose answer could not be written. */
  failures?: ((failure: ServeFailure) => void) | { next(failure: ServeFailure): void }
  /** False: none of these. */
  monitor?: boolean | MonitorOptions
  /** Closes the service. */
  signal?: AbortSignal
}

const HANDLER_ONLY = ['pool', 'codec', 'init', 'schema']
const KNOWN = [
  ...LISTEN,
  'path',
  'listen',
  'batch',
  'maxLatency',
  'concurrency',
  'timeout',
  'key',
  'isolateErrors',
  'body',
  'maxBody',
  'maxRecords',
  'maxWaiting',
  'maxWaitingBytes',
  'retryAfter',
  'receiveTimeout',
  'answerTimeout',
  'keepAliveTimeout',
  'status',
  'expose',
  'failures',
  'monitor',
  'signal',
]

const PATHS = { health: '/health', ready: '/ready', metrics: '/metrics' } as const

/** Options of `serve`, checked, with all defaults. */
export type CompleteServeOptions = ReturnType<typeof checkServe>

export function checkServe<I>(what: unknown, options: ServeOptions<I> = {}) {
  const isOperator = typeof what === 'function'
  const isSpec = !isOperator && isHandlerSpec(what as HandlerSpec)
  const check = new StreamChecker('serve', options, isSpec ? [...KNOWN, ...HANDLER_ONLY] : KNOWN)
  if (!isOperator && !isSpec && typeof (what as Handler | null)?.call !== 'function') {
    check.problem("the first argument must be a Handler, a name such as 'module:function', or an operator", what)
  }
  const codec = (isOperator ? 'json' : isSpec ? (options.codec ?? 'json') : (what as Handler)?.codec) as ServedCodec
  if ((codec as string) === 'array') check.problem("codec 'array' has no form in HTTP: take 'json' or 'buffer'")
  const handler = isSpec ? checkHandlerOptions(check, options as HandlerOptions) : {}
  if (options.pool !== undefined && typeof options.pool?.handler !== 'function') {
    check.problem("'pool' must be a PythonPool, as PythonPool.open() gives it", options.pool)
  }
  const { batch, key } = options
  if (isOperator) {
    if (batch !== undefined && typeof batch !== 'number') check.problem("for an operator, 'batch' is a number", batch)
    for (const name of ['maxLatency', 'key'] as const) {
      if (options[name] !== undefined) check.problem(`'${name}' is for handlers: give it to the operators inside`)
    }
  }
  if (typeof batch === 'number') check.whole('batch', batch, 1, 2 ** 20)
  const maxBody = check.whole('maxBody', options.maxBody, 1, 2 ** 30) ?? 1 << 20
  const answerTimeout = check.time('answerTimeout', options.answerTimeout, false) ?? 30_000
  check.fn('status', options.status)
  const complete = {
    isOperator,
    codec,
    handler,
    pool: options.pool,
    ...checkListen(check, options),
    listen: check.flag('listen', options.listen) ?? true,
    path: checkPath(check, 'path', options.path) ?? '/',
    // Checked by the operator where it is more than a number.
    batch,
    maxLatency: options.maxLatency,
    concurrency: check.whole('concurrency', options.concurrency, 1, 1024),
    timeout: check.time('timeout', options.timeout, false),
    key: key as string | number | ((record: unknown) => string | number) | undefined,
    isolateErrors: check.flag('isolateErrors', options.isolateErrors) ?? true,
    body: check.oneOf('body', options.body, ['auto', 'record', 'list'] as const) ?? 'auto',
    maxBody,
    maxRecords: check.whole('maxRecords', options.maxRecords, 1, 2 ** 20) ?? 10_000,
    maxWaiting: check.whole('maxWaiting', options.maxWaiting, 1, 2 ** 20) ?? 10_000,
    maxWaitingBytes: check.whole('maxWaitingBytes', options.maxWaitingBytes, 1, 2 ** 40) ?? 256 << 20,
    retryAfter: check.whole('retryAfter', options.retryAfter, 0, 86_400) ?? 1,
    receiveTimeout: check.time('receiveTimeout', options.receiveTimeout, false) ?? 10_000,
    answerTimeout,
    keepAliveTimeout: check.time('keepAliveTimeout', options.keepAliveTimeout, false) ?? 65_000,
    status: options.status as ((error: unknown, records: readonly unknown[]) => number | undefined) | undefined,
    expose: check.flag('expose', options.expose) ?? false,
    failures: check.observer<ServeFailure>('failures', options.failures),
    monitor: checkMonitor(check, options.monitor),
    signal: check.signal('signal', options.signal),
  }
  const paths = [complete.path, ...Object.values(complete.monitor)].filter((path) => path !== undefined)
  if (new Set(paths).size < paths.length) check.problem(`two things have the same path: ${paths.join(', ')}`)
  check.done()
  return complete
}

function checkMonitor(check: StreamChecker, monitor: ServeOptions['monitor']) {
  if (monitor === false) return {}
  const given = monitor === undefined || monitor === true ? {} : monitor
  if (!check.object('monitor', given, Object.keys(PATHS))) throw new OptionError(check.problems)
  const of = (name: keyof typeof PATHS) => {
    const path = given[name]
    return path === false ? undefined : (checkPath(check, `monitor.${name}`, path) ?? PATHS[name])
  }
  return { health: of('health'), ready: of('ready'), metrics: of('metrics') }
}
