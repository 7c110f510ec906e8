import { type BinaryBatch, encodeBinary, keepBinary } from '../codec/binary'
import { ColumnsEncoder } from '../codec/columns'
import { encodeJson } from '../codec/json'
import { writeSeed } from '../codec/json-extended'
import { NdArray } from '../codec/ndarray'
import { writeStrings } from '../codec/string'
import { EncodeError, OptionError, PoolClosedError, PythonStuckError } from '../errors'
import { AWAITED, CODEC_NUMBERS } from '../native'
import { type CompleteHandlerOptions, validateCallOptions, validateSyncCallOptions } from '../options'
import { isNarrow } from './calls'
import { retryCrash } from './crash'
import { finisher } from './finisher'
import type {
  CallOptions,
  CodecName,
  Handler,
  HandlerMode,
  HandlerSpec,
  StateAnswer,
  StateRequest,
  SyncCallOptions,
} from './handler-types'
import type { PendingCall } from './pending'
import type { PythonPool } from './pool'
import { ANY_SEAT } from './seats'
import { type PythonSpec, parseSpec, specName } from './spec'

export type * from './handler-types'

/** A list of items, or with codec `array` one typed array. */
type Batch<I> = readonly I[] | I

export class PythonHandler<I, O> implements Handler<I, O> {
  readonly name: string
  readonly codec: CodecName
  readonly mode: HandlerMode
  private readonly id: number
  private readonly spec: PythonSpec
  private readonly init: PythonSpec | null
  /** The seat that a scan, whose state lives in one interpreter, is bound to, or one that is debugged; -1 for any. */
  private readonly seat: number
  /** @internal */
  readonly ready: Promise<void>
  private isReady = false
  /** A call waits for it to be ready. */
  private awaited = false
  /** It has given an answer, or is ready. */
  private isLoaded = false
  private closing: Promise<void> | undefined
  /** What asks an interpreter to load the function (JSON). */
  readonly request: string
  private readonly finish: ((value: unknown) => unknown) | undefined
  /** A batch that crashed its worker process runs again; not a scan, whose state is gone with the process. */
  private readonly retries: boolean
  /** Results are cut into strings rather than read as JSON. */
  private readonly readsStrings: boolean
  private readonly mayRunInline: boolean
  private readonly isDebugged: boolean
  /** Of codec `columns`. */
  private readonly columns: ColumnsEncoder | undefined

  constructor(
    readonly pool: PythonPool,
    private readonly given: HandlerSpec | PythonHandler<never, unknown>,
    private readonly options: CompleteHandlerOptions,
  ) {
    this.codec = options.codec
    this.mode = options.mode
    this.spec =
      given instanceof PythonHandler ? { kind: 'state', of: given.id, function: null } : parseSpec(given, pool.path)
    this.init = options.init === undefined ? null : parseSpec(options.init, pool.path)
    this.name = specName(this.spec)
    this.columns = this.codec === 'columns' ? new ColumnsEncoder(options.schema) : undefined
    this.finish = finisher(this.mode, this.codec)
    this.retries = pool.retriesCrashes(options.onCrash) && this.mode !== 'scan'
    this.readsStrings = this.codec === 'string' || this.mode === 'filter'
    const isText = this.codec === 'string' || this.codec === 'json'
    const { debug } = options
    this.isDebugged = Boolean(debug)
    this.mayRunInline = isText && this.mode !== 'scan' && !this.isDebugged && pool.info().isolation === 'shared'
    // A seed that cannot be carried fails here, before anything is taken that would have to be given back.
    const seed = options.seed === undefined ? '' : `,"seed":${writeSeed(options.seed)}`
    this.id = pool.calls.takeHandlerId()
    const { id, spec, init, mode, codec, name } = this
    const debugged = debug ? { debug: { wait: true, ...debug }, name } : {}
    this.request = `${JSON.stringify({ op: 'open', id, spec, init, mode, codec, ...debugged }).slice(0, -1)}${seed}}`
    const codecIn = CODEC_NUMBERS[this.codec]
    // A filter answers with one text of 0 and 1, whatever its items are.
    const codecOut = this.mode === 'filter' ? CODEC_NUMBERS.string : codecIn
    const exact = this.mode === 'map' || this.mode === 'scan'
    pool.calls.native.defineHandler(this.id, codecIn, codecOut, exact, this.request, options.asyncConcurrency)
    const { seats } = pool.calls
    if (this.isDebugged) this.seat = seats.pinFirst()
    else this.seat = this.mode === 'scan' ? seats.pinNext() : ANY_SEAT
    this.ready = this.open()
    // Reported by the first call; an error that nobody calls for is nobody's error.
    this.ready.catch(() => {})
    if (this.seat < 0) seats.handlers.set(id, this)
  }

