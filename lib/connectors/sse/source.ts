import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import type { EventSourceMessage } from 'eventsource-parser'
import { ClientMissingError, ConnectionError } from '../../errors'
import { oneByOne, type Source } from '../../jobs/sources'
import { StreamChecker } from '../../streams/check'
import { loadClient } from '../client'
import { anySignal, COMMON, type CommonOptions, type ConnectorOptions, checkCommon } from '../options'
import { Backoff, pause } from '../retry'
import { redactUrl } from '../secrets'

/** Where the source is: the id of the last event. */
export interface EventPosition {
  id: string
}

export interface EventSourceOptions<T> extends ConnectorOptions<T, string> {
  /** Headers of the request, such as `authorization`. Never logged. */
  headers?: Readonly<Record<string, string>>
  /** Whatever else `node:https` takes: TLS (`ca`, `cert`, `key`), `agent`, `method`. */
  request?: RequestOptions
  /** Only events of these types; one without a type has the type `message`. Default: all. */
  events?: readonly string[]
  /** Milliseconds without a byte after which the connection counts as lost (default 60,000; servers send comments). */
  idle?: number
  /** The most bytes of one event (default 16 MiB). */
  maxEvent?: number
}

const PARSER = '^3.1.0'

/**
 * Server-Sent Events: the data of each, decoded to an item. A lost connection is opened again with the header Last-Event-ID, so a server
 * that keeps events goes on behind the last one; also after a start from a checkpoint. The stream ends when the server says 204.
 *
 * Delivery: as the server does it. Each event once where events have ids and the server keeps them; else at most once.
 */
export function eventSource<T = unknown>(
  url: string,
  options: EventSourceOptions<T> = {},
): Source<T, EventPosition | null> {
  const known = [...COMMON, 'headers', 'request', 'events', 'idle', 'maxEvent']
  const check = new StreamChecker('eventSource', options, known)
  let parsed: URL | undefined
  try {
    parsed = new URL(url)
  } catch {
    // Said below.
  }
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
    check.problem("'url' must be a URL that begins with http:// or https://")
  }
  const { headers, request, events } = options
  if (headers !== undefined) check.object('headers', headers, Object.keys(headers))
  if (request !== undefined) check.object('request', request, Object.keys(request))
  if (events !== undefined && !(Array.isArray(events) && events.every((one) => typeof one === 'string'))) {
    check.problem("'events' must be a list of texts", events)
  }
  const from = `sse: ${redactUrl(String(url))}`
  const common = checkCommon<T, string>(check, from, options, { batch: 1, maxBatch: 1 })
  const idle = check.time('idle', options.idle, false) ?? 60_000
  const maxEvent = check.whole('maxEvent', options.maxEvent, 1, 2 ** 30) ?? 16 << 20
  check.done()
  return new EventStream<T>(from, parsed!, common, options, idle, maxEvent)
}

/** The server answered, and not with events. */
class RefusedError extends ConnectionError {
  constructor(
    what: string,
    readonly status: number,
    type: string | undefined,
  ) {
    super(
      status === 200 ? `${what}: the answer is ${type ?? 'of no type'}, not text/event-stream` : `${what}: ${status}`,
    )
  }

  get worthwhile(): boolean {
    return this.status >= 500 || this.status === 408 || this.status === 425 || this.status === 429
  }
}

type Read<T> = readonly [value: T, place: EventPosition | null]

class EventStream<T> implements Source<T, EventPosition | null> {
  private over = new AbortController()
  private readonly wanted: ReadonlySet<string> | undefined
  /** What the server asks for between two attempts. */
  private retryAfter = 0

  constructor(
    private readonly from: string,
    private readonly url: URL,
    private readonly common: CommonOptions<T, string>,
    private readonly options: EventSourceOptions<T>,
    private readonly idle: number,
    private readonly maxEvent: number,
  ) {
    this.wanted = options.events === undefined ? undefined : new Set(options.events)
  }

  read(position: EventPosition | null | undefined, signal?: AbortSignal) {
    return oneByOne(this.readMany(position, signal))
  }

