import { createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { Source } from '../../jobs/sources'
import { StreamChecker } from '../../streams/check'
import { type CodecOption, checkCodec, type RecordCodec } from '../codec'
import { checkDeadLetters, type DeadLetterOption, DeadLetters } from '../deadLetters'
import { Inbox } from '../inbox'
import { checkListen, checkPath, LISTEN, type ListenOptions, listen, pathOf, urlOf } from '../listen'
import { anySignal } from '../options'

/** A webhook that came. */
export interface Webhook<T> {
  readonly body: T
  readonly headers: IncomingHttpHeaders
  /** With what it asks for. */
  readonly url: string
}

/** How the sender signs. */
export interface SignatureOptions {
  /** One that the sender has, too; several while it changes. */
  secret: string | readonly string[]
  /** Where the signature is (default `x-hub-signature-256`). */
  header?: string
  /** Default `sha256`. */
  algorithm?: string
  /** Default `hex`. */
  encoding?: 'hex' | 'base64' | 'base64url'
  /** What stands before the signature (default `sha256=`). */
  prefix?: string
  /** What was signed (default: the body). */
  payload?: (body: Buffer, headers: IncomingHttpHeaders) => string | Uint8Array
}

export interface WebhookOptions<T> extends ListenOptions {
  /** Where they are POSTed to (default `/`). */
  path?: string
  /** False: opens no port; `listener` is then for a server of yours. */
  listen?: boolean
  /** How a body becomes a value (default `'json'`). */
  codec?: CodecOption<T>
  /**
   * When the sender is told that it has arrived: `'checkpoint'` (default): when a checkpoint has it, or what was made of it, so nothing is
   * lost; `'receipt'`: at once, so a crash loses what was not yet worked off.
   */
  acknowledge?: 'checkpoint' | 'receipt'
  /** Milliseconds that a sender waits at most for that (default 30,000); then 503, and most send it again. */
  acknowledgeTimeout?: number
  /** Checked for each one; what does not fit is answered with 401. */
  signature?: SignatureOptions
  /** The most bytes of a body (default 1 MiB). */
  maxBody?: number
  /** The most webhooks that are on their way (default 1000); further ones are answered with 503 and Retry-After. */
  maxWaiting?: number
  signal?: AbortSignal
  /** Where bodies go that the codec refuses; the sender is told 400. */
  deadLetters?: DeadLetterOption<Buffer>
}

export interface WebhookSource<T> extends Source<Webhook<T>, number> {
  /** Where they are POSTed to; known once it is read. */
  readonly url: string
  readonly listener: RequestListener
}

const KNOWN = [
  ...LISTEN,
  'path',
  'listen',
  'codec',
  'acknowledge',
  'acknowledgeTimeout',
  'signature',
  'maxBody',
  'maxWaiting',
  'signal',
  'deadLetters',
]

/**
 * Webhooks: POSTs of other services, as a source. Its port is open while it is read.
 *
 * Delivery: at least once in a job (`acknowledge: 'checkpoint'`), for senders that send again what was not acknowledged; they may also send
 * again what was, so look at the id that most put into a header. At most once with `'receipt'`.
 */
export function webhookSource<T = unknown>(options: WebhookOptions<T> = {}): WebhookSource<T> {
  const check = new StreamChecker('webhookSource', options, KNOWN)
  checkDeadLetters(check, options.deadLetters)
  const complete = {
    where: checkListen(check, options),
    path: checkPath(check, 'path', options.path) ?? '/',
    listen: check.flag('listen', options.listen) ?? true,
    codec: checkCodec<T>(check, options.codec),
    atReceipt: check.oneOf('acknowledge', options.acknowledge, ['checkpoint', 'receipt'] as const) === 'receipt',
    patience: check.time('acknowledgeTimeout', options.acknowledgeTimeout, false) ?? 30_000,
    signature: checkSignature(check, options.signature),
    maxBody: check.whole('maxBody', options.maxBody, 1, 2 ** 30) ?? 1 << 20,
    maxWaiting: check.whole('maxWaiting', options.maxWaiting, 1, 2 ** 20) ?? 1000,
    signal: check.signal('signal', options.signal),
    deadLetters: new DeadLetters<Buffer>('webhook', options.deadLetters),
  }
  check.done()
  return new Webhooks<T>(complete)
}

/** This part of those that may be on their way is answered together: of more at a time senders would run dry. */
const MANY = 8

const RETRY = { 'retry-after': '1' }

interface Complete<T> {
  readonly where: ReturnType<typeof checkListen>
  readonly path: string
  readonly listen: boolean
  readonly codec: RecordCodec<T>
  readonly atReceipt: boolean
  readonly patience: number
  readonly signature: ((body: Buffer, headers: IncomingHttpHeaders) => boolean) | undefined
  readonly maxBody: number
  readonly maxWaiting: number
  readonly signal: AbortSignal | undefined
  readonly deadLetters: DeadLetters<Buffer>
}

class Webhooks<T> implements WebhookSource<T> {
  url = ''
  private server: Server | undefined
  private inbox: Inbox<readonly [Webhook<T>, number]> | undefined
  /** Answers that wait for their checkpoint, by number. */
  private readonly held = new Map<number, ServerResponse>()
  /** Those that are being read. */
  private arriving = 0
  private number = 0
  private commitSoon: (() => void) | undefined
  private over = new AbortController()

  constructor(private readonly options: Complete<T>) {}

  async *read(position: number | undefined, signal?: AbortSignal, commitSoon?: () => void) {
    const over = anySignal(signal, this.options.signal, this.over.signal)
    if (over.aborted) return
    // Numbers go on, so that no position of an earlier run looks like one of this.
    this.number = Math.max(this.number, position ?? 0)
    const inbox = new Inbox<readonly [Webhook<T>, number]>()
    this.inbox = inbox
    this.commitSoon = commitSoon
    const end = () => inbox.end()
    over.addEventListener('abort', end, { once: true })
    try {
      if (this.options.listen) await this.listen()
      while (await inbox.ready()) {
        for (let next = inbox.poll(); next !== undefined; next = inbox.poll()) yield next
      }
    } finally {
      over.removeEventListener('abort', end)
      if (this.inbox === inbox) this.inbox = undefined
    }
  }

  commit(position: number): void {
    for (const [number, response] of this.held) {
      if (number > position) break
      this.held.delete(number)
      answer(response, 204)
    }
  }

  async close(): Promise<void> {
    this.over.abort()
    this.over = new AbortController()
    for (const response of this.held.values()) answer(response, 503)
    this.held.clear()
    const { server } = this
    this.server = undefined
    if (server === undefined) return
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    server.closeIdleConnections()
    const limit = setTimeout(() => server.closeAllConnections(), 500)
    await closed
    clearTimeout(limit)
  }

  readonly listener: RequestListener = (request, response) => {
    const { maxBody } = this.options
    const refuse = (status: number, headers: Record<string, string> = {}) => {
      request.resume()
      answer(response, status, { ...headers, ...(!request.complete && { connection: 'close' }) })
    }
    const refusal = this.refusal(request)
    if (refusal !== undefined) {
      refuse(...refusal)
      return
    }
    this.arriving++
    const chunks: Buffer[] = []
    let bytes = 0
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= maxBody) chunks.push(chunk)
      else if (!response.headersSent) refuse(413)
    })
    request.on('error', () => {})
    request.once('close', () => {
      this.arriving--
    })
    request.once('end', () => {
      if (!response.headersSent) this.take(request, response, Buffer.concat(chunks))
    })
  }

  /** Why a request is not even read. */
  private refusal(request: IncomingMessage): [status: number, headers?: Record<string, string>] | undefined {
    const { path, maxBody, maxWaiting, atReceipt } = this.options
    if (pathOf(request.url) !== path) return [404]
    if (request.method !== 'POST') return [405, { allow: 'POST' }]
    if (Number(request.headers['content-length'] ?? 0) > maxBody) return [413]
    const waiting = this.arriving + this.held.size + (atReceipt ? (this.inbox?.size ?? 0) : 0)
    return this.inbox === undefined || waiting >= maxWaiting ? [503, RETRY] : undefined
  }

  private async listen(): Promise<void> {
    if (this.server !== undefined) return
    const { where, path } = this.options
    const { server, port } = await listen(where, { receiveTimeout: 10_000, keepAliveTimeout: 5000 }, this.listener)
    this.server = server
    this.url = urlOf(where, port, path)
  }

  private take(request: IncomingMessage, response: ServerResponse, data: Buffer): void {
    const { signature, codec, deadLetters, atReceipt, patience, maxWaiting } = this.options
    const { inbox } = this
    if (signature?.(data, request.headers) === false) {
      answer(response, 401)
      return
    }
    if (inbox === undefined) {
      answer(response, 503, RETRY)
      return
    }
    let body: T
    try {
      body = codec.decode(data)
    } catch (error) {
      answer(response, 400)
      try {
        deadLetters.add(error, data)
      } catch (fatal) {
        inbox.fail(fatal)
      }
      return
    }
    const number = ++this.number
    if (atReceipt) answer(response, 204)
    else this.hold(number, response, patience)
    inbox.push([{ body, headers: request.headers, url: request.url ?? '/' }, number])
    if (!atReceipt && this.held.size * MANY > maxWaiting) this.commitSoon?.()
  }

  private hold(number: number, response: ServerResponse, patience: number): void {
    this.held.set(number, response)
    const timer = setTimeout(() => {
      if (this.held.delete(number)) answer(response, 503, RETRY)
    }, patience)
    timer.unref()
    response.once('close', () => {
      clearTimeout(timer)
      this.held.delete(number)
    })
  }
}

