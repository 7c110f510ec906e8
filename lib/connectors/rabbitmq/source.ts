import type { Channel, ConsumeMessage, Options } from 'amqplib'
import { oneByOne, type PositionedLists, type Source } from '../../jobs/sources'
import { StreamChecker } from '../../streams/check'
import { Inbox } from '../inbox'
import type { Link } from '../link'
import { COMMON, type CommonOptions, type ConnectorOptions, checkCommon } from '../options'
import { type RabbitConnection, type RabbitServerOptions, rabbitLink, SERVER } from './connection'

export interface RabbitSourceOptions<T> extends ConnectorOptions<T>, RabbitServerOptions {
  /** Messages that the server gives out before they are acknowledged (default 10,000, at most 65,535): so many come again after a crash. */
  prefetch?: number
  /** Declares the queue with these options (`durable` is true by itself); default: it must be there. */
  declare?: Options.AssertQueue
}

/** Where a reader stands: only its own connection understands it. After another start the queue itself knows what is left. */
export interface RabbitPosition {
  readonly connection: number
  readonly tag: number
}

/** What has come, and over which connection. */
interface Arrived {
  readonly message: ConsumeMessage
  readonly connection: number
}

/** The most messages that are decoded at once. */
const LIST = 1000

let connections = 0

/** Reads a queue. Messages are acknowledged when the checkpoint that has worked them off is safe: at least once. */
export function rabbitSource<T = unknown>(
  queue: string,
  options: RabbitSourceOptions<T> = {},
): Source<T, RabbitPosition> {
  const check = new StreamChecker('rabbitSource', options, [...COMMON, ...SERVER, 'prefetch', 'declare'])
  if (check.text('queue', queue) === undefined) check.problem("'queue' is missing")
  const prefetch = check.whole('prefetch', options.prefetch, 1, 65_535) ?? 10_000
  if (options.declare !== undefined && typeof options.declare !== 'object') {
    check.problem("'declare' must be an object", options.declare)
  }
  const what = `rabbitmq: ${queue}`
  const common = checkCommon(check, what, options, { batch: 1000, maxBatch: 65_535 })
  check.done()
  return new RabbitSource(queue, prefetch, options, common, what)
}

class RabbitSource<T> implements Source<T, RabbitPosition> {
  private readonly link: Link<RabbitConnection<Channel>>
  /** The channel that messages came over, for their acknowledgement. */
  private live: { channel: Channel; connection: number; acknowledged: number } | undefined

  constructor(
    private readonly queue: string,
    private readonly prefetch: number,
    options: RabbitSourceOptions<T>,
    private readonly common: CommonOptions<T>,
    what: string,
  ) {
    const { declare } = options
    this.link = rabbitLink(
      what,
      options,
      common as never,
      (connection) => connection.createChannel(),
      async (channel) => {
        await channel.prefetch(prefetch)
        if (declare !== undefined) await channel.assertQueue(queue, { durable: true, ...declare })
      },
    )
  }

  read(position: unknown, signal?: AbortSignal, commitSoon?: () => void): AsyncIterable<readonly [T, RabbitPosition]> {
    return oneByOne(this.readMany(position, signal, commitSoon))
  }

  readMany(_position: unknown, signal?: AbortSignal, commitSoon?: () => void): PositionedLists<T, RabbitPosition> {
    return this.lists(signal, commitSoon)
  }

  commit({ connection, tag }: RabbitPosition): void {
    const { live } = this
    // What another connection brought came again, or will, by itself.
    if (live === undefined || live.connection !== connection || tag <= live.acknowledged) return
    live.acknowledged = tag
    try {
      live.channel.ack({ fields: { deliveryTag: tag } } as ConsumeMessage, true)
    } catch {
      // The channel has just gone: the messages come again.
    }
  }

  close(): Promise<void> {
    this.live = undefined
    return this.link.close()
  }

  private async *lists(
    signal: AbortSignal | undefined,
    commitSoon: (() => void) | undefined,
  ): AsyncGenerator<(readonly [T, RabbitPosition])[]> {
    const { common, link, prefetch } = this
    const over = link.signal
    const stopped = () => signal?.aborted || common.signal?.aborted || over.aborted
    while (!stopped()) {
      const inbox = new Inbox<Arrived>()
      const stop = () => inbox.end()
      for (const one of [signal, common.signal, over]) one?.addEventListener('abort', stop)
      let cancel = async () => {}
      try {
        const consuming = await link.use(signal, (connection) => this.consume(connection, inbox))
        if (consuming === undefined) return
        cancel = consuming
        while (await inbox.ready()) {
          const list: (readonly [T, RabbitPosition])[] = []
          const arrived = inbox.pollMany(Math.ceil(Math.min(LIST, prefetch / 4)))
          for (const { message, connection } of arrived) {
            const tag = message.fields.deliveryTag
            try {
              list.push([common.codec.decode(message.content), { connection, tag }])
            } catch (error) {
              // Where a bad one is the stream's error, those before it come before that.
              if (list.length > 0) yield list.splice(0)
              common.deadLetters.add(error, message)
            }
          }
          if (stopped()) return
          if (list.length > 0) yield list
          // Somebody asks for more, so all of them are given.
          const { message, connection } = arrived.at(-1)!
          const tag = message.fields.deliveryTag
          const given = tag - (this.live?.connection === connection ? this.live.acknowledged : tag)
          // Half of what may be on its way: time for a commit before the server stops.
          if (given * 2 >= prefetch) commitSoon?.()
        }
        return
      } catch (error) {
        if (stopped()) return
        await link.failed(error, signal)
      } finally {
        for (const one of [signal, common.signal, over]) one?.removeEventListener('abort', stop)
        await cancel()
      }
    }
  }

  /** Lets messages come; gives what ends that. */
  private async consume(connection: RabbitConnection<Channel>, inbox: Inbox<Arrived>): Promise<() => Promise<void>> {
    const { channel } = connection
    if (this.live?.channel !== channel) this.live = { channel, connection: ++connections, acknowledged: 0 }
    const number = this.live.connection
    connection.onLost((error) => inbox.fail(error))
    const { consumerTag } = await channel.consume(this.queue, (message) => {
      if (message === null) inbox.fail(new Error(`the queue ${this.queue} was deleted`))
      else inbox.push({ message, connection: number })
    })
    return async () => {
      // Messages that came and were not given go back to the queue when the channel closes.
      try {
        await channel.cancel(consumerTag)
      } catch {
        // The channel has gone, and its consumers with it.
      }
    }
  }
}
