import type { Observer } from 'rxjs'
import type { BatchLimits } from '../batch/batcher'
import type { TunerLimits } from '../batch/tuner'
import { Checker } from '../checker'
import { OptionError } from '../errors'
import { type MetricsTarget, StageMetrics } from '../metrics'
import { checkHandlerOptions, type HandlerOptions, isHandlerSpec } from '../options'
import type { Key } from '../pool/affinity'
import type { CodecName, Handler, HandlerMode, HandlerSpec } from '../pool/handler'
import type { PythonPool } from '../pool/pool'

/** When a batch goes to Python. */
export interface BatchOptions {
  /** The most items in a batch (default 1024). */
  maxItems?: number
  /**
   * The most bytes in a batch (default 4 MiB). Records of codec `'json'` are measured, by an estimate, only where this
   * is set, because measuring costs time for each item.
   */
  maxBytes?: number
  /**
   * How long a batch waits for more items after its first one, in milliseconds. Default 0: natural batching, where a free
   * interpreter takes what is there at once, and a batch grows only while all are busy.
   */
  maxWait?: number
}

/** What happens to an item that comes while `bufferSize` items wait, from a source that cannot be stopped. */
export type Overflow = 'error' | 'drop-oldest' | 'drop-newest' | 'sample'

/** A batch that failed, as `onError: { deadLetter }` hands it on. */
export interface DeadLetter<I> {
  error: unknown
  items: readonly I[]
}

/**
 * What happens when a batch fails:
 * - `'error'`: the stream errors with the batch's error, after all results that come before the batch in order;
 * - `'skip'`: the batch's items are left out;
 * - a function: gives the values to go on in place of the batch's results (`mapPython` and `scanPython`: one for each
 *   item), or `undefined` to leave the items out; what it throws is the stream's error;
 * - `{ deadLetter }`: the items are left out here, and go to that observer together with the error.
 *
 * It is asked at the batch's turn in the order of results. What no further batch could survive (the pool was closed, the
 * handler cannot be loaded) errors the stream whatever is chosen here.
 */
export type OnError<I, O> =
  | 'error'
  | 'skip'
  | ((error: unknown, items: readonly I[]) => readonly O[] | undefined)
  | { deadLetter: Pick<Observer<DeadLetter<I>>, 'next'> }

/** Options of all Python operators. */
export interface OperatorOptions<I = unknown, O = unknown> {
  /**
   * A number is `{ maxItems }`. `'auto'` finds the size that gives the most items a second, or with `maxLatency` the most that
   * this time allows, while the stream runs, and follows when load or work change. Default: natural batching, with at most
   * 1024 items. Not for codec `'array'`.
   */
  batch?: number | 'auto' | BatchOptions
  /**
   * With `batch: 'auto'`: the most time from an item's arrival here to its result, in milliseconds, for 99 of 100 items.
   * Batches are made as small as that takes. It cannot be held where a source that cannot be stopped sends more than Python can
   * do, nor where a batch of one takes longer.
   */
  maxLatency?: number
  /** The most batches in flight; default: two for each interpreter, one that runs and one that waits for it. */
  concurrency?: number
  /** Whether results come in the order of their items (default) or as they are ready. */
  ordered?: boolean
  /** The most items that wait for a batch to be sent (default 2^20; with overflow `'sample'` 1). No batch is larger. */
  bufferSize?: number
  /**
   * What happens beyond `bufferSize`: `'error'` (default) ends the stream with an `OverflowError` at once;
   * `'drop-oldest'` and `'drop-newest'` leave items out; `'sample'` keeps only the latest. Sources that mind gates never
   * get that far.
   */
  overflow?: Overflow
  onError?: OnError<I, O>
  /**
   * Finds the items that make a batch fail: the handler is called again, with ever smaller parts of the batch, until only
   * single items fail; only these go to `onError`. For handlers without side effects. Not for `scanPython`.
   */
  isolateErrors?: boolean
  /**
   * The most time that a batch may take in Python, in milliseconds; then Python is interrupted and the batch fails with
   * `ERR_TIMEOUT`. The wait for a free interpreter does not count.
   */
  timeout?: number
  /** Ends the stream with a `PythonAbortError` when it aborts. */
  signal?: AbortSignal
  metrics?: MetricsTarget
  /**
   * For handlers that keep something for each key; not for `scanPython`. A function gives each item's key: all items with the
   * same key are run by the same interpreter, see `CallOptions.key`, and a batch is divided among the interpreters
   * that its keys belong to. A text or number is the key of the whole stream, as in `groupBy`.
   */
  key?: string | number | ((item: I) => string | number)
  /** Codec `'array'`: moves arrays to Python instead of copying them; the caller's become empty. */
  transfer?: boolean
}

/** Options of an operator that is given a handler's name or source in place of a `Handler`. */
export interface SpecOperatorOptions<I = unknown, O = unknown> extends OperatorOptions<I, O>, HandlerOptions {
  /** Where the handler runs; default: a pool that all operators without one share, opened when first needed. */
  pool?: PythonPool
}

