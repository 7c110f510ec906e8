import { Observable, type OperatorFunction, Subscriber as RxSubscriber, type Subscriber } from 'rxjs'
import { registerHolder } from '../checkpoint/scope'
import { type Clock, systemClock } from '../clock'
import { AsyncTimeoutError, OverflowError } from '../errors'
import { enterScope, Gate, GateSet, gateInScope, leaveScope, type Scope, subscribeWithin } from '../sources/gate'
import { StreamChecker } from './check'

/** What a call is told about itself. */
export interface AsyncCall {
  /** Aborts when the call's time is up or the stream is over: pass it on to `fetch` and the like. */
  signal: AbortSignal
  /** 1 for the first call, 2 for the first retry, and so on. */
  attempt: number
}

export interface RetryOptions {
  /** How often a call that failed is made again. */
  count: number
  /** Milliseconds before the first retry (default 100). */
  delay?: number
  /** By how much the delay grows from retry to retry (default 2). */
  factor?: number
  /** The longest delay (default 30,000). */
  maxDelay?: number
  /** Which errors are worth a retry; default: all. */
  when?: (error: unknown) => boolean
}

export interface MapAsyncOptions<T, R> {
  /** The most calls at a time (default 16). A pull source waits while so many are under way. */
  concurrency?: number
  /** Whether results come in the order of their items (default) or as they are ready. */
  ordered?: boolean
  /** How often a call that failed is made again (default 0), and when. */
  retry?: number | RetryOptions
  /** The most time for each attempt, in milliseconds; then it counts as failed with an `AsyncTimeoutError`. */
  timeout?: number
  /** Gives the result of an item whose last attempt failed; default: the stream errors. */
  fallback?: (error: unknown, value: T) => R
  /** The most items that wait for a call (default 2^20), from a source that cannot be stopped. */
  bufferSize?: number
  clock?: Clock
}

interface Settings<T, R> {
  concurrency: number
  ordered: boolean
  retry: Required<RetryOptions>
  timeout: number | undefined
  fallback: ((error: unknown, value: T) => R) | undefined
  bufferSize: number
  clock: Clock
}

const KNOWN = ['concurrency', 'ordered', 'retry', 'timeout', 'fallback', 'bufferSize', 'clock']

/**
 * Calls an external service for each value: `mapAsync((user, { signal }) => lookUp(user, { signal }), { concurrency: 8 })`.
 * For event streams: `throughItems(mapAsync(…))`.
 */
export function mapAsync<T, R>(
  call: (value: T, about: AsyncCall) => R | PromiseLike<R>,
  options?: MapAsyncOptions<T, R>,
): OperatorFunction<T, R> {
  const check = new StreamChecker('mapAsync', options, KNOWN)
  check.fn('call', call, true)
  check.fn('fallback', options?.fallback)
  const settings: Settings<T, R> = {
    concurrency: check.whole('concurrency', options?.concurrency, 1, 65536) ?? 16,
    ordered: check.flag('ordered', options?.ordered) ?? true,
    retry: checkRetry(check, options?.retry),
    timeout: check.time('timeout', options?.timeout, false),
    fallback: options?.fallback,
    bufferSize: check.whole('bufferSize', options?.bufferSize, 1, 2 ** 30) ?? 1 << 20,
    clock: check.clock(options?.clock) ?? systemClock,
  }
  check.done()
  return (source) =>
    new Observable((out) => {
      const stage = new AsyncStage(call, settings, out)
      subscribeWithin(stage.gate, () => source.subscribe(stage))
    })
}

function checkRetry(check: StreamChecker, retry: number | RetryOptions | undefined): Required<RetryOptions> {
  const given = typeof retry === 'number' || retry === undefined ? { count: retry ?? 0 } : retry
  const complete = { count: 0, delay: 100, factor: 2, maxDelay: 30_000, when: () => true }
  if (!check.object('retry', given, Object.keys(complete))) return complete
  if (typeof given.factor !== 'undefined' && !(typeof given.factor === 'number' && given.factor >= 1)) {
    check.problem("'retry.factor' must be a number from 1", given.factor)
  }
  check.fn('retry.when', given.when)
  return {
    count: check.whole('retry.count', given.count, 0, 1_000_000) ?? complete.count,
    delay: check.time('retry.delay', given.delay, true) ?? complete.delay,
    factor: given.factor ?? complete.factor,
    maxDelay: check.time('retry.maxDelay', given.maxDelay, true) ?? complete.maxDelay,
    when: given.when ?? complete.when,
  }
}

/** One item on its way. */
interface Entry<T, R> {
  value: T
  attempt: number
  result: { value: R } | undefined
  controller: AbortController | undefined
  timer: unknown
}

