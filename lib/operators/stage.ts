import { Observable, type OperatorFunction, Subscriber } from 'rxjs'
import { Batch, BatchQueue } from '../batch/batch'
import { Batcher, type BatchLimits } from '../batch/batcher'
import { BatchTuner } from '../batch/tuner'
import { inJob, pythonOfJob, registerHolder } from '../checkpoint/scope'
import { OptionError, PythonAbortError } from '../errors'
import type { CallOptions, Handler, HandlerMode, HandlerSpec } from '../pool/handler'
import { enterScope, Gate, GateSet, gateInScope, leaveScope, type Scope, subscribeWithin } from '../sources/gate'
import { callPython, shapeResults } from './call'
import { findCulprits, isFatal, settleFailure } from './failure'
import { HandlerProvider, type Lease } from './lease'
import { type CompleteOperatorOptions, type SeedOptions, type SpecOperatorOptions, validateOperator } from './options'
import { makeRoom } from './overflow'

/** How many batches may wait for an earlier one's result, for each that may be in flight. */
const ORDER_WINDOW = 4

/**
 * The operator that all Python operators are: items into batches, batches to the handler, results out again.
 *
 * @param pick what Python gets of an item; default: the item
 */
export function stage<I, R>(
  name: string,
  mode: HandlerMode,
  handler: Handler<I, unknown> | HandlerSpec,
  options: SpecOperatorOptions<I, R> & SeedOptions = {},
  pick?: (item: I) => unknown,
): OperatorFunction<I, R> {
  const complete = validateOperator(name, mode, handler, options)
  complete.pick = pick
  const provider = new HandlerProvider<I>(handler, mode, complete)
  return (source) =>
    new Observable<R>((subscriber) => new Stage<I, R>(name, mode, complete, subscriber).start(source, provider))
}

/** Takes the source's notifications to its stage; unsubscribing it leaves the stage alone. */
class Intake<I> extends Subscriber<I> {
  constructor(private readonly stage: Stage<I, unknown>) {
    super()
  }

  protected override _next(item: I): void {
    this.stage.accept(item)
  }

  protected override _error(error: unknown): void {
    this.stage.sourceEnded({ value: error })
    this.unsubscribe()
  }

  protected override _complete(): void {
    this.stage.sourceEnded()
    this.unsubscribe()
  }
}

/** One subscription. */
export class Stage<I, R> {
  private readonly intake = new Intake<I>(this)
  private readonly batcher: Batcher<I>
  private readonly limits: BatchLimits
  /** Of `batch: 'auto'`. */
  private readonly tuner: BatchTuner | undefined
  private readonly queue = new BatchQueue<I>()
  private readonly gates = new GateSet(() => this.advance())
  private readonly gate = new Gate(this.gates)
  /** In force while results go downstream. */
  private readonly scope: Scope = { gate: gateInScope(), emitter: this.gates }
  private readonly controller = new AbortController()
  private readonly callOptions: CallOptions

  private lease: Lease<I> | undefined
  private poolSize = 0
  private leavePool: (() => void) | undefined
  private concurrency: number
  /** The most items in the stage before its gate closes: waiting, in flight, and held back for order. */
  private capacity = 0
  /** `capacity` less what is in flight or held back, and at most `bufferSize`: with so many waiting the gate closes. */
  private limit = 0
  private inFlight = 0
  /** Items in flight or held back. */
  private unreleased = 0

  private ended: { error?: { value: unknown } } | undefined
  private releasing = false
  private over = false

  constructor(
    private readonly name: string,
    private readonly mode: HandlerMode,
    private readonly options: CompleteOperatorOptions<I, R>,
    private readonly subscriber: Subscriber<R>,
  ) {
    this.limits = { ...options.limits }
    this.tuner = options.tuning === undefined ? undefined : new BatchTuner(options.tuning)
    if (this.tuner !== undefined) this.limits.maxItems = this.tuner.size
    this.metrics.batchLimit = this.limits.maxItems
    this.batcher = new Batcher<I>(this.limits, () => this.dispatch(), options.measured ? this.sizeOf : undefined)
    this.gates.ownedBy(this.gate)
    this.concurrency = options.concurrency ?? 1
    gateInScope()?.feed()
    this.callOptions = { signal: this.controller.signal }
    if (options.timeout !== undefined) this.callOptions.runTimeout = options.timeout
    if (options.key !== undefined) this.callOptions.key = options.key
    if (options.transfer !== undefined) this.callOptions.transfer = options.transfer
    if (mode === 'scan' && inJob()) {
      throw new OptionError([
        "scanPython: its state cannot be saved, so it is not for jobs; use mapPython with a class that has 'snapshot' and 'restore'",
      ])
    }
    registerHolder(this)
  }

  /** Holds no items: for a job's checkpoints. */
  get idle(): boolean {
    return this.inFlight === 0 && this.batcher.waiting === 0 && this.queue.head === undefined
  }

