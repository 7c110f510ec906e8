import type { AmqpError, Connection, ConnectionOptions } from 'rhea'
import { QueueError } from '../../errors'
import type { StreamChecker } from '../../streams/check'
import { loadClient } from '../client'
import { Link } from '../link'
import { Loss } from '../loss'
import type { CommonOptions } from '../options'
import { secretsOf } from '../secrets'

/** How the broker is reached, and what is read or written there. */
export interface AmqpServerOptions {
  /** `amqp[s]://user:password@host:port`; default: this machine. */
  url?: string
  /** What goes to `connect` of the package rhea besides: TLS (`ca`, `cert`, `key`), `container_id`, `idle_time_out`, `max_frame_size`. */
  client?: Partial<Omit<ConnectionOptions, 'reconnect'>>
  /** What the address is where the broker makes it: each message for one reader (default), or for all that there are. */
  kind?: 'queue' | 'topic'
}

export const SERVER = ['url', 'client', 'kind'] as const

export type Rhea = typeof import('rhea')

/** A connection: where it, its session or its one link breaks, all go. */
export interface AmqpConnection {
  readonly rhea: Rhea
  readonly connection: Connection
  readonly lost: Loss
}

export function checkServer(check: StreamChecker, { url, client, kind }: AmqpServerOptions): 'queue' | 'topic' {
  check.text('url', url)
  if (url !== undefined && !/^amqps?:\/\//.test(String(url))) check.problem("'url' must begin with amqp:// or amqps://")
  if (client !== undefined && (typeof client !== 'object' || client === null)) {
    check.problem("'client' must be an object")
  }
  return check.oneOf('kind', kind, ['queue', 'topic']) ?? 'queue'
}

/** A connection, opened when it is used. `prepare` is called with each new one. */
export function amqpLink<L>(
  what: string,
  { url, client }: AmqpServerOptions,
  common: CommonOptions<never, never>,
  prepare: (connection: AmqpConnection) => Promise<L>,
): Link<AmqpConnection & L> {
  return new Link<AmqpConnection & L>({
    what,
    retry: common.retry,
    secrets: [...common.secrets, ...secretsOf({ url, client })],
    signal: common.signal,
    async open() {
      const rhea = await loadClient<Rhea>('rhea', '^3.0.0')
      // A peer that says nothing for so long is gone. Coming back is ours: another connection is asked anew.
      const options = { idle_time_out: 30_000, ...addressOf(url), ...client, reconnect: false }
      const connection = rhea.create_container({}).connect(options as ConnectionOptions)
      const lost = new Loss()
      for (const event of ['connection_error', 'connection_close', 'session_error', 'session_close', 'disconnected']) {
        connection.on(event, (context: { error?: Error; connection?: Connection; session?: { error?: AmqpError } }) => {
          lost.tell(
            errorOf(context.error ?? context.session?.error ?? context.connection?.error, 'the connection was closed'),
          )
        })
      }
      const opened = { rhea, connection, lost }
      try {
        await until<void>(opened, (resolve) => connection.once('connection_open', () => resolve()))
        return Object.assign(opened, await prepare(opened))
      } catch (error) {
        await close(opened)
        throw error
      }
    },
    close,
    worthwhile,
  })
}

/** Resolves when `listen` says so; rejects where the connection is lost before. */
export async function until<R>(
  { lost }: AmqpConnection,
  listen: (resolve: (value: R) => void, reject: (error: Error) => void) => void,
): Promise<R> {
  let forget = () => {}
  try {
    return await new Promise<R>((resolve, reject) => {
      forget = lost.listen(reject)
      listen(resolve, reject)
    })
  } finally {
    forget()
  }
}

/** What was told to the client is on its way to the server. */
export function written(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Milliseconds that a server may take to say good-bye. */
const FAREWELL = 2_000

async function close({ connection, lost }: AmqpConnection): Promise<void> {
  if (lost.error !== undefined && !connection.is_open()) return
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, FAREWELL)
    for (const event of ['disconnected', 'connection_close']) {
      connection.once(event, () => {
        clearTimeout(timer)
        resolve()
      })
    }
    connection.close()
  })
}

function addressOf(url = 'amqp://localhost'): Partial<ConnectionOptions> {
  const { protocol, hostname, port, username, password } = new URL(url)
  const isSafe = protocol === 'amqps:'
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (isSafe ? 5671 : 5672) : Number(port),
    ...(username === '' ? {} : { username: decodeURIComponent(username), password: decodeURIComponent(password) }),
    ...(isSafe ? { transport: 'tls' as const, servername: hostname } : {}),
  } as Partial<ConnectionOptions>
}

/** What a peer says is an object of the protocol. */
export function errorOf(said: Error | AmqpError | undefined, otherwise: string): Error {
  if (said === undefined || said === null) return new Error(otherwise)
  if (said instanceof Error) return said
  const { condition, description } = said
  return Object.assign(new Error([condition, description].filter(Boolean).join(': ') || otherwise), { condition })
}

/** Of an address, a link, or a message: the peer says the same next time. */
const LASTING = /^amqp:(unauthorized-access|not-found|not-allowed|not-implemented|invalid-field|precondition-failed)$/

/** The error of a link that the peer refuses. */
export function refusal(what: string, said: AmqpError | Error | undefined): Error {
  const error = errorOf(said, 'the broker refuses the link')
  const lasting = LASTING.test(String((error as { condition?: unknown }).condition))
  return lasting ? new QueueError(`${what}: ${error.message}`, { cause: error }) : error
}

function worthwhile(error: unknown): boolean {
  const { name, code, condition } = error as { name?: string; code?: unknown; condition?: unknown }
  if (code === 'ERR_CLIENT_MISSING' || code === 'ERR_QUEUE_SETUP' || name === 'TypeError') return false
  return !LASTING.test(String(condition))
}
