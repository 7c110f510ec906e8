import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { Sink } from '../../jobs/sinks'
import { StreamChecker } from '../../streams/check'
import { type CodecOption, checkCodec, type RecordCodec } from '../codec'
import { checkDeadLetters, type DeadLetterOption, DeadLetters } from '../deadLetters'
import { checkListen, checkPath, LISTEN, type ListenOptions, listen, pathOf, urlOf } from '../listen'

export interface EventSinkOptions<T> extends ListenOptions {
  /** Where the events are (default `/`). */
  path?: string
  /** False: opens no port; `listener` is then for a server of yours. */
  listen?: boolean
  /** How a value becomes the text of its event (default `'json'`). */
  codec?: CodecOption<T>
  /** Gives the type of a value's event; default: none. */
  event?: (value: T) => string | undefined
  /** The most events that are kept for clients that come back (default 10,000). */
  history?: number
  /** How many of them are in each checkpoint, and so survive the process (default 1000). */
  saved?: number
  /** The most bytes that wait for one client (default 4 MiB). One that is slower is disconnected, and comes back. */
  maxWaiting?: number
  /** Milliseconds from one comment to the next, which keeps connections open (default 15,000). */
  heartbeat?: number
  /** Milliseconds that a client is told to wait before it comes back (default 1000). */
  retry?: number
  /** Headers of each answer, such as `access-control-allow-origin`. */
  headers?: Readonly<Record<string, string>>
  /** Whether a request may read; default: everybody may. A false one is answered with 403. */
  allow?: (request: IncomingMessage) => boolean
  deadLetters?: DeadLetterOption<T>
}

/** A sink that browsers read. */
export interface EventSink<T> extends Sink<T> {
  /** Where the events are; known once the sink is open. */
  readonly url: string
  /** What answers a request, for a server of your own. */
  readonly listener: RequestListener
  /** How many clients are connected. */
  readonly clients: number
}

const KNOWN = [
  ...LISTEN,
  'path',
  'listen',
  'codec',
  'event',
  'history',
  'saved',
  'maxWaiting',
  'heartbeat',
  'retry',
  'headers',
  'allow',
  'deadLetters',
]

/**
 * Serves a stream as Server-Sent Events. Each event has a number as its id, and a client that comes back with Last-Event-ID gets what
 * it has missed, as far as `history` goes; where it does not, it gets an event of the type `gap` first.
 *
 * Delivery: clients see an event when its checkpoint is safe, and each number is one event, also after a crash: of the epoch that was cut
 * off nobody has seen anything, and the last epoch is in the checkpoint, with the last `saved` events before it.
 */
export function eventSink<T = unknown>(options: EventSinkOptions<T> = {}): EventSink<T> {
  const check = new StreamChecker('eventSink', options, KNOWN)
  const where = checkListen(check, options)
  const { headers } = options
  if (headers !== undefined) check.object('headers', headers, Object.keys(headers))
  check.fn('event', options.event)
  check.fn('allow', options.allow)
  checkDeadLetters(check, options.deadLetters)
  const complete = {
    where,
    path: checkPath(check, 'path', options.path) ?? '/',
    listen: check.flag('listen', options.listen) ?? true,
    codec: checkCodec<T>(check, options.codec),
    event: options.event,
    allow: options.allow,
    headers: headers ?? {},
    history: check.whole('history', options.history, 0, 2 ** 24) ?? 10_000,
    saved: check.whole('saved', options.saved, 0, 2 ** 24) ?? 1000,
    maxWaiting: check.whole('maxWaiting', options.maxWaiting, 1, 2 ** 31) ?? 4 << 20,
    heartbeat: check.time('heartbeat', options.heartbeat, false) ?? 15_000,
    retry: check.whole('retry', options.retry, 0, 2 ** 31) ?? 1000,
    deadLetters: new DeadLetters<T>('sse sink', options.deadLetters),
  }
  check.done()
  return new ServedEvents<T>(complete)
}

interface Complete<T> {
  readonly where: ReturnType<typeof checkListen>
  readonly path: string
  readonly listen: boolean
  readonly codec: RecordCodec<T>
  readonly event: ((value: T) => string | undefined) | undefined
  readonly allow: ((request: IncomingMessage) => boolean) | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly history: number
  readonly saved: number
  readonly maxWaiting: number
  readonly heartbeat: number
  readonly retry: number
  readonly deadLetters: DeadLetters<T>
}

/** What a checkpoint has: the epoch's events, which may not have been shown, some before them, and the first one's number. */
interface Saved {
  first: number
  events: string[]
}