  call(batch: Batch<I>, options?: CallOptions): Promise<O[]> {
    if (this.retries && Array.isArray(batch)) {
      try {
        // Items are read again when they run again, so the list at least must stay as it is.
        const items = [...(batch as readonly I[])]
        return retryCrash(items, validateCallOptions(options), (part, limits) => this.callOnce(part, limits))
      } catch (error) {
        return Promise.reject(error)
      }
    }
    return this.callOnce(batch, options)
  }

  private callOnce(batch: Batch<I>, options?: CallOptions): Promise<O[]> {
    let call: PendingCall
    try {
      const checked = this.limitsOf(validateCallOptions(options))
      call = this.begin(batch, checked)
      this.pool.calls.limit(call, checked)
      // An empty batch is still a call: the first one tells whether the handler loads.
      if (!call.settled) {
        if (this.isReady) this.send(call, batch, checked)
        else this.sendWhenReady(call, batch, checked)
      }
    } catch (error) {
      return Promise.reject(error)
    }
    return call.promise as Promise<O[]>
  }

  callSync(batch: Batch<I>, options?: SyncCallOptions): O[] {
    const checked = this.limitsOf(validateSyncCallOptions(options))
    const { calls } = this.pool
    calls.sync.check(checked)
    if (
      checked.inline === true &&
      this.mayRunInline &&
      this.isLoaded &&
      Array.isArray(batch) &&
      checked.key === undefined
    ) {
      const answer = this.runInline(batch)
      if (answer !== undefined) return answer as O[]
    }
    const call = this.begin(batch, checked)
    call.answer = { ended: false }
    // Also where Python is busy with a call that waits for a callback, which this thread cannot answer now (rule C3).
    if (call.within === 0) call.within = AWAITED
    calls.limit(call, checked)
    // Whichever interpreter runs it loads the function first, where it has not done so.
    this.send(call, batch, checked)
    calls.flush()
    const answer = calls.sync.wait(call) as O[]
    this.isLoaded = true
    return answer
  }

  /** The answer, where an interpreter is idle in whose place this thread can run the batch (rule T7). */
  private runInline(items: readonly I[]): unknown {
    const { calls } = this.pool
    if (this.closing !== undefined) throw closedError(this.name)
    calls.checkOpen()
    let text: string | string[]
    let units: number
    const lengths = this.codec === 'string' ? items.length : 0
    if (this.codec === 'string') {
      const pieces: string[] = []
      units = writeStrings(items, calls.bare(lengths), 0, pieces)
      text = pieces.length === 1 ? pieces[0]! : pieces
    } else {
      calls.bare(0)
      text = encodeJson(items as readonly unknown[])
      units = text.length
    }
    const narrow = typeof text === 'string' ? isNarrow(text) : text.every(isNarrow)
    const answer = calls.native.runInline(this.id, items.length, text, units, lengths, narrow)
    if (answer === false) return undefined
    if (answer === true) {
      const call = this.begin(items, NO_OPTIONS)
      call.answer = { ended: false }
      return calls.sync.fetch(call)
    }
    const value = this.readsStrings ? calls.sync.channel.inlineStrings(answer) : calls.sync.channel.inlineJson(answer)
    return this.finish === undefined ? value : this.finish(value)
  }

