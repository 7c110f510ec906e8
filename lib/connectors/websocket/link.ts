import type { ClientOptions, WebSocket as Socket } from 'ws'
import { ClientMissingError, ConnectionError } from '../../errors'
import type { StreamChecker } from '../../streams/check'
import { loadClient } from '../client'
import { redactUrl } from '../secrets'

export const WS = '^8.18.0'

/** What the source and the sink have in common. */
export interface WebSocketOptions {
  /** Subprotocols to offer. */
  protocols?: string | readonly string[]
  /** Headers of the request, such as `authorization`. Never logged. */
  headers?: Readonly<Record<string, string>>
  /** Whatever else the package ws takes: TLS (`ca`, `cert`, `key`), `agent`, `perMessageDeflate`, `maxPayload`. */
  client?: ClientOptions
  /** Milliseconds from one ping to the next; a peer that does not answer until the following one is gone. 0: none. Default 30,000. */
  heartbeat?: number
  /** Milliseconds that opening a connection may take (default 10,000). */
  connectTimeout?: number
}

export const WEB_SOCKET = ['protocols', 'headers', 'client', 'heartbeat', 'connectTimeout'] as const

export interface CompleteWebSocketOptions {
  readonly url: string
  readonly protocols: readonly string[]
  readonly client: ClientOptions
  readonly heartbeat: number
  readonly connectTimeout: number
}

export function checkWebSocket(
  check: StreamChecker,
  url: unknown,
  options: WebSocketOptions,
): CompleteWebSocketOptions {
  let parsed: URL | undefined
  try {
    parsed = new URL(String(url))
  } catch {
    // Said below.
  }
  if (parsed === undefined || !/^wss?:$/.test(parsed.protocol)) {
    check.problem("'url' must be a URL that begins with ws:// or wss://")
  }
  const { protocols = [], client, headers } = options
  const list = typeof protocols === 'string' ? [protocols] : protocols
  if (!Array.isArray(list) || !list.every((one) => typeof one === 'string')) {
    check.problem("'protocols' must be a text or a list of texts", protocols)
  }
  if (client !== undefined) check.object('client', client, Object.keys(client))
  if (headers !== undefined) check.object('headers', headers, Object.keys(headers))
  const connectTimeout = check.time('connectTimeout', options.connectTimeout, false) ?? 10_000
  return {
    url: String(url),
    protocols: list,
    client: { handshakeTimeout: connectTimeout, ...client, headers: { ...client?.headers, ...headers } },
    heartbeat: check.time('heartbeat', options.heartbeat, true) ?? 30_000,
    connectTimeout,
  }
}

/** Opens a connection; rejects where the server refuses it. `attach` is called before the first message can come. */
export async function openSocket(
  options: CompleteWebSocketOptions,
  signal: AbortSignal,
  attach: (socket: Socket) => void,
): Promise<Socket> {
  const { WebSocket } = await loadClient<typeof import('ws')>('ws', WS)
  if (signal.aborted) throw signal.reason
  const socket = new WebSocket(options.url, [...options.protocols], options.client)
  attach(socket)
  const abort = () => socket.terminate()
  signal.addEventListener('abort', abort, { once: true })
  socket.once('close', () => signal.removeEventListener('abort', abort))
  await new Promise<void>((resolve, reject) => {
    const failed = (error: Error) => reject(error)
    socket.once('error', failed)
    socket.once('unexpected-response', (request, response) => {
      reject(new RefusedError(redactUrl(options.url), response.statusCode ?? 0))
      request.destroy()
      socket.on('error', () => {})
    })
    socket.once('open', () => {
      socket.off('error', failed)
      // What goes wrong from now on ends in 'close'.
      socket.on('error', () => {})
      resolve()
    })
  })
  beat(socket, options.heartbeat)
  return socket
}

/** The server answered, and it was no WebSocket. */
class RefusedError extends ConnectionError {
  constructor(
    url: string,
    readonly status: number,
  ) {
    super(`${url} refused the connection with status ${status}`)
  }
}

/** Whether it may be different next time. */
export function worthwhile(error: unknown): boolean {
  if (error instanceof ClientMissingError) return false
  if (!(error instanceof RefusedError)) return true
  return error.status >= 500 || error.status === 408 || error.status === 425 || error.status === 429
}

export function lost(url: string, code: number, reason: Buffer): ConnectionError {
  const why = reason.length === 0 ? '' : `, ${reason.toString('utf8')}`
  return new ConnectionError(`the connection to ${redactUrl(url)} was closed (${code}${why})`)
}

/** Ends a connection whose other end does not answer any more: TCP alone would not notice for a quarter of an hour. */
function beat(socket: Socket, every: number): void {
  if (every === 0) return
  let alive = true
  const heard = () => {
    alive = true
  }
  socket.on('pong', heard)
  socket.on('message', heard)
  const timer = setInterval(() => {
    // One that is paused on purpose cannot hear.
    if (!alive && !socket.isPaused) {
      socket.terminate()
      return
    }
    alive = false
    socket.ping()
  }, every)
  timer.unref()
  socket.once('close', () => clearInterval(timer))
}
