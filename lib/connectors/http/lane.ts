import { from, type OperatorFunction, Subject, type Subscription } from 'rxjs'
import { ItemCountError, PoolClosedError } from '../../errors'
import type { StageMetrics } from '../../metrics'
import { demandEach } from '../../operators/call'
import { mapPython } from '../../operators/mapPython'
import type { OperatorOptions } from '../../operators/options'
import type { CallOptions, Handler, HandlerMode, SyncCallOptions } from '../../pool/handler'
import { RequestFailure } from './problem'

/** One record of a request on its way through the stream. */
export interface Ticket {
  readonly record: unknown
  /** The request has its answer, or nobody waits for one: the record need not be computed any more. */
  readonly over: boolean
  /** Whose record it is: those of one request succeed or fail together. */
  readonly owner: object
  done(value: unknown): void
  failed(error: unknown): void
}

/** Records in, results out, many requests at a time. */
export interface Lane {
  /** Why no more records are taken, where that is so. */
  readonly ended: unknown
  push(tickets: readonly Ticket[]): void
  close(): void
}

interface Settled {
  readonly ticket: Ticket
  readonly value?: unknown
  readonly error?: { readonly value: unknown }
}

/** A handler whose items know which request they belong to. So results may come in any order. */
class TicketHandler implements Handler<Ticket, Settled> {
  constructor(private readonly handler: Handler<unknown, unknown>) {}

  get name() {
    return this.handler.name
  }

  get codec() {
    return this.handler.codec
  }

  get mode() {
    return this.handler.mode
  }

  get pool() {
    return this.handler.pool
  }

  async call(tickets: readonly Ticket[], options?: CallOptions): Promise<Settled[]> {
    // Those who waited too long, or have gone, cost Python nothing any more.
    const alive = tickets.some(({ over }) => over) ? tickets.filter(({ over }) => !over) : tickets
    const values = alive.length === 0 ? [] : await this.handler.call(alive.map(recordOf), options)
    return this.settle(tickets, alive, values)
  }

  callSync(tickets: readonly Ticket[], options?: SyncCallOptions): Settled[] {
    return this.settle(tickets, tickets, this.handler.callSync(tickets.map(recordOf), options))
  }

  sizeOf(ticket: Ticket): number {
    return this.handler.sizeOf(ticket.record)
  }

  variant<R>(mode: HandlerMode, options?: { seed?: unknown }): Handler<Ticket, R> {
    return new TicketHandler(this.handler.variant(mode, options)) as Handler<Ticket, unknown> as Handler<Ticket, R>
  }

  close(): Promise<void> {
    return this.handler.close()
  }

  private settle(tickets: readonly Ticket[], alive: readonly Ticket[], values: readonly unknown[]): Settled[] {
    demandEach(alive, values, this.handler)
    const settled: Settled[] = alive.map((ticket, at) => ({ ticket, value: values[at] }))
    for (const ticket of alive === tickets ? [] : tickets) if (!alive.includes(ticket)) settled.push({ ticket })
    return settled
  }
}

function recordOf({ record }: Ticket): unknown {
  return record
}

export interface HandlerLaneOptions extends Pick<OperatorOptions, 'batch' | 'maxLatency' | 'concurrency' | 'timeout'> {
  key: string | number | ((record: unknown) => string | number) | undefined
  isolateErrors: boolean
  metrics: StageMetrics
}

/** Through `mapPython`, all requests in one stream. */
export class HandlerLane implements Lane {
  ended: unknown
  private readonly input = new Subject<Ticket>()
  private readonly inside = new Set<Ticket>()
  private subscription: Subscription | undefined
  private readonly operator: OperatorFunction<Ticket, Settled>

  constructor(handler: Handler<unknown, unknown>, options: HandlerLaneOptions) {
    const { key } = options
    const mapped = handler.mode === 'map' ? handler : handler.variant('map')
    this.operator = mapPython<Ticket, Settled>(new TicketHandler(mapped), {
      ...options,
      key: typeof key === 'function' ? (ticket) => key(ticket.record) : key,
      ordered: false,
      onError: (error, tickets) => tickets.map((ticket) => ({ ticket, error: { value: error } })),
    })
    this.start()
  }

  push(tickets: readonly Ticket[]): void {
    if (this.subscription?.closed) this.start()
    for (const ticket of tickets) {
      if (this.ended === undefined) {
        this.inside.add(ticket)
        this.input.next(ticket)
      } else {
        ticket.failed(this.ended)
      }
    }
  }

  close(): void {
    this.ended ??= new PoolClosedError('the service is closed')
    this.subscription?.unsubscribe()
    this.failAll(this.ended)
  }