  /** A call that is not sent yet. */
  private begin(batch: Batch<I>, checked: CallOptions): PendingCall {
    if (this.closing !== undefined) throw closedError(this.name)
    if (checked.key !== undefined && this.mode === 'scan') {
      throw new OptionError(["handler.call: 'key' is not for mode 'scan', whose state has an interpreter already"])
    }
    if (this.codec !== 'array' && !Array.isArray(batch)) {
      throw new EncodeError(`call() takes an array of items with codec '${this.codec}'`)
    }
    const size = sizeOf(batch)
    const finish = this.codec === 'array' && Array.isArray(batch) ? undefined : this.finish
    const call = this.pool.calls.create(this.name, size, finish)
    call.holder = this
    call.key = checked.key
    call.strings = this.readsStrings
    return call
  }

  /** Nobody could look at anything in a debugger if time limits went on. */
  private limitsOf<T extends SyncCallOptions>(options: T): T {
    return this.isDebugged ? { ...options, timeout: undefined, runTimeout: undefined } : options
  }

  sizeOf(item: I): number {
    if (typeof item === 'string') return item.length
    if (item instanceof NdArray) return item.data.byteLength
    if (ArrayBuffer.isView(item) || item instanceof ArrayBuffer || item instanceof SharedArrayBuffer) {
      return item.byteLength
    }
    try {
      return JSON.stringify(item)?.length ?? 0
    } catch {
      return 0 // encoding it will say what is wrong with it
    }
  }

  variant<R>(mode: HandlerMode, options: { seed?: unknown } = {}): Handler<I, R> {
    return this.pool.handler<I, R>(this.given as HandlerSpec, {
      init: this.options.init,
      codec: this.codec,
      asyncConcurrency: this.options.asyncConcurrency,
      ...(this.options.schema === undefined ? {} : { schema: this.options.schema }),
      ...(this.options.onCrash === undefined ? {} : { onCrash: this.options.onCrash }),
      ...(this.options.debug === undefined ? {} : { debug: this.options.debug }),
      mode,
      ...(options.seed === undefined ? {} : { seed: options.seed }),
    })
  }

  /** A handler that asks for this one's state, and puts it back: for jobs. Needs a pool with one interpreter. */
  stateHandler(): Handler<StateRequest, StateAnswer> {
    const options: CompleteHandlerOptions = {
      ...this.options,
      init: undefined,
      codec: 'json',
      mode: 'map',
      onCrash: 'fail',
      debug: undefined,
    }
    return new PythonHandler<StateRequest, StateAnswer>(this.pool, this as PythonHandler<never, unknown>, options)
  }

  close(): Promise<void> {
    this.closing ??= this.forget()
    return this.closing
  }

  /** Loads the function in every interpreter that may be asked to run it. */
  private async open(): Promise<void> {
    await this.pool.calls.controlHosts(this.request, this.seat, this.name)
    const { debug } = this.options
    if (debug && debug.wait !== false) {
      if (this.awaited) this.pool.debugged.wait(this.name)
      await this.pool.debugged.attached(this.name)
    }
    this.isReady = true
    this.isLoaded = true
  }

  private async forget(): Promise<void> {
    if (this.isDebugged) this.pool.debugged.cancel(closedError(this.name), this.name)
    await this.ready.catch(() => {})
    // An interpreter drops a handler before it takes the calls that wait for any interpreter.
    await this.pool.calls.drainedOf(this)
    const { seats } = this.pool.calls
    if (seats.handlers.get(this.id) === this) seats.handlers.delete(this.id)
    try {
      if (!this.pool.closed) await this.pool.calls.forgetHandler(this.id, this.seat)
    } catch (error) {
      // A pool that closes meanwhile drops all handlers itself; where all are stuck there is nobody to tell.
      if (!(error instanceof PoolClosedError || error instanceof PythonStuckError)) throw error
    } finally {
      if (this.seat >= 0) seats.unpin(this.seat)
      if (this.isDebugged) this.pool.debugged.forget(this.name)
    }
  }

