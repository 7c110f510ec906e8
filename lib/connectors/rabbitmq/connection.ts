import type { Channel, ChannelModel, Options } from 'amqplib'
import { loadClient } from '../client'
import { Link } from '../link'
import { Loss } from '../loss'
import type { CommonOptions } from '../options'
import { secretsOf } from '../secrets'

/** How the server is reached. */
export interface RabbitServerOptions {
  /** `amqp[s]://user:password@host:port/vhost`, or the same as an object; default: this machine. */
  url?: string | Options.Connect
  /** What goes to `connect` of the package amqplib as its second argument: TLS (`ca`, `cert`, `key`), `timeout`, `clientProperties`. */
  client?: object
}

export const SERVER = ['url', 'client'] as const

/** A connection and its channel: where one breaks, both go. */
export interface RabbitConnection<C extends Channel> {
  readonly channel: C
  /** Tells, once, that it is gone; gives what ends that. */
  onLost(listener: (error: Error) => void): () => void
  close(): Promise<void>
}

/** A connection with a channel of a kind, opened when it is used. `prepare` is called with each new channel. */
export function rabbitLink<C extends Channel>(
  what: string,
  { url, client }: RabbitServerOptions,
  common: CommonOptions<never, never>,
  makeChannel: (connection: ChannelModel) => Promise<C>,
  prepare: (channel: C) => Promise<void>,
): Link<RabbitConnection<C>> {
  return new Link<RabbitConnection<C>>({
    what,
    retry: common.retry,
    secrets: [...common.secrets, ...secretsOf({ url })],
    signal: common.signal,
    async open() {
      const { connect } = await loadClient<typeof import('amqplib')>('amqplib', '^0.10.0 || ^1.0.0 || ^2.0.0')
      const model = await connect(url ?? 'amqp://localhost', client)
      const lost = new Loss()
      model.on('error', (error: Error) => lost.tell(error))
      model.on('close', () => lost.tell(new Error('the connection was closed')))
      let channel: C | undefined
      const close = async () => {
        // The channel first: what it has still to send, such as acknowledgements, the connection's end would overtake.
        await attempt(() => channel?.close())
        await attempt(() => model.close())
      }
      try {
        channel = await makeChannel(model)
        channel.on('error', (error: Error) => lost.tell(error))
        channel.on('close', () => lost.tell(new Error('the channel was closed')))
        await prepare(channel)
        return { channel, onLost: (listener) => lost.listen(listener), close }
      } catch (error) {
        await close()
        throw lost.error ?? error
      }
    },
    close: (connection) => connection.close(),
    worthwhile,
  })
}

/** The end of what may have ended already. */
async function attempt(end: () => Promise<unknown> | undefined): Promise<void> {
  try {
    await end()
  } catch {
    // It has.
  }
}

/** No such queue, refused, locked, not as it was declared, wrong password: the server says the same next time. */
const LASTING = /ACCESS.REFUSED|NOT.FOUND|PRECONDITION.FAILED|RESOURCE.LOCKED|NOT.ALLOWED|Handshake terminated/i

/** A node that is not up yet says such things of queues and virtual hosts that are there. */
const STARTING = /home node|is down|not running/i

function worthwhile(error: unknown): boolean {
  const { name, message, code } = error as { name?: string; message?: string; code?: unknown }
  if (code === 'ERR_CLIENT_MISSING' || name === 'TypeError') return false
  return STARTING.test(message ?? '') || !LASTING.test(message ?? '')
}