  start(source: Observable<I>, provider: HandlerProvider<I>): void {
    const { signal } = this.options
    if (signal?.aborted) {
      this.abort()
      return
    }
    signal?.addEventListener('abort', this.abort)
    this.subscriber.add(() => this.end())
    const lease = provider.acquire()
    const tellJob = pythonOfJob(this.name)
    tellJob?.(
      Promise.resolve(lease).then(({ handler }) => handler as Handler<never, unknown>),
      this.options,
    )
    if (lease instanceof Promise) {
      this.gate.close()
      lease.then(
        (opened) => (this.over ? opened.release() : this.opened(opened)),
        (error: unknown) => this.subscriber.error(error),
      )
    } else {
      this.opened(lease)
    }
    if (this.over) return
    subscribeWithin(this.gate, () => source.subscribe(this.intake))
  }

  /** The hot path: once for each item. */
  accept(item: I): void {
    const { batcher, metrics } = this
    metrics.itemsIn++
    if (batcher.waiting >= this.limit && !this.admit()) return
    metrics.waiting++
    batcher.push(item)
    if (batcher.waiting >= this.limit) this.gate.close()
  }

  /** The source has no more; what came before goes out first, then its end. */
  sourceEnded(error?: { value: unknown }): void {
    this.ended = { error }
    this.batcher.drain()
    this.advance()
  }

  /** The pool is to close: no further items. Where another stage feeds this one, that one's end is awaited instead. */
  finish(): void {
    if (this.gate.fed || this.ended !== undefined || this.over) return
    this.intake.unsubscribe()
    this.sourceEnded()
  }

  private get metrics() {
    return this.options.metrics
  }

  private opened(lease: Lease<I>): void {
    this.lease = lease
    try {
      this.leavePool = lease.handler.pool.join(this)
    } catch (error) {
      this.subscriber.error(error)
      return
    }
    this.fit(lease.handler.pool.size)
    this.advance()
  }

  /** The pool has so many interpreters now. */
  private fit(size: number): void {
    const { concurrency, key } = this.options
    this.poolSize = size
    this.concurrency = concurrency ?? 2 * (this.mode === 'scan' || key !== undefined ? 1 : size)
    this.capacity = 2 * this.concurrency * this.limits.maxItems
    if (this.tuner !== undefined) this.tuner.inFlight = this.concurrency
  }

  /** Batches may have so many items from now on. */
  private resize(items: number): void {
    this.limits.maxItems = this.metrics.batchLimit = items
    this.capacity = 2 * this.concurrency * items
  }

  private readonly sizeOf = (whole: I): number => {
    const { pick } = this.options
    const item = pick === undefined ? whole : (pick(whole) as I)
    if (typeof item === 'string') return item.length
    if (item instanceof Uint8Array) return item.byteLength
    try {
      return this.lease?.handler.sizeOf(item) ?? 0
    } catch {
      // The codec will say better what is wrong with the item.
      return 0
    }
  }

  /** Whether an item that comes while the gate is closed, or about to close, may be added. */
  private admit(): boolean {
    if (this.batcher.waiting < this.options.bufferSize) return true
    try {
      return makeRoom(this.name, this.batcher, this.options)
    } catch (error) {
      this.subscriber.error(error)
      return false
    }
  }

  /** Whatever has changed: results out, batches in, gate and end as they should be. */
  private advance(): void {
    this.release()
    this.dispatch()
    if (this.ended === undefined || this.over) return
    if (this.inFlight > 0 || this.batcher.waiting > 0 || this.queue.head !== undefined) return
    const { error } = this.ended
    const outer = enterScope(this.scope)
    try {
      if (error) this.subscriber.error(error.value)
      else this.subscriber.complete()
    } finally {
      leaveScope(outer)
    }
  }

  private dispatch(): void {
    if (this.lease === undefined || this.over) return
    const { size } = this.lease.handler.pool
    if (size !== this.poolSize) this.fit(size)
    const window = ORDER_WINDOW * this.concurrency
    while (this.inFlight < this.concurrency && this.queue.length < window && this.gates.closed === 0) {
      const items = this.batcher.take()
      if (items === undefined) break
      this.send(items, this.lease.handler)
    }
    this.setGate()
  }

  private setGate(): void {
    const { bufferSize } = this.options
    this.limit = Math.min(bufferSize, this.capacity - this.unreleased)
    const room = this.limit - this.batcher.waiting
    if (room <= 0) this.gate.close()
    else if (room >= Math.min(this.limits.maxItems, (bufferSize + 1) >> 1)) this.gate.open()
  }

