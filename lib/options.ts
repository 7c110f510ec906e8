import { Checker, isKey, isText, MAX_TIME } from './checker'
import { COLUMN_TYPES, type ColumnsSchema } from './codec/columns-schema'
import { OptionError } from './errors'
import { type CompleteDebugOptions, checkDebug, type Debuggable } from './pool/debug'
import type { CallOptions, CodecName, HandlerMode, HandlerSpec, SyncCallOptions } from './pool/handler'
import { checkRecycling, type RecycleLimits } from './pool/recycling'

/** How the interpreters of a pool share the process. */
export type Isolation = 'auto' | 'shared' | 'namespace' | 'process'

/** What becomes of a batch whose worker process crashed. */
export type OnCrash = 'fail' | 'retry'

/** A function that Python may call; what it is given and returns is data, as with the codec `json`. */
// biome-ignore lint/suspicious/noExplicitAny: what arrives is what Python sends, which the function knows
export type Callback = (...args: any[]) => unknown

/** Options of `PythonPool.open`. */
export interface PoolOptions extends Debuggable {
  /** The Python to run: an executable, or a folder that holds one. Default: found by looking in the usual places. */
  python?: string
  /** Folders that join `sys.path`. */
  path?: string | readonly string[]
  /** A requirements file: a cached environment with these packages is made before the pool opens. */
  requirements?: string
  /**
   * How many interpreters (default 1). With `{ min, max }` there are `min` at first, more of them while batches wait for
   * one and another one makes them quicker, and fewer again when there was nothing to do for `idleAfter` milliseconds. In
   * isolation `shared` the size stays `min`, except with a free-threaded Python: threads that take turns at one GIL are no
   * help to each other.
   */
  size?: number | { min?: number; max?: number }
  /** With `size: { min, max }`: milliseconds without work after which an interpreter goes (default 10,000). */
  idleAfter?: number
  /**
   * Replaces each interpreter when it has run so many batches (a number, or `batches`), or when its process has grown to
   * so many bytes of resident memory (`memory`, isolation `process` alone). The new one has started, and run every `init`,
   * before the old one goes. Not for isolation `shared`, where all interpreters are the same Python; `auto` takes
   * `process`, the only one where a replacement gives all memory back.
   */
  recycleAfter?: number | { batches?: number; memory?: number }
  /** Default `'auto'`. */
  isolation?: Isolation
  /**
   * Isolation `process`: what becomes of the batch that ran when its worker process crashed. `'fail'` (default): it fails
   * with `ERR_PYTHON_CRASH`. `'retry'`: it runs once more, then in parts until the item that crashes Python is found, so a
   * handler must not mind that an item comes twice.
   */
  onCrash?: OnCrash
  /**
   * Milliseconds that a call has to end after it was interrupted (default 2000). Then its interpreter counts as stuck:
   * another one takes its place, and a worker process is killed.
   */
  grace?: number
  /** Isolation `process`: variables for the worker processes beside those that Python needs; undefined takes one away. */
  env?: Readonly<Record<string, string | undefined>>
  /** Functions that Python may call by these names (`from rxjs_python import host`); see `pool.expose`. */
  callbacks?: Readonly<Record<string, Callback>>
  /** A name for errors, threads and logs (default `'python'`). */
  name?: string
  /** Called with each line of progress while an environment for `requirements` is made; default: standard error. */
  onProgress?: (line: string) => void
}

/** Pool options, checked, with all defaults. */
export interface CompletePoolOptions {
  python: string | undefined
  path: readonly string[]
  requirements: string | undefined
  size: { min: number; max: number }
  idleAfter: number
  recycleAfter: RecycleLimits | undefined
  isolation: Isolation
  onCrash: OnCrash
  grace: number
  env: Readonly<Record<string, string | undefined>>
  callbacks: Readonly<Record<string, Callback>>
  debug: CompleteDebugOptions | undefined
  name: string
  onProgress: ((line: string) => void) | undefined
}

