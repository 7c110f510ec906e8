import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import { ConnectionError } from '../../errors'
import type { StreamChecker } from '../../streams/check'
import { isNetwork } from '../network'
import { checkRetry, type RetryOptions } from '../retry'
import { redact, secretsOf } from '../secrets'

/** Which folder, and how it is reached. */
export interface HdfsOptions {
  /** Where the name node answers: `http://namenode:9870`. */
  url: string
  /** A folder, such as `/data/in`. */
  path: string
  /** For clusters without Kerberos: whom to be. */
  user?: string
  /** A delegation token, for those with it. */
  token?: string
  /** Whatever else `node:https` takes: TLS (`ca`, `cert`, `key`), `agent`, `headers`. */
  request?: RequestOptions
  /** How it comes back where the cluster cannot be reached (default: for ever, every 100 ms to 10 s). */
  retry?: RetryOptions
}

export const HDFS = ['url', 'path', 'user', 'token', 'request', 'retry'] as const

export function checkHdfs(check: StreamChecker, options: HdfsOptions) {
  const { url, path, request } = options
  if (typeof url !== 'string' || !/^https?:\/\/[^/]+\/?$/.test(url)) {
    check.problem("'url' must be where the name node answers, such as 'http://namenode:9870'")
  }
  if (typeof path !== 'string' || !/^\/([^?#]*[^?#/])?$/.test(path)) {
    check.problem("'path' must be a folder that begins with '/'", path)
  }
  if (request !== undefined) check.object('request', request, Object.keys(request))
  return {
    url: String(url).replace(/\/$/, ''),
    path: String(path),
    user: check.text('user', options.user),
    token: check.text('token', options.token),
    request,
    retry: checkRetry(check, options.retry),
    secrets: secretsOf(options),
  }
}

export type CompleteHdfs = ReturnType<typeof checkHdfs>

/** The cluster has answered, and with no. */
export class HdfsError extends ConnectionError {
  constructor(
    message: string,
    readonly status: number,
    /** Java's name for it, such as `FileNotFoundException`. */
    readonly exception: string,
  ) {
    super(message)
  }
}

/** Whether it may be different next time: the network, or a name node that is starting. */
export function worthwhile(error: unknown): boolean {
  if (!(error instanceof HdfsError)) return isNetwork(error)
  return RETRIABLE.test(error.exception) || error.status >= 502
}

const RETRIABLE =
  /^(Retriable|Standby|SafeMode|ConnectException|NoRouteToHost|SocketTimeout|LeaseExpired|AlreadyBeingCreated)/

/** One file of a folder. */
export interface HdfsFile {
  readonly name: string
  readonly length: number
  /** Milliseconds since 1970. */
  readonly modified: number
}

/** WebHDFS by node:http: `fetch` fails where the cluster answers 100 to a body. */
export class WebHdfs {
  constructor(readonly options: CompleteHdfs) {}

  async list(path: string, signal?: AbortSignal): Promise<HdfsFile[]> {
    const answer = await this.json('GET', path, { op: 'LISTSTATUS' }, signal)
    const { FileStatuses } = answer as {
      FileStatuses: { FileStatus: { pathSuffix: string; length: number; modificationTime: number; type: string }[] }
    }
    return FileStatuses.FileStatus.filter(({ type }) => type === 'FILE').map((one) => ({
      name: one.pathSuffix,
      length: one.length,
      modified: one.modificationTime,
    }))
  }

  async open(path: string, offset: number, signal?: AbortSignal): Promise<IncomingMessage> {
    return this.ask('GET', path, { op: 'OPEN', ...(offset > 0 && { offset: `${offset}` }) }, undefined, signal)
  }

  /** As a whole; one that is there is replaced. */
  async create(path: string, bytes: string | Uint8Array, signal?: AbortSignal): Promise<void> {
    await drain(await this.ask('PUT', path, { op: 'CREATE', overwrite: 'true' }, bytes, signal))
  }

  async makeFolder(path: string, signal?: AbortSignal): Promise<void> {
    await this.json('PUT', path, { op: 'MKDIRS' }, signal)
  }

  /** False where there is nothing to rename, or something in its place. */
  async rename(from: string, to: string, signal?: AbortSignal): Promise<boolean> {
    return this.truth(await this.json('PUT', from, { op: 'RENAME', destination: to }, signal))
  }

  /** False where there was none. */
  async remove(path: string, signal?: AbortSignal): Promise<boolean> {
    return this.truth(await this.json('DELETE', path, { op: 'DELETE' }, signal))
  }

  async exists(path: string, signal?: AbortSignal): Promise<boolean> {
    try {
      await this.json('GET', path, { op: 'GETFILESTATUS' }, signal)
      return true
    } catch (error) {
      if (error instanceof HdfsError && error.status === 404) return false
      throw error
    }
  }

  private truth(answer: unknown): boolean {
    return (answer as { boolean?: boolean } | undefined)?.boolean === true
  }

  private async json(method: string, path: string, query: Record<string, string>, signal?: AbortSignal) {
    const answer = await this.ask(method, path, query, undefined, signal)
    const text = await drain(answer)
    return text === '' ? undefined : (JSON.parse(text) as unknown)
  }

  /** Follows the name node to the data node, which alone gets the bytes. */
  private async ask(
    method: string,
    path: string,
    query: Record<string, string>,
    body: string | Uint8Array | undefined,
    signal: AbortSignal | undefined,
  ): Promise<IncomingMessage> {
    const { url, user, token } = this.options
    const place = new URL(`${url}/webhdfs/v1${path.split('/').map(encodeURIComponent).join('/')}`)
    for (const [name, value] of Object.entries(query)) place.searchParams.set(name, value)
    if (token !== undefined) place.searchParams.set('delegation', token)
    else if (user !== undefined) place.searchParams.set('user.name', user)
    const first = await this.send(method, place, undefined, signal)
    if (first.statusCode !== 307) return this.checked(first, method, path)
    await drain(first)
    const there = new URL(first.headers.location!)
    return this.checked(await this.send(method, there, body ?? '', signal), method, path)
  }

  private send(method: string, place: URL, body: string | Uint8Array | undefined, signal: AbortSignal | undefined) {
    return new Promise<IncomingMessage>((resolve, reject) => {
      const ask = place.protocol === 'https:' ? httpsRequest : httpRequest
      const isWrite = body !== undefined && method !== 'GET'
      const headers: Record<string, string | number> = isWrite
        ? { 'content-type': 'application/octet-stream', 'content-length': Buffer.byteLength(body) }
        : method === 'GET'
          ? {}
          : { 'content-length': 0 }
      const outgoing = ask(place, {
        ...this.options.request,
        method,
        headers: { ...this.options.request?.headers, ...headers } as Record<string, string>,
        ...(signal !== undefined && { signal }),
      })
      outgoing.once('response', resolve)
      outgoing.on('error', reject)
      outgoing.end(isWrite ? body : undefined)
    })
  }

  private async checked(answer: IncomingMessage, method: string, path: string): Promise<IncomingMessage> {
    const { statusCode = 0 } = answer
    if (statusCode < 300) return answer
    const text = await drain(answer)
    let remote: { exception?: string; message?: string } = {}
    try {
      remote = (JSON.parse(text) as { RemoteException: typeof remote }).RemoteException
    } catch {
      // A proxy, or a data node, may answer otherwise.
    }
    const { exception = '', message = text.slice(0, 200) } = remote
    const why = redact(message.split('\n')[0] ?? '', this.options.secrets)
    throw new HdfsError(`hdfs: ${method} ${path}: ${statusCode} ${exception} ${why}`.trim(), statusCode, exception)
  }
}

async function drain(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of answer as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}