  private send(items: I[], handler: Handler<I, unknown>): void {
    const batch = new Batch<I>(items)
    this.inFlight++
    this.unreleased += items.length
    this.metrics.inFlight++
    this.metrics.waiting -= items.length
    if (this.options.ordered) this.queue.append(batch)
    this.call(items, handler).then(
      (values) => this.succeeded(batch, values),
      (error: unknown) => this.failed(batch, error),
    )
  }

  private call(items: readonly I[], handler: Handler<I, unknown>): Promise<readonly unknown[]> {
    return callPython(this.name, items, handler, this.options, this.callOptions)
  }

  private succeeded(batch: Batch<I>, values: readonly unknown[]): void {
    if (this.over) return
    try {
      batch.done(shapeResults(this.mode, batch.items, values, this.lease?.handler))
    } catch (error) {
      this.failed(batch, error)
      return
    }
    if (!this.options.ordered) this.queue.append(batch)
    this.returned(batch)
  }

  private failed(batch: Batch<I>, error: unknown): void {
    if (this.over) return
    batch.failed(error, isFatal(error))
    if (this.options.isolateErrors && !batch.fatal && batch.items.length > 1) {
      // The batch keeps its place in the queue and among those in flight meanwhile.
      void this.isolate(batch)
      return
    }
    this.countFailed(batch)
    if (!this.options.ordered) this.queue.append(batch)
    this.returned(batch)
  }

  private async isolate(batch: Batch<I>): Promise<void> {
    batch.state = 'running'
    const { handler } = this.lease!
    const first = this.options.onError === 'error'
    const parts = await findCulprits(
      batch,
      async (items) => {
        if (this.over) throw new PythonAbortError()
        return shapeResults(this.mode, items, await this.call(items, handler), handler)
      },
      first,
    )
    if (this.over) return
    // The batch itself keeps its place as an empty one, with the parts behind it.
    batch.done([])
    batch.size = 0
    if (!this.options.ordered) this.queue.append(batch)
    let last = batch
    for (const part of parts) {
      if (part.state === 'failed') this.countFailed(part)
      this.queue.insertAfter(last, part)
      last = part
    }
    this.returned(batch)
  }

  private countFailed(batch: Batch<I>): void {
    this.metrics.failed += batch.items.length
    if (!batch.fatal && this.options.onError !== 'error') return
    // The stream will end with this batch's error: only what comes before it in order still has to go out.
    this.intake.unsubscribe()
    this.metrics.waiting -= this.batcher.clear()
  }

  /** A batch has come back from Python. */
  private returned(batch: Batch<I>): void {
    this.inFlight--
    this.metrics.inFlight--
    const now = performance.now()
    this.metrics.batchDone(batch.items.length, now - batch.sent)
    if (this.tuner !== undefined) {
      this.tuner.done(batch.items.length, now - batch.sent, now)
      if (this.tuner.size !== this.limits.maxItems) this.resize(this.tuner.size)
    }
    this.advance()
    if (!this.over) this.tell()
  }

  private tell(): void {
    try {
      this.options.onMetrics?.(this.metrics)
    } catch (error) {
      this.subscriber.error(error)
    }
  }

  /** Results downstream, as far as they are ready and a gate there does not stop them. */
  private release(): void {
    if (this.releasing || this.over) return
    this.releasing = true
    const outer = enterScope(this.scope)
    try {
      for (let batch = this.queue.head; batch !== undefined; batch = this.queue.head) {
        if (batch.state === 'running') break
        if (batch.state === 'failed') batch.done(settleFailure(this.options.onError, this.mode, batch))
        if (this.over || !this.emit(batch)) break
        this.queue.removeHead()
        this.unreleased -= batch.size
      }
    } catch (error) {
      this.subscriber.error(error)
    } finally {
      leaveScope(outer)
      this.releasing = false
    }
  }

  /** False: the batch has not gone out completely. */
  private emit(batch: Batch<I>): boolean {
    const { subscriber, gates } = this
    const values = batch.values as readonly R[]
    const from = batch.at
    let at = from
    while (at < values.length && gates.closed === 0 && !subscriber.closed) subscriber.next(values[at++]!)
    batch.at = at
    this.metrics.itemsOut += at - from
    return at === values.length && !subscriber.closed
  }

  private readonly abort = (): void => {
    this.subscriber.error(new PythonAbortError(this.options.signal?.reason, `${this.name}: the stream was aborted`))
  }

  /** Completed, failed or unsubscribed. */
  private end(): void {
    this.over = true
    this.options.signal?.removeEventListener('abort', this.abort)
    this.intake.unsubscribe()
    this.metrics.waiting -= this.batcher.clear()
    this.metrics.inFlight -= this.inFlight
    if (this.inFlight > 0) this.controller.abort(new PythonAbortError(undefined, `${this.name}: the stream has ended`))
    this.inFlight = 0
    this.queue.clear()
    this.gates.dispose()
    this.gate.dispose()
    this.leavePool?.()
    this.lease?.release()
    this.tell()
  }
}