/** Options of `pool.handler`. */
export interface HandlerOptions extends Debuggable {
  /** Run once in each interpreter before the handler's first batch, such as `'salary:load'`. */
  init?: HandlerSpec
  /** How items travel (default `'json'`). */
  codec?: CodecName
  /**
   * Codec `columns`: the type of each field's column. Other fields are then an error. Default: found out from the items, as
   * they come; a column of numbers is `int32` until a value comes that is none.
   */
  schema?: ColumnsSchema
  /** What becomes of a batch whose worker process crashed; default: the pool's `onCrash`. */
  onCrash?: OnCrash
  /**
   * For `async def` handlers: how many batches one interpreter has in flight at a time (default 128). 1 runs each batch to
   * its end before the next begins.
   */
  asyncConcurrency?: number
}

/** Options of `pool.handler` with those that operators use. */
export interface HandlerModeOptions extends HandlerOptions {
  mode?: HandlerMode
  seed?: unknown
}

/** Handler options, checked, with all defaults. */
export interface CompleteHandlerOptions {
  init: HandlerSpec | undefined
  codec: CodecName
  onCrash: OnCrash | undefined
  schema: ColumnsSchema | undefined
  asyncConcurrency: number
  /** False: not, whatever the pool's options say. */
  debug: CompleteDebugOptions | false | undefined
  mode: HandlerMode
  seed: unknown
}

const POOL_KEYS = [
  'python',
  'path',
  'requirements',
  'size',
  'idleAfter',
  'recycleAfter',
  'isolation',
  'onCrash',
  'grace',
  'env',
  'callbacks',
  'debug',
  'name',
  'onProgress',
]
const ISOLATIONS: readonly Isolation[] = ['auto', 'shared', 'namespace', 'process']
const ON_CRASH: readonly OnCrash[] = ['fail', 'retry']
const GRACE = 2000
const IDLE_AFTER = 10_000
const CODECS: readonly CodecName[] = ['string', 'json', 'buffer', 'array', 'columns']
const MODES: readonly HandlerMode[] = ['map', 'filter', 'flatMap', 'scan']
const CALL_KEYS: readonly string[] = ['timeout', 'runTimeout', 'signal', 'transfer', 'key']
const SYNC_CALL_KEYS: readonly string[] = ['timeout', 'runTimeout', 'transfer', 'key', 'onMainThread', 'inline']
const HANDLER_KEYS: readonly string[] = [
  'init',
  'codec',
  'schema',
  'onCrash',
  'asyncConcurrency',
  'debug',
  'mode',
  'seed',
]
const ASYNC_CONCURRENCY = 128
const MAX_ASYNC_CONCURRENCY = 1 << 16
const MAX_INTERPRETERS = 256
const NO_OPTIONS: CallOptions = Object.freeze({})

/** Checks the options of `PythonPool.open`; throws an `OptionError` that names all problems. */
export function validatePoolOptions(options: PoolOptions = {}): CompletePoolOptions {
  const check = new Checker('PythonPool.open')
  if (!check.object('options', options, POOL_KEYS)) throw new OptionError(check.problems)
  const { onProgress } = options
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    check.problem("'onProgress' must be a function", onProgress)
  }
  const isolation = check.oneOf('isolation', options.isolation, ISOLATIONS) ?? 'auto'
  const complete = {
    python: check.text('python', options.python),
    path: checkFolders(check, options.path),
    requirements: check.text('requirements', options.requirements),
    size: checkSize(check, options.size),
    idleAfter: check.time('idleAfter', options.idleAfter, false) ?? IDLE_AFTER,
    recycleAfter: checkRecycling(check, options.recycleAfter, isolation),
    isolation,
    onCrash: check.oneOf('onCrash', options.onCrash, ON_CRASH) ?? 'fail',
    grace: check.whole('grace', options.grace, 1, MAX_TIME) ?? GRACE,
    env: checkEnv(check, options.env),
    callbacks: checkCallbacks(check, options.callbacks),
    debug: checkDebug(check, options.debug) || undefined,
    name: check.text('name', options.name) ?? 'python',
    onProgress,
  }
  check.done()
  return complete
}