  private start(): void {
    if (this.ended !== undefined) return
    this.subscription = this.input.pipe(this.operator).subscribe({
      next: ({ ticket, value, error }) => {
        this.inside.delete(ticket)
        if (error === undefined) ticket.done(value)
        else ticket.failed(error.value)
      },
      error: (error) => {
        // Of a pool that has closed nothing more can come; after anything else the next request tries again.
        if (error instanceof PoolClosedError) this.ended = error
        this.failAll(error)
      },
      complete: () => {
        this.ended ??= new PoolClosedError()
        this.failAll(this.ended)
      },
    })
  }

  private failAll(error: unknown): void {
    const tickets = [...this.inside]
    this.inside.clear()
    for (const ticket of tickets) ticket.failed(error)
  }
}

export interface OperatorLaneOptions {
  maxItems: number
  concurrency: number
  timeout: number
  isolateErrors: boolean
  metrics: StageMetrics
}

/**
 * Through any operator that gives one result for each item, in order. Each batch is a stream of its own, so that no request
 * can get another one's result: a batch that does not come out even fails.
 */
export class OperatorLane implements Lane {
  ended: unknown
  private readonly waiting: Ticket[] = []
  /** Each of one request, whose batch has failed. */
  private readonly again: Ticket[][] = []
  private running = 0
  private readonly subscriptions = new Set<() => void>()

  constructor(
    private readonly operator: OperatorFunction<unknown, unknown>,
    private readonly options: OperatorLaneOptions,
  ) {}

  push(tickets: readonly Ticket[]): void {
    if (this.ended !== undefined) {
      for (const ticket of tickets) ticket.failed(this.ended)
      return
    }
    const { metrics } = this.options
    metrics.itemsIn += tickets.length
    metrics.waiting += tickets.length
    for (const ticket of tickets) this.waiting.push(ticket)
    this.advance()
  }

  close(): void {
    this.ended ??= new PoolClosedError('the service is closed')
    for (const stop of this.subscriptions) stop()
    for (const ticket of [...this.again.splice(0).flat(), ...this.waiting.splice(0)]) ticket.failed(this.ended)
  }

  private advance(): void {
    const { concurrency, maxItems, metrics } = this.options
    while (this.running < concurrency && this.again.length + this.waiting.length > 0) {
      const tickets = this.again.shift() ?? this.waiting.splice(0, maxItems)
      metrics.waiting -= tickets.length
      const alive = tickets.filter(({ over }) => !over)
      if (alive.length > 0) this.run(alive)
    }
  }

  private run(tickets: readonly Ticket[]): void {
    const { timeout, metrics, isolateErrors } = this.options
    const sent = performance.now()
    this.running++
    metrics.inFlight++
    const results: unknown[] = []
    let finished = false
    const finish = (failure?: { error: unknown }) => {
      if (finished) return
      finished = true
      clearTimeout(timer)
      this.subscriptions.delete(stop)
      // After what follows the operator on the stack; also, the subscription may not be there yet.
      queueMicrotask(() => subscription.unsubscribe())
      this.running--
      metrics.inFlight--
      metrics.batchDone(tickets.length, performance.now() - sent)
      if (failure === undefined) {
        metrics.itemsOut += tickets.length
        for (const [at, ticket] of tickets.entries()) ticket.done(results[at])
      } else {
        this.failed(tickets, failure.error, isolateErrors)
      }
      this.advance()
    }
    const stop = () => finish({ error: this.ended })
    this.subscriptions.add(stop)
    const late = new RequestFailure(504, 'the operator took too long')
    const timer = setTimeout(() => finish({ error: late }), timeout)
    const subscription = from(tickets.map(recordOf))
      .pipe(this.operator)
      .subscribe({
        next: (value) => results.push(value),
        error: (error) => finish({ error }),
        complete: () => {
          const [given, wanted] = [results.length, tickets.length]
          if (given === wanted) finish()
          else finish({ error: new ItemCountError(`serve: the operator gave ${given} results for ${wanted} records`) })
        },
      })
  }

  /** Where several requests were in the batch, each tries once more by itself. */
  private failed(tickets: readonly Ticket[], error: unknown, isolate: boolean): void {
    const owners = new Map<object, Ticket[]>()
    for (const ticket of tickets) {
      const own = owners.get(ticket.owner)
      if (own === undefined) owners.set(ticket.owner, [ticket])
      else own.push(ticket)
    }
    if (isolate && owners.size > 1 && this.ended === undefined && !(error instanceof RequestFailure)) {
      this.again.push(...owners.values())
      this.options.metrics.waiting += tickets.length
      return
    }
    this.options.metrics.failed += tickets.length
    for (const ticket of tickets) ticket.failed(error)
  }
}