/** Options of `scanPython` besides. */
export interface SeedOptions {
  /** The state before the first item, any value that codec `'json'` carries; default `None` in Python. */
  seed?: unknown
}

/** Operator options, checked, with all defaults. */
export interface CompleteOperatorOptions<I, O> {
  limits: BatchLimits
  /** With `batch: 'auto'`. */
  tuning: TunerLimits | undefined
  /** Whether items are measured for `limits.maxBytes`. */
  measured: boolean
  /** undefined: from the pool's size. */
  concurrency: number | undefined
  ordered: boolean
  bufferSize: number
  overflow: Overflow
  onError: OnError<I, O>
  isolateErrors: boolean
  timeout: number | undefined
  transfer: boolean | undefined
  key: Key | undefined
  /** What Python gets of an item; undefined: the item. */
  pick?: ((item: I) => unknown) | undefined
  /** Gives each item's key. */
  keyOf: ((item: I) => unknown) | undefined
  signal: AbortSignal | undefined
  metrics: StageMetrics
  onMetrics: ((metrics: StageMetrics) => void) | undefined
  pool: PythonPool | undefined
  handler: HandlerOptions
  seed: unknown
}

const DEFAULTS = {
  maxItems: 1024,
  mostTuned: 16384,
  maxBytes: 4 << 20,
  maxWait: 0,
  bufferSize: 1 << 20,
  ordered: true,
  overflow: 'error',
  onError: 'error',
  isolateErrors: false,
} as const

const OVERFLOWS: readonly Overflow[] = ['error', 'drop-oldest', 'drop-newest', 'sample']
const COMMON = [
  'batch',
  'maxLatency',
  'concurrency',
  'ordered',
  'bufferSize',
  'overflow',
  'onError',
  'isolateErrors',
  'timeout',
  'signal',
  'key',
]
const KNOWN = [...COMMON, 'metrics', 'transfer']
const KNOWN_WITH_SPEC = [...KNOWN, 'pool', 'codec', 'init', 'schema', 'debug']

/** Checks what an operator is given; throws an `OptionError` that names all problems. */
export function validateOperator<I, O>(
  where: string,
  mode: HandlerMode,
  handler: Handler<I, unknown> | HandlerSpec,
  options: SpecOperatorOptions<I, O> & SeedOptions = {},
): CompleteOperatorOptions<I, O> {
  const check = new Checker(where)
  const spec = isHandlerSpec(handler)
  if (!spec && !isHandler(handler)) {
    check.problem("the handler must be a Handler, a name such as 'module:function', or { source }", handler)
  }
  const known = [...(spec ? KNOWN_WITH_SPEC : KNOWN), ...(mode === 'scan' ? ['seed'] : [])]
  if (!check.object('options', options, known, spec ? {} : OWNED_BY_HANDLER)) throw new OptionError(check.problems)

  const handlerOptions = spec ? checkHandlerOptions(check, options) : {}
  const codec = spec ? (options.codec ?? 'json') : ((handler as Handler<I, unknown> | undefined)?.codec ?? 'json')
  const batch = checkBatch(check, options.batch, codec)
  const overflow = check.oneOf('overflow', options.overflow, OVERFLOWS) ?? DEFAULTS.overflow
  const bufferSize =
    check.whole('bufferSize', options.bufferSize, 1, 2 ** 30) ?? (overflow === 'sample' ? 1 : DEFAULTS.bufferSize)
  const ordered = check.flag('ordered', options.ordered) ?? DEFAULTS.ordered
  const isolateErrors = check.flag('isolateErrors', options.isolateErrors) ?? DEFAULTS.isolateErrors
  checkOnError(check, options.onError)
  checkMode(check, mode, codec, ordered, isolateErrors, options.key)
  if (spec && options.pool !== undefined && typeof options.pool?.handler !== 'function') {
    check.problem("'pool' must be a PythonPool, as PythonPool.open() gives it", options.pool)
  }
  const maxLatency = check.time('maxLatency', options.maxLatency, false)
  if (maxLatency !== undefined && options.batch !== 'auto') check.problem("'maxLatency' goes with batch: 'auto'")
  if (maxLatency !== undefined && codec === 'array') {
    check.problem("'maxLatency' is not for codec 'array', where each typed array is a batch of its own")
  }
  const tuned = options.batch === 'auto' && codec !== 'array'
  const complete = {
    tuning: tuned ? { maxItems: Math.min(DEFAULTS.mostTuned, bufferSize), maxLatency } : undefined,
    limits: {
      // A batch larger than the buffer would never be full.
      maxItems: codec === 'array' ? 1 : Math.min(batch.maxItems ?? DEFAULTS.maxItems, bufferSize),
      maxBytes: batch.maxBytes ?? DEFAULTS.maxBytes,
      maxWait: batch.maxWait ?? DEFAULTS.maxWait,
    },
    measured: codec === 'string' || codec === 'buffer' || (codec !== 'array' && batch.maxBytes !== undefined),
    concurrency: check.whole('concurrency', options.concurrency, 1, 1024),
    ordered,
    bufferSize,
    overflow,
    onError: options.onError ?? DEFAULTS.onError,
    isolateErrors,
    timeout: check.time('timeout', options.timeout, false),
    transfer: check.flag('transfer', options.transfer),
    key: typeof options.key === 'function' ? undefined : check.key(options.key),
    keyOf: typeof options.key === 'function' ? options.key : undefined,
    signal: check.signal('signal', options.signal),
    ...targetOf(check, options.metrics),
    pool: options.pool,
    handler: handlerOptions,
    seed: options.seed,
  }
  check.done()
  return complete
}

