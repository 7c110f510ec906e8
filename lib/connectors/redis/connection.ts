import type { RedisClientOptions } from 'redis'
import { loadClient } from '../client'
import { Link } from '../link'
import type { CommonOptions } from '../options'

/** What we use of a client: commands as they are on the wire. */
export interface RedisConnection {
  sendCommand<R>(args: readonly (string | Buffer)[]): Promise<R>
  destroy(): void
}

interface Client extends RedisConnection {
  connect(): Promise<unknown>
  on(event: 'error', listener: (error: Error) => void): unknown
  isOpen: boolean
  withTypeMapping(mapping: Record<number, unknown>): RedisConnection
}

/** The code of texts in the protocol. */
const BLOB_STRING = 36

/** How the server is reached. */
export interface RedisServerOptions {
  /** `redis[s]://[[user][:password]@]host[:port][/database]`; default: this machine. */
  url?: string
  /** What goes to `createClient` of the package redis besides: TLS in `socket`, credentials, a database. */
  client?: Omit<RedisClientOptions, 'url' | 'RESP'>
}

export const SERVER = ['url', 'client'] as const

/** A connection, opened when it is used. `binary`: texts arrive as Buffers. */
export function redisLink(
  what: string,
  { url, client }: RedisServerOptions,
  common: CommonOptions<never, never>,
  binary: boolean,
): Link<RedisConnection> {
  return new Link<RedisConnection>({
    what,
    retry: common.retry,
    secrets: common.secrets,
    signal: common.signal,
    async open() {
      const { createClient } = await loadClient<typeof import('redis')>('redis', '^5.0.0 || ^6.0.0')
      const made = createClient({
        ...(client as object),
        ...(url === undefined ? {} : { url }),
        // Coming back is ours: what was asked of a server that went away is asked anew, not kept.
        socket: { ...client?.socket, reconnectStrategy: false } as never,
        disableOfflineQueue: true,
        RESP: 2,
      }) as unknown as Client
      // Each command that fails tells it, too.
      made.on('error', () => {})
      await made.connect()
      if (!binary) return made
      const mapped = made.withTypeMapping({ [BLOB_STRING]: Buffer })
      return { sendCommand: (args) => mapped.sendCommand(args), destroy: () => destroy(made) }
    },
    close: (made) => destroy(made as Client),
    worthwhile,
  })
}

function destroy(client: { destroy(): void; isOpen?: boolean }): void {
  if (client.isOpen !== false) client.destroy()
}

/** What a server says that is only for now. */
const PASSING = /^(LOADING|BUSY |READONLY|TRYAGAIN|CLUSTERDOWN|MASTERDOWN|NOREPLICAS)/

function worthwhile(error: unknown): boolean {
  const { name, message, code } = error as { name?: string; message?: string; code?: string }
  if (code === 'ERR_CLIENT_MISSING' || code === 'ERR_OPTION' || name === 'TypeError') return false
  // Other answers of the server stay what they are: wrong password, wrong type of key.
  if (name === 'ErrorReply' || name === 'SimpleError' || name === 'BlobError') return PASSING.test(message ?? '')
  return !/^(WRONGPASS|NOAUTH|NOPERM|WRONGTYPE|ERR )/.test(message ?? '')
}