class AsyncStage<T, R> extends RxSubscriber<T> {
  private readonly gates = new GateSet(() => this.advance())
  readonly gate = new Gate(this.gates)
  private readonly scope: Scope = { gate: gateInScope(), emitter: this.gates }
  private readonly waiting: T[] = []
  /** Calls under way, and with `ordered` those that are done and wait for an earlier one. */
  private readonly entries = new Set<Entry<T, R>>()
  private inFlight = 0
  private ended = false
  private releasing = false

  constructor(
    private readonly call: (value: T, about: AsyncCall) => R | PromiseLike<R>,
    private readonly settings: Settings<T, R>,
    private readonly out: Subscriber<R>,
  ) {
    super(out)
    this.gates.ownedBy(this.gate)
    this.add(() => this.dispose())
    registerHolder(this)
  }

  get idle(): boolean {
    return this.waiting.length === 0 && this.entries.size === 0
  }

  protected override _next(value: T): void {
    const { waiting, settings } = this
    if (waiting.length >= settings.bufferSize) {
      this.out.error(new OverflowError(`mapAsync: more than ${settings.bufferSize} items wait for a call`))
      return
    }
    waiting.push(value)
    this.advance()
  }

  protected override _complete(): void {
    this.ended = true
    this.advance()
  }

  /** Whatever has changed: results out, calls made, gate and end as they should be. */
  private advance(): void {
    this.release()
    const { waiting, settings } = this
    // Results that wait for an earlier one hold room as well.
    const room = settings.ordered ? 4 * settings.concurrency : Number.POSITIVE_INFINITY
    let taken = 0
    while (
      taken < waiting.length &&
      this.inFlight < settings.concurrency &&
      this.entries.size < room &&
      this.gates.closed === 0 &&
      !this.closed
    ) {
      this.begin(waiting[taken++]!)
    }
    if (taken > 0) waiting.splice(0, taken)
    if (this.closed) return
    if (waiting.length > 0 || this.inFlight >= settings.concurrency) this.gate.close()
    else this.gate.open()
    if (this.ended && waiting.length === 0 && this.entries.size === 0) this.within(() => super._complete())
  }

  private begin(value: T): void {
    const entry: Entry<T, R> = { value, attempt: 0, result: undefined, controller: undefined, timer: undefined }
    this.entries.add(entry)
    this.inFlight++
    this.attempt(entry)
  }

  private attempt(entry: Entry<T, R>): void {
    const { timeout, clock } = this.settings
    const controller = new AbortController()
    entry.controller = controller
    entry.attempt++
    if (timeout !== undefined) {
      entry.timer = clock.setTimeout(() => {
        const error = new AsyncTimeoutError(timeout)
        this.failed(entry, controller, error)
        controller.abort(error)
      }, timeout)
    }
    let answer: Promise<R>
    try {
      answer = Promise.resolve(this.call(entry.value, { signal: controller.signal, attempt: entry.attempt }))
    } catch (error) {
      answer = Promise.reject(error)
    }
    answer.then(
      (value) => {
        if (entry.controller !== controller) return
        this.stopTimer(entry)
        this.settle(entry, value)
      },
      (error) => this.failed(entry, controller, error),
    )
  }

  private failed(entry: Entry<T, R>, controller: AbortController, error: unknown): void {
    // An answer that comes after its time was up.
    if (entry.controller !== controller || this.closed) return
    this.stopTimer(entry)
    entry.controller = undefined
    const { retry, fallback, clock } = this.settings
    try {
      if (entry.attempt <= retry.count && retry.when(error)) {
        const delay = Math.min(retry.delay * retry.factor ** (entry.attempt - 1), retry.maxDelay)
        entry.timer = clock.setTimeout(() => this.attempt(entry), delay)
        return
      }
      if (fallback === undefined) this.out.error(error)
      else this.settle(entry, fallback(error, entry.value))
    } catch (thrown) {
      this.out.error(thrown)
    }
  }

  private settle(entry: Entry<T, R>, value: R): void {
    entry.controller = undefined
    entry.result = { value }
    this.inFlight--
    this.advance()
  }

  private release(): void {
    if (this.releasing) return
    this.releasing = true
    this.within(() => {
      for (const entry of this.entries) {
        if (this.closed || this.gates.closed > 0) break
        if (entry.result === undefined) {
          if (this.settings.ordered) break
          continue
        }
        this.entries.delete(entry)
        this.out.next(entry.result.value)
      }
    })
    this.releasing = false
  }

  private within(emit: () => void): void {
    const outer = enterScope(this.scope)
    try {
      emit()
    } finally {
      leaveScope(outer)
    }
  }

  private stopTimer(entry: Entry<T, R>): void {
    if (entry.timer !== undefined) this.settings.clock.clearTimeout(entry.timer)
    entry.timer = undefined
  }

  private dispose(): void {
    for (const entry of this.entries) {
      this.stopTimer(entry)
      const { controller } = entry
      entry.controller = undefined
      controller?.abort()
    }
    this.entries.clear()
    this.waiting.length = 0
    this.gates.dispose()
    this.gate.dispose()
  }
}
