import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import { listen, pathOf } from '../listen'
import { Exchange } from './exchange'
import { readBody, writeAnswer } from './format'
import type { Lane, Ticket } from './lane'
import type { ServeMetrics } from './metrics'
import { PROBLEM_TYPE, problemOf, RequestFailure, statusOf } from './problem'
import type { CompleteServeOptions } from './serveOptions'

export interface CloseServiceOptions {
  /** Milliseconds in which requests are still taken while readiness is refused, for balancers to notice (default 0). */
  delay?: number
  /** Milliseconds that requests may take from then on (default 10,000); then their connections are cut. */
  timeout?: number
}

const NO_STORE = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' }

/** Requests of one server on their way through one lane. */
export class HttpService {
  readonly metrics: ServeMetrics
  /** Where the server listens. */
  port = 0
  private state: 'open' | 'leaving' | 'closing' | 'closed' = 'open'
  private server: Server | undefined
  /** In the order in which they were taken, so also in that of their time limits. */
  private readonly exchanges = new Set<Exchange>()
  private timer: NodeJS.Timeout | undefined
  private arrivals: Ticket[][] = []
  private departures: Exchange[] = []
  private scheduled = false
  private emptied: (() => void) | undefined
  private closing: Promise<void> | undefined
  private readonly settled = (exchange: Exchange) => {
    this.departures.push(exchange)
    this.schedule()
  }

  constructor(
    private readonly options: CompleteServeOptions,
    private readonly lane: Lane,
    metrics: ServeMetrics,
    private readonly release: () => Promise<void>,
  ) {
    this.metrics = metrics
  }

  get ready(): boolean {
    return this.state === 'open' && this.lane.ended === undefined
  }

  readonly listener: RequestListener = (request, response) => {
    const path = pathOf(request.url)
    if (path === this.options.path) this.take(request, response)
    else this.monitor(path, request, response)
  }

  async listen(): Promise<void> {
    const { server, port } = await listen(this.options, this.options, this.listener)
    this.server = server
    this.port = port
  }

  close(options: CloseServiceOptions = {}): Promise<void> {
    this.closing ??= this.leave(options.delay ?? 0, options.timeout ?? 10_000)
    return this.closing
  }