  private send(call: PendingCall, batch: Batch<I>, options: CallOptions): void {
    try {
      this.encode(call, batch, options)
    } catch (error) {
      call.fail(error)
    }
  }

  /** The batch is read now all the same: the caller may change it as soon as `call` has returned. */
  private sendWhenReady(call: PendingCall, batch: Batch<I>, options: CallOptions): void {
    this.awaited = true
    if (this.isDebugged) this.pool.debugged.wait(this.name)
    let send: () => void
    try {
      send = this.prepare(call, batch, options)
    } catch (error) {
      call.fail(error)
      return
    }
    this.ready.then(
      () => {
        try {
          if (!call.settled) send()
        } catch (error) {
          call.fail(error)
        }
      },
      (error) => {
        if (!call.settled) call.fail(error)
      },
    )
  }

  private encode(call: PendingCall, batch: Batch<I>, options: CallOptions): void {
    switch (this.codec) {
      case 'string':
        this.sendStrings(call, batch as readonly string[])
        break
      case 'json':
        this.sendJson(call, encodeJson(batch as readonly unknown[]), (batch as readonly unknown[]).length)
        break
      default:
        this.sendBinary(call, this.encodeBinary(batch, options, true), sizeOf(batch))
    }
  }

  /** Like `encode`, in two steps: what it returns sends the batch as it is now. */
  private prepare(call: PendingCall, batch: Batch<I>, options: CallOptions): () => void {
    switch (this.codec) {
      case 'string': {
        const items = Array.from(batch as readonly string[])
        return () => this.sendStrings(call, items)
      }
      case 'json': {
        const { length } = batch as readonly unknown[]
        const text = encodeJson(batch as readonly unknown[])
        return () => this.sendJson(call, text, length)
      }
      default: {
        const encoded = this.encodeBinary(batch, options, false)
        keepBinary(encoded)
        const size = sizeOf(batch)
        return () => this.sendBinary(call, encoded, size)
      }
    }
  }

  private seatOf({ key }: PendingCall): number {
    return key === undefined || this.isDebugged ? this.seat : this.pool.calls.seats.ofKey(key)
  }

  private sendStrings(call: PendingCall, items: readonly string[]): void {
    const { calls } = this.pool
    const { length } = items
    const numbers = calls.row(length)
    const units = writeStrings(items, numbers, calls.lengthsAt, calls.texts)
    calls.submitText(call, this.id, this.seatOf(call), length, undefined, units, length)
  }

  private sendJson(call: PendingCall, text: string, count: number): void {
    const { calls } = this.pool
    calls.row(0)
    calls.submitText(call, this.id, this.seatOf(call), count, text, text.length, 0)
  }

  private encodeBinary(batch: Batch<I>, options: CallOptions, now: boolean): BinaryBatch {
    if (this.columns !== undefined) return this.columns.encode(batch as readonly unknown[])
    const arrays = this.codec === 'array'
    const items = arrays && !Array.isArray(batch) ? [batch] : (batch as readonly unknown[])
    if (arrays && items.length !== 1) {
      throw new EncodeError(`the codec 'array' carries one typed array a call, got ${items.length}`)
    }
    return encodeBinary(items, arrays, options.transfer === true, now)
  }

  private sendBinary(call: PendingCall, encoded: BinaryBatch, items: number): void {
    call.inputs = encoded.views
    this.pool.calls.submitBinary(call, this.id, this.seatOf(call), encoded, items)
  }
}

const NO_OPTIONS: CallOptions = {}

function closedError(handler: string): PoolClosedError {
  return new PoolClosedError(`${handler}: the handler is closed`)
}

/** The items of a batch; an array of codec `array` is one. */
function sizeOf(batch: Batch<unknown>): number {
  return Array.isArray(batch) ? batch.length : 1
}
