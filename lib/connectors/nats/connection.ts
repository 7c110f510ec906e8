import type { JetStreamClient, JetStreamManager, JetStreamOptions, StreamConfig } from '@nats-io/jetstream'
import type { NatsConnection, NodeConnectionOptions } from '@nats-io/transport-node'
import { QueueError } from '../../errors'
import type { StreamChecker } from '../../streams/check'
import { loadClient } from '../client'
import { Link } from '../link'
import type { CommonOptions } from '../options'
import { secretsOf } from '../secrets'

/** How the server is reached. */
export interface NatsServerOptions {
  /** `nats://[user:password@]host:port`, `tls://…`, with a token `nats://token@host`; several are servers of one cluster. Default: this machine. */
  url?: string | readonly string[]
  /** What goes to `connect` of the package @nats-io/transport-node besides: `authenticator`, `tls`, `user`, `pass`, `token`, `name`. */
  client?: Omit<NodeConnectionOptions, 'servers' | 'reconnect'>
  /** What goes to `jetstream` of the package @nats-io/jetstream: `domain`, `apiPrefix`, `timeout`. */
  jetstream?: JetStreamOptions
  /** Makes a stream with these settings where there is none of its name; default: it must be there. */
  declare?: Partial<StreamConfig>
}

export const SERVER = ['url', 'client', 'jetstream', 'declare'] as const

export interface NatsJetStream {
  readonly connection: NatsConnection
  readonly client: JetStreamClient
  readonly manager: JetStreamManager
  /** A subject of our own. */
  createInbox(): string
}

export function checkServer(check: StreamChecker, { url, client, jetstream, declare }: NatsServerOptions): void {
  for (const one of Array.isArray(url) ? url : [url]) check.text('url', one)
  if (Array.isArray(url) && url.length === 0) check.problem("'url' must name a server", url)
  for (const [name, value] of Object.entries({ client, jetstream, declare })) {
    if (value !== undefined && (typeof value !== 'object' || value === null)) {
      check.problem(`'${name}' must be an object`, value)
    }
  }
}

/** A connection, opened when it is used. `prepare` is called with each new one. */
export function natsLink(
  what: string,
  { url, client, jetstream: settings }: NatsServerOptions,
  common: CommonOptions<never, never>,
  prepare: (jetstream: NatsJetStream) => Promise<void>,
): Link<NatsJetStream> {
  /** What is missing at a server that had it is on its way back, such as a leader. */
  let known = false
  return new Link<NatsJetStream>({
    what,
    retry: common.retry,
    secrets: [...common.secrets, ...secretsOf({ url, client })],
    signal: common.signal,
    async open() {
      const { connect, createInbox } = await loadClient<typeof import('@nats-io/transport-node')>(
        '@nats-io/transport-node',
        '^3.0.0',
      )
      const { jetstream, jetstreamManager } = await loadClient<typeof import('@nats-io/jetstream')>(
        '@nats-io/jetstream',
        '^3.0.0',
      )
      // Coming back is ours: what was asked of a server that went away is asked anew.
      const connection = await connect({ ...addressOf(url), ...client, reconnect: false })
      try {
        const opened = {
          connection,
          client: jetstream(connection, { ...settings }),
          manager: await jetstreamManager(connection, { ...settings }),
          createInbox: () => createInbox(client?.inboxPrefix),
        }
        await prepare(opened)
        known = true
        return opened
      } catch (error) {
        await connection.close()
        throw error
      }
    },
    close: ({ connection }) => connection.close(),
    worthwhile: (error) => worthwhile(error, known),
  })
}

/** Makes the stream where it is not there. */
export async function declareStream({ manager }: NatsJetStream, config: Partial<StreamConfig>): Promise<void> {
  try {
    await manager.streams.info(config.name!)
  } catch (error) {
    if ((error as { name?: string }).name !== 'StreamNotFoundError' && codeOf(error) !== STREAM_NOT_FOUND) throw error
    await manager.streams.add(config as StreamConfig & { name: string })
  }
}

/** The client takes addresses alone. */
function addressOf(url: string | readonly string[] = 'nats://localhost:4222'): NodeConnectionOptions {
  const urls = (typeof url === 'string' ? url.split(',') : url).map((one) =>
    /^[a-z+]+:\/\//i.test(one.trim()) ? new URL(one.trim()) : new URL(`nats://${one.trim()}`),
  )
  const named = urls.find(({ username }) => username !== '')
  const [user, pass] = [named?.username ?? '', named?.password ?? ''].map(decodeURIComponent) as [string, string]
  return {
    servers: urls.map(({ protocol, host, port }) =>
      /^wss?:$/.test(protocol) ? `${protocol}//${host}` : port === '' ? `${host}:4222` : host,
    ),
    ...(user === '' ? {} : pass === '' ? { token: user } : { user, pass }),
    ...(urls.some(({ protocol }) => protocol === 'tls:') ? { tls: {} } : {}),
  }
}

const STREAM_NOT_FOUND = 10059

export function codeOf(error: unknown): unknown {
  return (error as { code?: unknown }).code
}

const LASTING = /^(AuthorizationError|PermissionViolationError|InvalidArgumentError|InvalidSubjectError|TypeError)$/
const REFUSED = /authorization violation|authentication|permissions violation/i

function worthwhile(error: unknown, known: boolean): boolean {
  const { name = '', message = '', status } = error as { name?: string; message?: string; status?: number }
  if (error instanceof QueueError || codeOf(error) === 'ERR_CLIENT_MISSING') return false
  if (LASTING.test(name) || REFUSED.test(message)) return false
  if (name === 'JetStreamNotEnabled') return known
  // Answers of the API: a server that is busy or without a leader says 503; what it says else it says again.
  if (status !== undefined) return status >= 500
  return true
}

/** Milliseconds between looks at whether the connection is still there. */
const LOOK = 100

/**
 * All that was published has come to the server. The client's own `flush` never settles where the connection ends
 * meanwhile; this one rejects.
 */
export function flushed(connection: Pick<NatsConnection, 'flush' | 'isClosed'>): Promise<void> {
  const flushing = connection.flush()
  return new Promise((resolve, reject) => {
    // Looked at, and not waited for: whoever waits for the end of a connection is kept until then, commit after commit.
    const look = setInterval(() => {
      if (!connection.isClosed()) return
      clearInterval(look)
      reject(new Error('the connection was closed'))
    }, LOOK)
    flushing.finally(() => clearInterval(look)).then(resolve, reject)
  })
}