/** Checks what `pool.handler` is given; throws an `OptionError` that names all problems. */
export function validateHandler(spec: HandlerSpec, options: HandlerModeOptions = {}): CompleteHandlerOptions {
  const check = new Checker('pool.handler')
  if (!isHandlerSpec(spec)) check.problem(`the handler must be ${SPEC}`, spec)
  if (!check.object('options', options, HANDLER_KEYS)) throw new OptionError(check.problems)
  const { init, codec, schema, debug } = checkHandlerOptions(check, options)
  const onCrash = check.oneOf('onCrash', options.onCrash, ON_CRASH)
  const { asyncConcurrency } = options
  const limit = check.whole('asyncConcurrency', asyncConcurrency, 1, MAX_ASYNC_CONCURRENCY) ?? ASYNC_CONCURRENCY
  const mode = check.oneOf('mode', options.mode, MODES) ?? 'map'
  if (codec === 'array' && mode !== 'map') check.problem(`codec 'array' is not for mode '${mode}'`)
  if (codec === 'columns' && mode === 'scan') check.problem("codec 'columns' is not for mode 'scan'")
  check.done()
  return { init, codec: codec ?? 'json', schema, onCrash, asyncConcurrency: limit, debug, mode, seed: options.seed }
}

/**
 * Checks the options of `handler.call`; throws an `OptionError` that names all problems. Allocates nothing where there are
 * none.
 */
export function validateCallOptions(options?: CallOptions): CallOptions {
  if (options === undefined) return NO_OPTIONS
  if (areCallOptions(options)) return options
  const check = new Checker('handler.call')
  if (check.object('options', options, CALL_KEYS)) {
    check.time('timeout', options.timeout, false)
    check.time('runTimeout', options.runTimeout, false)
    check.signal('signal', options.signal)
    check.flag('transfer', options.transfer)
    check.key(options.key)
  }
  check.done()
  return options
}

/** Checks the options of `handler.callSync`; throws an `OptionError` that names all problems. */
export function validateSyncCallOptions(options: SyncCallOptions = NO_OPTIONS): SyncCallOptions {
  if (areSyncCallOptions(options)) return options
  const check = new Checker('handler.callSync')
  const reasons = { signal: 'nobody could abort it while the thread waits; use timeout' }
  if (check.object('options', options, SYNC_CALL_KEYS, reasons)) {
    check.time('timeout', options.timeout, false)
    check.time('runTimeout', options.runTimeout, false)
    check.flag('transfer', options.transfer)
    check.flag('onMainThread', options.onMainThread)
    check.flag('inline', options.inline)
    check.key(options.key)
    if (options.inline === true && (options.timeout !== undefined || options.runTimeout !== undefined)) {
      check.problem("'inline' does not go with a time limit: what runs on this thread cannot be stopped")
    }
  }
  check.done()
  return options
}

function areCallOptions(options: CallOptions): boolean {
  if (typeof options !== 'object' || options === null) return false
  for (const key in options) if (!CALL_KEYS.includes(key)) return false
  const { timeout, runTimeout, signal, transfer, key } = options
  return (
    isTimeLimit(timeout) &&
    isTimeLimit(runTimeout) &&
    (signal === undefined || signal instanceof AbortSignal) &&
    (transfer === undefined || typeof transfer === 'boolean') &&
    (key === undefined || isKey(key))
  )
}

/** Without anything that costs: small batches last less than a microsecond. */
function areSyncCallOptions(options: SyncCallOptions): boolean {
  if (typeof options !== 'object' || options === null) return false
  for (const key in options) if (!SYNC_CALL_KEYS.includes(key)) return false
  const { timeout, runTimeout, transfer, key, onMainThread, inline } = options
  return (
    isTimeLimit(timeout) &&
    isTimeLimit(runTimeout) &&
    isFlag(transfer) &&
    isFlag(onMainThread) &&
    isFlag(inline) &&
    (key === undefined || isKey(key)) &&
    !(inline === true && (timeout !== undefined || runTimeout !== undefined))
  )
}

function isFlag(value: unknown): boolean {
  return value === undefined || typeof value === 'boolean'
}

function isTimeLimit(value: unknown): boolean {
  return value === undefined || (typeof value === 'number' && value > 0 && value <= MAX_TIME)
}

const SPEC = "a name such as 'module:function' or 'folder/file.py:function', or { source: 'Python code' }"