const OWNED_BY_HANDLER = {
  pool: 'the Handler has its pool already',
  codec: 'give it where the Handler is made: pool.handler(name, { codec })',
  init: 'give it where the Handler is made: pool.handler(name, { init })',
  schema: 'give it where the Handler is made: pool.handler(name, { schema })',
  debug: 'give it where the Handler is made: pool.handler(name, { debug })',
}

function isHandler(value: unknown): value is Handler<unknown, unknown> {
  return typeof (value as Handler<unknown, unknown> | null)?.call === 'function' && typeof value === 'object'
}

function checkBatch(check: Checker, batch: unknown, codec: CodecName): BatchOptions {
  if (batch === undefined || batch === 'auto') return {}
  if (codec === 'array') {
    check.problem("'batch' is not for codec 'array', where each typed array is a batch of its own: leave it out", batch)
    return {}
  }
  if (typeof batch === 'number') return { maxItems: check.whole('batch', batch, 1, 2 ** 20) }
  if (typeof batch !== 'object' || batch === null) {
    check.problem("'batch' must be a number of items, 'auto' or { maxItems, maxBytes, maxWait }", batch)
    return {}
  }
  if (!check.object('batch', batch, ['maxItems', 'maxBytes', 'maxWait'])) return {}
  const { maxItems, maxBytes, maxWait } = batch as BatchOptions
  return {
    maxItems: check.whole('batch.maxItems', maxItems, 1, 2 ** 20),
    maxBytes: check.whole('batch.maxBytes', maxBytes, 1, 2 ** 31 - 1),
    maxWait: check.time('batch.maxWait', maxWait, true),
  }
}

function checkOnError(check: Checker, onError: unknown): void {
  if (onError === undefined || onError === 'error' || onError === 'skip' || typeof onError === 'function') return
  const observer = (onError as { deadLetter?: Partial<Observer<unknown>> } | null)?.deadLetter
  if (typeof observer?.next === 'function') return
  check.problem("'onError' must be 'error', 'skip', a function or { deadLetter: observer }", onError)
}

function checkMode(
  check: Checker,
  mode: HandlerMode,
  codec: CodecName,
  ordered: boolean,
  isolate: boolean,
  key: unknown,
): void {
  if (codec === 'array' && mode !== 'map') {
    check.problem("codec 'array' is for mapPython alone: a typed array is no list of items")
  }
  if (codec === 'array' && isolate) {
    check.problem("'isolateErrors' is not for codec 'array', where a batch is a single typed array")
  }
  if (typeof key === 'function' && isolate) {
    check.problem("'isolateErrors' is not for a 'key' for each item: what is kept for the keys would get items again")
  }
  if (typeof key === 'function' && mode === 'flatMap') {
    check.problem("'key' for each item is not for flatMapPython, whose results do not tell which item they are from")
  }
  if (codec === 'columns' && mode === 'scan') {
    check.problem("codec 'columns' is not for scanPython, which takes items one by one")
  }
  if (mode !== 'scan') return
  if (key !== undefined) check.problem("'key' is not for scanPython, whose state has an interpreter of its own already")
  if (!ordered) check.problem("'ordered' cannot be false: each state follows from the one before it")
  if (isolate) {
    check.problem(
      "'isolateErrors' is not for scanPython: its state may have gone on when the batch would be called again",
    )
  }
}

function targetOf(
  check: Checker,
  target: unknown,
): Pick<CompleteOperatorOptions<unknown, unknown>, 'metrics' | 'onMetrics'> {
  if (target === undefined) return { metrics: new StageMetrics(), onMetrics: undefined }
  if (target instanceof StageMetrics) return { metrics: target, onMetrics: undefined }
  if (typeof target === 'function') {
    return { metrics: new StageMetrics(), onMetrics: target as (metrics: StageMetrics) => void }
  }
  const observer = target as { next?: (metrics: StageMetrics) => void } | null
  if (typeof observer?.next !== 'function') {
    check.problem("'metrics' must be a StageMetrics, a function or an observer", target)
  }
  return { metrics: new StageMetrics(), onMetrics: (metrics) => observer?.next?.(metrics) }
}
