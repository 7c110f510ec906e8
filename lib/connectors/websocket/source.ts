import type { RawData, WebSocket as Socket } from 'ws'
import type { Positioned, Source } from '../../jobs/sources'
import { StreamChecker } from '../../streams/check'
import { Inbox } from '../inbox'
import { anySignal, COMMON, type CommonOptions, type ConnectorOptions, checkCommon } from '../options'
import { Backoff } from '../retry'
import { redactUrl } from '../secrets'
import {
  type CompleteWebSocketOptions,
  checkWebSocket,
  lost,
  openSocket,
  WEB_SOCKET,
  type WebSocketOptions,
  worthwhile,
} from './link'

/** What is sent to the server. */
export type Message = string | Uint8Array

export interface WebSocketSourceOptions<T, P = number> extends ConnectorOptions<T, Buffer>, WebSocketOptions {
  /**
   * Gives what to send each time that the connection is open, such as a subscription, with the position of the last item that
   * was read: a server that keeps messages can go on from there.
   */
  hello?: (position: P | undefined) => Message | readonly Message[]
  /** Gives an item's position, which `hello` is given later; default: a count, which tells a server nothing. */
  position?: (value: T) => P
  /** Whether the stream ends when the server closes the connection with code 1000 (default false: it connects again). */
  endOnClose?: boolean
}

/**
 * The messages of a WebSocket, each decoded to an item. While the stream downstream is full the connection is not read, so the server
 * feels it; a lost connection is opened again.
 *
 * Delivery: at most once, since a server forgets what it has sent; with `hello` and `position`, and a server that sends again from a
 * position, as often as that server does it.
 */
export function webSocketSource<T = unknown, P = number>(
  url: string,
  options: WebSocketSourceOptions<T, P> = {},
): Source<T, P> {
  const known = [...COMMON, ...WEB_SOCKET, 'hello', 'position', 'endOnClose']
  const check = new StreamChecker('webSocketSource', options, known)
  const socket = checkWebSocket(check, url, options)
  const from = `websocket: ${redactUrl(socket.url)}`
  const common = checkCommon<T, Buffer>(check, from, options, { batch: 1024, maxBatch: 1 << 20 })
  check.fn('hello', options.hello)
  check.fn('position', options.position)
  const endOnClose = check.flag('endOnClose', options.endOnClose) ?? false
  check.done()
  return new WebSocketSource<T, P>(from, socket, common, options, endOnClose)
}

class WebSocketSource<T, P> implements Source<T, P> {
  private over = new AbortController()

  constructor(
    private readonly from: string,
    private readonly socket: CompleteWebSocketOptions,
    private readonly common: CommonOptions<T, Buffer>,
    private readonly options: WebSocketSourceOptions<T, P>,
    private readonly endOnClose: boolean,
  ) {}

  async *read(position: P | undefined, signal?: AbortSignal): Positioned<T, P> & AsyncGenerator<readonly [T, P]> {
    const { codec, deadLetters, retry, secrets } = this.common
    const over = anySignal(signal, this.common.signal, this.over.signal)
    const backoff = new Backoff(this.from, retry, secrets)
    let count = typeof position === 'number' ? position : 0
    let last = position
    let stopped: { fatal: unknown } | undefined
    while (!over.aborted) {
      try {
        for await (const data of this.messages(last, over)) {
          backoff.succeeded()
          let value: T
          try {
            value = codec.decode(data)
          } catch (error) {
            try {
              deadLetters.add(error, data, last as never)
            } catch (fatal) {
              stopped = { fatal }
              throw fatal
            }
            continue
          }
          count++
          last = this.options.position === undefined ? (count as P) : this.options.position(value)
          yield [value, last]
        }
        return
      } catch (error) {
        if (over.aborted) return
        if (stopped !== undefined || !worthwhile(error)) throw error
        await backoff.failed(error, over)
      }
    }
  }

  close(): void {
    this.over.abort()
    this.over = new AbortController()
  }

  /** Of one connection. Throws when it is lost. */
  private async *messages(position: P | undefined, over: AbortSignal): AsyncGenerator<Buffer> {
    const inbox = new Inbox<Buffer>()
    const most = this.common.batch
    let ended = false
    const attach = (socket: Socket) => {
      socket.on('message', (data: RawData) => {
        inbox.push(bufferOf(data))
        if (inbox.size >= most) socket.pause()
      })
      socket.once('close', (code, reason) => {
        ended = code === 1000 && this.endOnClose
        inbox.fail(lost(this.socket.url, code, reason))
      })
    }
    const socket = await openSocket(this.socket, over, attach)
    try {
      for (const message of this.greeting(position)) socket.send(message)
      for (;;) {
        try {
          if (!(await inbox.ready())) return
        } catch (error) {
          if (ended || over.aborted) return
          throw error
        }
        for (let data = inbox.poll(); data !== undefined; data = inbox.poll()) yield data
        if (socket.isPaused) socket.resume()
      }
    } finally {
      await goodbye(socket)
    }
  }

  private greeting(position: P | undefined): readonly Message[] {
    const hello = this.options.hello?.(position)
    if (hello === undefined) return []
    return typeof hello === 'string' || hello instanceof Uint8Array ? [hello] : hello
  }
}

function bufferOf(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data)
  return data instanceof ArrayBuffer ? Buffer.from(data) : data
}

/** Closes a connection; cut off where the other end does not say goodbye, too. */
async function goodbye(socket: Socket): Promise<void> {
  if (socket.readyState === socket.CLOSED) return
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.resume()
  socket.close()
  const timer = setTimeout(() => socket.terminate(), 500)
  await closed
  clearTimeout(timer)
}