  private async leave(delay: number, timeout: number): Promise<void> {
    this.state = 'leaving'
    if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay))
    this.state = 'closing'
    const { server } = this
    const stopped = new Promise<void>((resolve) => {
      if (server === undefined) resolve()
      else server.close(() => resolve())
    })
    server?.closeIdleConnections()
    let limit: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      limit = setTimeout(resolve, timeout)
    })
    if (this.exchanges.size > 0) {
      const empty = new Promise<void>((resolve) => {
        this.emptied = resolve
      })
      await Promise.race([empty, late])
    }
    this.state = 'closed'
    this.lane.close()
    this.turn()
    server?.closeIdleConnections()
    await Promise.race([stopped, late])
    clearTimeout(limit)
    server?.closeAllConnections()
    await stopped
    clearTimeout(this.timer)
    await this.release()
  }

  private monitor(path: string, request: IncomingMessage, response: ServerResponse): void {
    const { health, ready, metrics } = this.options.monitor
    request.resume()
    if (path !== health && path !== ready && path !== metrics) {
      this.refuse(request, response, new RequestFailure(404, `there is nothing at ${path}`))
    } else if (request.method !== 'GET' && request.method !== 'HEAD') {
      this.refuse(request, response, new RequestFailure(405, 'this path is for GET', { allow: 'GET, HEAD' }))
    } else if (path === metrics) {
      response.writeHead(200, { ...NO_STORE, 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
      response.end(this.metrics.toString())
    } else {
      const good = path === health || this.ready
      response.writeHead(good ? 200 : 503, NO_STORE).end(good ? 'ok\n' : 'not ready\n')
    }
  }

  /** Reads a request that is for the handler. */
  private take(request: IncomingMessage, response: ServerResponse): void {
    const { options, metrics } = this
    const refusal = this.refusal(request)
    if (refusal !== undefined) {
      this.refuse(request, response, refusal)
      return
    }
    const exchange = new Exchange(request, response, this.settled)
    const chunks: Buffer[] = []
    metrics.inFlight++
    this.exchanges.add(exchange)
    request.on('data', (chunk: Buffer) => {
      if (exchange.over || exchange.failure !== undefined) return
      exchange.bytes += chunk.length
      metrics.waitingBytes += chunk.length
      if (exchange.bytes > options.maxBody) exchange.failed(tooLarge(options.maxBody))
      else chunks.push(chunk)
    })
    request.on('end', () => {
      if (exchange.over || exchange.failure !== undefined) return
      exchange.arrived = performance.now()
      this.watch()
      this.arrived(exchange, chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks))
    })
    // Without a listener a connection that breaks in the middle of a body would be an uncaught error.
    request.on('error', () => {})
    response.on('close', () => {
      if (exchange.over) return
      metrics.gone++
      this.forget(exchange)
    })
  }

  /** Why a request is not even read. */
  private refusal(request: IncomingMessage): RequestFailure | undefined {
    const { maxBody, maxWaiting, maxWaitingBytes, retryAfter } = this.options
    const { metrics } = this
    if (request.method !== 'POST') return new RequestFailure(405, 'this path is for POST', { allow: 'POST' })
    const length = Number(request.headers['content-length'] ?? 0)
    if (length > maxBody) return tooLarge(maxBody)
    const retry = { 'retry-after': String(retryAfter) }
    if (this.state === 'closing' || this.state === 'closed' || this.lane.ended !== undefined) {
      return new RequestFailure(503, 'the service is closing', retry)
    }
    if (metrics.waiting >= maxWaiting || metrics.waitingBytes + length > maxWaitingBytes) {
      return new RequestFailure(503, 'more requests wait than the service may hold', retry)
    }
    return undefined
  }

  private arrived(exchange: Exchange, body: Buffer): void {
    const { codec, body: shape, maxRecords, maxWaiting, retryAfter } = this.options
    const { metrics } = this
    let tickets: Ticket[]
    try {
      const asked = readBody(body, exchange.request.headers['content-type'], codec, shape)
      const { length } = asked.records
      if (length > maxRecords) throw new RequestFailure(413, `a list may have at most ${maxRecords} records`)
      if (metrics.waiting > 0 && metrics.waiting + length > maxWaiting) {
        const retry = { 'retry-after': String(retryAfter) }
        throw new RequestFailure(503, 'more requests wait than the service may hold', retry)
      }
      tickets = exchange.begin(asked)
    } catch (error) {
      exchange.failed(error)
      return
    }
    metrics.records += tickets.length
    metrics.waiting += tickets.length
    if (tickets.length === 0) this.settled(exchange)
    else this.arrivals.push(tickets)
    this.schedule()
  }

  /**
   * What has come in one turn of the event loop goes on together: first the records, so that Python has them while the
   * answers are written.
   */
  private schedule(): void {
    if (this.scheduled) return
    this.scheduled = true
    setImmediate(this.turn)
  }

  private readonly turn = (): void => {
    this.scheduled = false
    const { arrivals } = this
    if (arrivals.length > 0) {
      this.arrivals = []
      this.lane.push(arrivals.length === 1 ? arrivals[0]! : arrivals.flat())
      if (this.departures.length > 0 && this.state !== 'closed') {
        this.schedule()
        return
      }
    }
    const { departures } = this
    this.departures = []
    for (const exchange of departures) if (!exchange.over) this.answer(exchange)
  }

  private answer(exchange: Exchange): void {
    const { asked, response, request } = exchange
    let { failure } = exchange
    if (failure === undefined) {
      try {
        const { type, body } = writeAnswer(exchange.results, asked!)
        const length = typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength
        this.send(request, response, 200, { 'content-type': type, 'content-length': length }, body, exchange.began)
      } catch (error) {
        failure = { error }
      }
    }
    if (failure !== undefined) this.sendFailure(exchange, failure)
    this.forget(exchange)
  }

  private sendFailure(exchange: Exchange, { error, index }: NonNullable<Exchange['failure']>): void {
    const { options } = this
    const records = exchange.asked?.records ?? []
    let status = statusOf(error)
    if (!(error instanceof RequestFailure)) {
      try {
        status = options.status?.(error, records) ?? status
        options.failures?.({ error, status, records })
      } catch (thrown) {
        // What the user's own function throws is the program's error, not the client's.
        queueMicrotask(() => {
          throw thrown
        })
      }
    }
    const problem = problemOf(error, status, options.expose)
    if (index !== undefined && options.isolateErrors && !options.isOperator && status !== 503 && status !== 504) {
      problem.index = index
    }
    const headers: Record<string, string> = error instanceof RequestFailure ? { ...error.headers } : {}
    if (status === 503) headers['retry-after'] ??= String(options.retryAfter)
    this.sendProblem(exchange.request, exchange.response, problem, headers, exchange.began)
  }

  private refuse(request: IncomingMessage, response: ServerResponse, failure: RequestFailure): void {
    this.sendProblem(request, response, problemOf(failure, failure.status, false), failure.headers, performance.now())
  }

  private sendProblem(
    request: IncomingMessage,
    response: ServerResponse,
    problem: ReturnType<typeof problemOf>,
    headers: Readonly<Record<string, string>>,
    began: number,
  ): void {
    const body = JSON.stringify(problem)
    const all = { ...headers, 'content-type': PROBLEM_TYPE, 'content-length': Buffer.byteLength(body) }
    this.send(request, response, problem.status, all, body, began)
  }

  private send(
    request: IncomingMessage,
    response: ServerResponse,
    status: number,
    headers: Record<string, string | number>,
    body: string | Uint8Array,
    began: number,
  ): void {
    this.metrics.answered(status, (performance.now() - began) / 1000)
    if (response.headersSent || response.destroyed) return
    // The rest of a body that is not read to its end would be taken for the next request.
    if (this.state === 'closing' || this.state === 'closed' || !request.complete) headers.connection = 'close'
    response.writeHead(status, headers)
    response.end(body)
    if (!request.complete) request.resume()
  }

  private forget(exchange: Exchange): void {
    const { metrics } = this
    exchange.over = true
    if (!this.exchanges.delete(exchange)) return
    metrics.inFlight--
    metrics.waitingBytes -= exchange.bytes
    metrics.waiting -= exchange.asked?.records.length ?? 0
    if (this.exchanges.size === 0) this.emptied?.()
  }

  /** One timer for all: they have the same limit, so the oldest is the next to reach it. */
  private watch(): void {
    if (this.timer !== undefined) return
    const { answerTimeout } = this.options
    const look = () => {
      this.timer = undefined
      const now = performance.now()
      for (const exchange of this.exchanges) {
        if (exchange.arrived === 0) continue
        const left = exchange.arrived + answerTimeout - now
        if (left > 0) {
          this.timer = setTimeout(look, left).unref()
          return
        } else {
          exchange.failed(new RequestFailure(504, 'the handler took too long'))
        }
      }
    }
    this.timer = setTimeout(look, answerTimeout).unref()
  }
}

function tooLarge(maxBody: number): RequestFailure {
  return new RequestFailure(413, `the body may have at most ${maxBody} bytes`)
}