function answer(response: ServerResponse, status: number, headers: Record<string, string> = {}): void {
  if (response.headersSent || response.destroyed) return
  response.writeHead(status, status === 204 ? headers : { ...headers, 'content-length': '0' }).end()
}

function checkSignature(check: StreamChecker, signature: SignatureOptions | undefined) {
  if (signature === undefined) return undefined
  const known = ['secret', 'header', 'algorithm', 'encoding', 'prefix', 'payload']
  if (!check.object('signature', signature, known)) return undefined
  const { secret, header = 'x-hub-signature-256', algorithm = 'sha256', encoding = 'hex' } = signature
  const { prefix = 'sha256=', payload } = signature
  const secrets = typeof secret === 'string' ? [secret] : secret
  if (
    !Array.isArray(secrets) ||
    secrets.length === 0 ||
    !secrets.every((one) => typeof one === 'string' && one !== '')
  ) {
    check.problem("'signature.secret' must be a text that is not empty, or a list of such")
    return undefined
  }
  check.text('signature.header', header)
  check.oneOf('signature.encoding', encoding, ['hex', 'base64', 'base64url'] as const)
  check.fn('signature.payload', payload)
  if (typeof prefix !== 'string') check.problem("'signature.prefix' must be a text", prefix)
  try {
    createHmac(algorithm, 'secret')
  } catch {
    check.problem("'signature.algorithm' must be a hash that node:crypto knows", algorithm)
  }
  return (body: Buffer, headers: IncomingHttpHeaders): boolean => {
    const given = headers[header.toLowerCase()]
    if (typeof given !== 'string' || !given.startsWith(prefix)) return false
    const signed = payload === undefined ? body : payload(body, headers)
    const theirs = Buffer.from(given.slice(prefix.length), encoding)
    return secrets.some((one) => {
      const ours = createHmac(algorithm, one).update(signed).digest()
      // In the same time whatever it is, so that nobody can find it out byte by byte.
      return theirs.length === ours.length && timingSafeEqual(theirs, ours)
    })
  }
}