/** Whether a value names a handler, or holds its source. */
export function isHandlerSpec(value: unknown): value is HandlerSpec {
  if (typeof value === 'string') return isText(value)
  if (typeof value !== 'object' || value === null) return false
  const { source, function: name } = value as { source?: unknown; function?: unknown }
  return (
    typeof source === 'string' && isText(source) && (name === undefined || (typeof name === 'string' && isText(name)))
  )
}

type CheckedHandlerOptions = HandlerOptions & { debug?: CompleteDebugOptions | false | undefined }

/** The handler options among others, checked. */
export function checkHandlerOptions(check: Checker, options: HandlerOptions): CheckedHandlerOptions {
  const { init, codec, schema, debug } = options
  if (init !== undefined && !isHandlerSpec(init)) check.problem(`'init' must be ${SPEC}`, init)
  const checked: CheckedHandlerOptions = { init, codec: check.oneOf('codec', codec, CODECS) }
  if (debug !== undefined) checked.debug = checkDebug(check, debug)
  if (schema !== undefined) checked.schema = checkSchema(check, schema, codec)
  return checked
}

function checkSchema(check: Checker, schema: unknown, codec: unknown): ColumnsSchema | undefined {
  if (codec !== 'columns') check.problem("'schema' is for codec 'columns' alone")
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) {
    check.problem("'schema' must be an object of types by the names of fields", schema)
    return undefined
  }
  for (const [name, type] of Object.entries(schema)) check.oneOf(`schema.${name}`, type, COLUMN_TYPES)
  return Object.freeze({ ...(schema as ColumnsSchema) })
}

function checkFolders(check: Checker, path: unknown): readonly string[] {
  if (path === undefined) return []
  const folders: unknown[] = Array.isArray(path) ? path : [path]
  if (folders.every((folder) => typeof folder === 'string' && isText(folder))) return [...folders] as string[]
  check.problem("'path' must be a folder or a list of folders", path)
  return []
}

function checkEnv(check: Checker, env: unknown): Readonly<Record<string, string | undefined>> {
  if (env === undefined) return {}
  if (typeof env === 'object' && env !== null && !Array.isArray(env)) {
    const wrong = Object.entries(env).find(
      ([name, value]) =>
        !isText(name) ||
        name.includes('=') ||
        (value !== undefined && (typeof value !== 'string' || value.includes('\0'))),
    )
    if (wrong === undefined) return { ...(env as Record<string, string | undefined>) }
  }
  check.problem("'env' must be an object of texts by the names of variables", env)
  return {}
}

/** Checks what `pool.expose` is given. */
export function validateCallback(name: string, callback: Callback): void {
  const check = new Checker('pool.expose')
  if (check.text('name', name) === undefined) check.problem('a callback needs a name')
  if (typeof callback !== 'function') check.problem('the callback must be a function', callback)
  check.done()
}

function checkCallbacks(check: Checker, callbacks: unknown): Readonly<Record<string, Callback>> {
  if (callbacks === undefined) return {}
  if (typeof callbacks === 'object' && callbacks !== null && !Array.isArray(callbacks)) {
    const wrong = Object.entries(callbacks).find(([name, value]) => !isText(name) || typeof value !== 'function')
    if (wrong === undefined) return { ...(callbacks as Record<string, Callback>) }
  }
  check.problem("'callbacks' must be an object of functions by their names", callbacks)
  return {}
}

function checkSize(check: Checker, size: unknown): { min: number; max: number } {
  if (typeof size !== 'object' || size === null) {
    const count = check.whole('size', size, 1, MAX_INTERPRETERS) ?? 1
    return { min: count, max: count }
  }
  if (!check.object('size', size, ['min', 'max'])) return { min: 1, max: 1 }
  const given = size as { min?: number; max?: number }
  const min = check.whole('size.min', given.min, 1, MAX_INTERPRETERS) ?? 1
  const max = check.whole('size.max', given.max, 1, MAX_INTERPRETERS) ?? min
  if (min > max) check.problem(`'size.min' (${min}) must not be above 'size.max' (${max})`)
  return { min, max }
}
