import type { WebSocket as Socket } from 'ws'
import type { Sink } from '../../jobs/sinks'
import { StreamChecker } from '../../streams/check'
import { anySignal, COMMON, type CommonOptions, type ConnectorOptions, checkCommon } from '../options'
import { Backoff } from '../retry'
import { redactUrl } from '../secrets'
import {
  type CompleteWebSocketOptions,
  checkWebSocket,
  openSocket,
  WEB_SOCKET,
  type WebSocketOptions,
  worthwhile,
} from './link'
import type { Message } from './source'

export interface WebSocketSinkOptions<T> extends ConnectorOptions<T, T>, WebSocketOptions {
  /** What to send first on each connection. */
  hello?: () => Message | readonly Message[]
  /** The most bytes that were sent and are not known to have arrived (default 8 MiB); with more, sources wait. */
  maxUnconfirmed?: number
}

/**
 * Sends each value as a message. A checkpoint is safe when the server has answered a ping behind its messages, so they have arrived
 * there; what had not when the connection broke is sent again on the next one.
 *
 * Delivery: at least once, to the server's end of the connection. What it does with a message it alone knows.
 */
export function webSocketSink<T = unknown>(url: string, options: WebSocketSinkOptions<T> = {}): Sink<T> {
  const check = new StreamChecker('webSocketSink', options, [...COMMON, ...WEB_SOCKET, 'hello', 'maxUnconfirmed'])
  const socket = checkWebSocket(check, url, options)
  const from = `websocket: ${redactUrl(socket.url)}`
  const common = checkCommon<T, T>(check, from, options, { batch: 1024, maxBatch: 1 << 20 })
  check.fn('hello', options.hello)
  const most = check.whole('maxUnconfirmed', options.maxUnconfirmed, 1, 2 ** 32) ?? 8 << 20
  check.done()
  return new WebSocketSink<T>(from, socket, common, options, most)
}

interface Waiting {
  /** Resolved when so many messages have arrived. */
  readonly upTo: number
  resolve(): void
  reject(error: unknown): void
}

class WebSocketSink<T> implements Sink<T> {
  /** Messages that are not known to have arrived. */
  private kept: Message[] = []
  private bytes = 0
  /** Of `kept`: sent on this connection. */
  private sent = 0
  /** Messages that have arrived, and so are no longer in `kept`. */
  private confirmed = 0
  private pinged = 0
  private waiting: Waiting[] = []
  private socket: Socket | undefined
  private connecting = false
  private failure: { error: unknown } | undefined
  private stop = new AbortController()
  private over: AbortSignal = this.stop.signal
  private backoff!: Backoff

  constructor(
    private readonly from: string,
    private readonly options: CompleteWebSocketOptions,
    private readonly common: CommonOptions<T, T>,
    private readonly given: WebSocketSinkOptions<T>,
    private readonly most: number,
  ) {}

  open(_saved: unknown, signal?: AbortSignal): void {
    this.close()
    this.kept = []
    this.bytes = this.sent = this.confirmed = this.pinged = 0
    this.failure = undefined
    this.stop = new AbortController()
    this.over = anySignal(this.stop.signal, signal, this.common.signal)
    this.backoff = new Backoff(this.from, this.common.retry, this.common.secrets)
    this.over.addEventListener('abort', () => this.fail(this.over.reason), { once: true })
    void this.connect()
  }

  write(value: T): void | Promise<void> {
    if (this.failure !== undefined) throw this.failure.error
    let message: Message
    try {
      message = this.common.codec.encode(value)
    } catch (error) {
      this.common.deadLetters.add(error, value)
      return undefined
    }
    this.kept.push(message)
    this.bytes += message.length
    this.flush()
    return this.bytes > this.most ? this.arrival() : undefined
  }

  async prepare(): Promise<null> {
    await this.arrival()
    return null
  }

  async commit(): Promise<void> {}

  close(): void {
    this.stop.abort(new Error(`${this.from}: the sink is closed`))
    this.socket?.close()
    this.socket = undefined
  }

  /** Resolves when everything that was written until now has arrived. */
  private arrival(): Promise<void> {
    const upTo = this.confirmed + this.kept.length
    if (upTo === this.confirmed) return Promise.resolve()
    if (this.failure !== undefined) return Promise.reject(this.failure.error)
    return new Promise((resolve, reject) => {
      this.waiting.push({ upTo, resolve, reject })
      this.flush()
    })
  }

  private flush(): void {
    const { socket } = this
    if (socket === undefined) return
    while (this.sent < this.kept.length) socket.send(this.kept[this.sent++]!)
    const asked = this.waiting.at(-1)?.upTo ?? 0
    if (asked <= this.pinged) return
    this.pinged = this.confirmed + this.sent
    // The pong comes behind everything that was sent before: the server's end reads in order.
    socket.ping(String(this.pinged))
  }

  private arrived(count: number): void {
    const news = count - this.confirmed
    if (!(news > 0 && news <= this.sent)) return
    this.backoff.succeeded()
    for (const message of this.kept.slice(0, news)) this.bytes -= message.length
    this.kept = this.kept.slice(news)
    this.sent -= news
    this.confirmed = count
    const done = this.waiting.filter(({ upTo }) => upTo <= count)
    this.waiting = this.waiting.filter(({ upTo }) => upTo > count)
    for (const one of done) one.resolve()
    this.flush()
  }

  private async connect(): Promise<void> {
    if (this.connecting) return
    this.connecting = true
    const { over } = this
    try {
      while (!over.aborted) {
        try {
          const socket = await openSocket(this.options, over, (one) => this.attach(one))
          this.use(socket)
          return
        } catch (error) {
          if (over.aborted) return
          if (!worthwhile(error)) throw error
          await this.backoff.failed(error, over)
        }
      }
    } catch (error) {
      this.fail(error)
    } finally {
      this.connecting = false
    }
  }

  private use(socket: Socket): void {
    this.socket = socket
    this.sent = 0
    this.pinged = this.confirmed
    const hello = this.given.hello?.()
    const first = hello === undefined || typeof hello === 'string' || hello instanceof Uint8Array ? [hello] : hello
    for (const message of first) if (message !== undefined) socket.send(message)
    this.flush()
  }

  private attach(socket: Socket): void {
    socket.on('pong', (data) => {
      if (data.length > 0 && this.socket === socket) this.arrived(Number(data.toString()))
    })
    socket.once('close', () => {
      if (this.socket !== socket) return
      this.socket = undefined
      void this.again()
    })
  }

  private async again(): Promise<void> {
    try {
      await this.backoff.failed(new Error('the connection was lost'), this.over)
    } catch (error) {
      this.fail(error)
      return
    }
    await this.connect()
  }

  private fail(error: unknown): void {
    this.failure ??= { error }
    for (const one of this.waiting.splice(0)) one.reject(error)
  }
}