  async *readMany(
    position: EventPosition | null | undefined,
    signal?: AbortSignal,
  ): AsyncGenerator<readonly Read<T>[]> {
    const { retry, secrets } = this.common
    const over = anySignal(signal, this.common.signal, this.over.signal)
    const backoff = new Backoff(this.from, retry, secrets)
    let last = position ?? null
    while (!over.aborted) {
      let refused: { error: unknown } | undefined
      try {
        const answer = await this.connect(last, over)
        if (answer === undefined) return
        for await (const events of this.eventsOf(answer)) {
          if (events.length > 0) backoff.succeeded()
          const { found, place, failure } = this.decoded(events, last)
          last = place
          if (found.length > 0) yield found
          refused = failure
          if (refused !== undefined) throw refused.error
        }
        if (over.aborted) return
        // The server has closed the connection, as it may at any time.
        if (this.retryAfter > 0) await pause(this.retryAfter, over)
        else await backoff.failed(new Error('the server has closed the connection'), over)
      } catch (error) {
        if (over.aborted) return
        if (refused !== undefined || error instanceof ClientMissingError) throw error
        if (error instanceof RefusedError && !error.worthwhile) throw error
        await backoff.failed(error, over)
      }
    }
  }

  /** The values of events, up to one that is an error of the stream, and the place behind them. */
  private decoded(events: readonly EventSourceMessage[], before: EventPosition | null) {
    const { codec, deadLetters } = this.common
    const { wanted } = this
    const found: Read<T>[] = []
    let place = before
    for (const { id, event, data } of events) {
      if (id !== undefined) place = id === '' ? null : { id }
      if (wanted !== undefined && !wanted.has(event ?? 'message')) continue
      let value: T
      try {
        value = codec.decode(Buffer.from(data))
      } catch (error) {
        try {
          deadLetters.add(error, data, place as never)
        } catch (error) {
          return { found, place, failure: { error } }
        }
        continue
      }
      found.push([value, place])
    }
    return { found, place, failure: undefined }
  }

  close(): void {
    this.over.abort()
    this.over = new AbortController()
  }

  /** Undefined where there are no more events, now or later. */
  private async connect(last: EventPosition | null, over: AbortSignal): Promise<IncomingMessage | undefined> {
    const { headers, request } = this.options
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const ask = this.url.protocol === 'https:' ? httpsRequest : httpRequest
      const outgoing = ask(this.url, {
        ...request,
        headers: {
          accept: 'text/event-stream',
          'cache-control': 'no-cache',
          ...request?.headers,
          ...headers,
          ...(last !== null && { 'last-event-id': last.id }),
        } as Record<string, string>,
        signal: over,
      })
      const timer = this.limit(outgoing)
      outgoing.once('response', (response) => {
        clearTimeout(timer)
        resolve(response)
      })
      outgoing.on('error', (error) => {
        clearTimeout(timer)
        reject(error)
      })
      outgoing.end()
    })
    const { statusCode = 0 } = answer
    const type = answer.headers['content-type']
    if (statusCode === 200 && type?.toLowerCase().startsWith('text/event-stream')) return answer
    answer.resume()
    answer.destroy()
    if (statusCode === 204) return undefined
    throw new RefusedError(this.from, statusCode, type)
  }

  /** Reads only as far as somebody asks for more. */
  private async *eventsOf(answer: IncomingMessage): AsyncGenerator<readonly EventSourceMessage[]> {
    const { createParser } = await loadClient<typeof import('eventsource-parser')>('eventsource-parser', PARSER)
    let events: EventSourceMessage[] = []
    let tooLong: Error | undefined
    const parser = createParser({
      maxBufferSize: this.maxEvent,
      onEvent: (event) => events.push(event),
      onRetry: (milliseconds) => {
        this.retryAfter = milliseconds
      },
      onError: (error) => {
        if (error.type === 'max-buffer-size-exceeded') tooLong = error
      },
    })
    answer.setEncoding('utf8')
    const chunks = (answer as AsyncIterable<string>)[Symbol.asyncIterator]()
    try {
      for (;;) {
        // Time counts only while somebody waits: a stream that is held back may take as long as it likes.
        const timer = this.limit(answer)
        const { done, value } = await chunks.next().finally(() => clearTimeout(timer))
        if (done) return
        parser.feed(value)
        if (tooLong !== undefined) throw tooLong
        const taken = events
        events = []
        yield taken
      }
    } finally {
      answer.destroy()
    }
  }

  private limit(stream: { destroy(error: Error): unknown }): NodeJS.Timeout {
    const why = new Error(`there was no byte for ${this.idle} ms`)
    return setTimeout(() => stream.destroy(why), this.idle).unref()
  }
}