class ServedEvents<T> implements EventSink<T> {
  url = ''
  private server: Server | undefined
  private readonly readers = new Set<ServerResponse>()
  private timer: NodeJS.Timeout | undefined
  /** Events that were shown; `shown` is the number of the one that comes next. */
  private history: string[] = []
  private shown = 1
  private writing: string[] = []
  private prepared = new Map<number, string[]>()

  constructor(private readonly options: Complete<T>) {}

  get clients(): number {
    return this.readers.size
  }

  async open(saved: unknown): Promise<void> {
    await this.close()
    this.writing = []
    this.prepared = new Map()
    // Without a checkpoint the numbers go on, too: a client takes each of them for one event.
    if (saved !== undefined && saved !== null) {
      const { first, events } = saved as Saved
      if (this.shown !== first + events.length) this.history = [...events]
      this.shown = first + events.length
    }
    this.timer = setInterval(() => this.beat(), this.options.heartbeat)
    this.timer.unref()
    if (!this.options.listen) return
    const { where, path } = this.options
    const { server, port } = await listen(where, { receiveTimeout: 10_000, keepAliveTimeout: 5000 }, this.listener)
    this.server = server
    this.url = urlOf(where, port, path)
  }

  write(value: T): void {
    const { codec, event, deadLetters } = this.options
    let text: string
    try {
      const data = codec.encode(value)
      const lines = (typeof data === 'string' ? data : Buffer.from(data).toString('utf8')).split(/\r\n|\r|\n/)
      const type = event?.(value)
      text = `${type === undefined ? '' : `event: ${type.replace(/[\r\n]/g, ' ')}\n`}data: ${lines.join('\ndata: ')}\n\n`
    } catch (error) {
      deadLetters.add(error, value)
      return
    }
    this.writing.push(text)
  }

  async prepare(epoch: number): Promise<Saved> {
    const events = this.writing
    this.writing = []
    const earlier = [...this.prepared.values()].flat()
    this.prepared.set(epoch, events)
    const { saved } = this.options
    const before = saved === 0 ? [] : [...this.history, ...earlier].slice(-saved)
    return { first: this.shown + earlier.length - before.length, events: [...before, ...events] }
  }

  async commit(epoch: number): Promise<void> {
    const events = this.prepared.get(epoch) ?? []
    this.prepared.delete(epoch)
    if (events.length === 0) return
    const text = events.map((event, at) => `id: ${this.shown + at}\n${event}`).join('')
    this.shown += events.length
    for (const event of events) this.history.push(event)
    const { history, maxWaiting } = this.options
    if (this.history.length > history) this.history = this.history.slice(-history || this.history.length)
    for (const reader of this.readers) {
      if (reader.writableLength > maxWaiting) reader.destroy()
      else reader.write(text)
    }
  }

  async close(): Promise<void> {
    clearInterval(this.timer)
    for (const reader of this.readers) reader.end()
    this.readers.clear()
    const { server } = this
    this.server = undefined
    if (server === undefined) return
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    const limit = setTimeout(() => server.closeAllConnections(), 500)
    server.closeIdleConnections()
    await closed
    clearTimeout(limit)
  }

  readonly listener: RequestListener = (request, response) => {
    const { path, allow, headers, retry } = this.options
    request.resume()
    const status =
      pathOf(request.url) !== path ? 404 : request.method !== 'GET' ? 405 : allow?.(request) === false ? 403 : 200
    if (status !== 200) {
      response.writeHead(status, { ...headers, ...(status === 405 && { allow: 'GET' }) }).end()
      return
    }
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      ...headers,
    })
    response.write(`retry: ${retry}\n\n${this.missed(request.headers['last-event-id'])}`)
    this.readers.add(response)
    response.on('close', () => this.readers.delete(response))
  }

  /** What a client that comes back has not seen. A new one begins with what comes next. */
  private missed(header: string | string[] | undefined): string {
    const last = Number(header ?? '')
    if (header === undefined || header === '' || !Number.isInteger(last)) return ''
    const oldest = this.shown - this.history.length
    const from = Math.max(last + 1, oldest)
    const gap = from > last + 1 ? `event: gap\ndata: {"from":${last + 1},"to":${from - 1}}\n\n` : ''
    return (
      gap +
      this.history
        .slice(from - oldest)
        .map((event, at) => `id: ${from + at}\n${event}`)
        .join('')
    )
  }

  private beat(): void {
    for (const reader of this.readers) reader.write(':\n\n')
  }
}
