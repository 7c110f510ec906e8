import type { ConfirmChannel, Options } from 'amqplib'
import type { Sink } from '../../jobs/sinks'
import { StreamChecker } from '../../streams/check'
import { COMMON, type ConnectorOptions, checkCommon } from '../options'
import { Outbox } from '../outbox'
import { type RabbitConnection, type RabbitServerOptions, rabbitLink, SERVER } from './connection'

/** Where messages go: a queue by its name, or an exchange. */
export type RabbitTarget<T> =
  | string
  | {
      exchange: string
      /** The routing key of all messages (default: empty), or of each. */
      routingKey?: string | ((value: T) => string)
    }

export interface RabbitSinkOptions<T> extends ConnectorOptions<T>, RabbitServerOptions {
  /** Declares the queue with these options (`durable` is true by itself); default: it must be there. Not for exchanges. */
  declare?: Options.AssertQueue
  /** What each message has: `persistent` (default true), `contentType`, `headers`, `expiration` …; or a function of its value. */
  message?: Options.Publish | ((value: T) => Options.Publish)
}

interface Outgoing {
  readonly routingKey: string
  readonly content: Buffer
  readonly options: Options.Publish
}

/**
 * Publishes to a queue or an exchange over a confirm channel. What was written is confirmed by the server when the epoch's
 * checkpoint is taken: at least once. Messages that no queue takes are dead letters.
 */
export function rabbitSink<T = unknown>(target: RabbitTarget<T>, options: RabbitSinkOptions<T> = {}): Sink<T> {
  const check = new StreamChecker('rabbitSink', options, [...COMMON, ...SERVER, 'declare', 'message'])
  const toQueue = typeof target === 'string'
  const exchange = toQueue ? '' : target?.exchange
  if (toQueue ? target === '' : typeof exchange !== 'string' || exchange === '') {
    check.problem("'target' must be the name of a queue, or { exchange, routingKey }", target)
  }
  if (!toQueue && options.declare !== undefined) check.problem("'declare' is for queues")
  const { message, declare } = options
  if (message !== undefined && typeof message !== 'function' && (typeof message !== 'object' || message === null)) {
    check.problem("'message' must be an object or a function", message)
  }
  const what = `rabbitmq: ${toQueue ? target : exchange}`
  const common = checkCommon(check, what, options, { batch: 1000, maxBatch: 100_000 })
  check.done()
  const { routingKey = '' } = toQueue ? { routingKey: target } : target
  const keyOf = typeof routingKey === 'function' ? routingKey : () => routingKey
  const fixed = { persistent: true, mandatory: true, ...(typeof message === 'object' ? message : {}) }
  const optionsOf = typeof message === 'function' ? (value: T) => ({ ...fixed, ...message(value) }) : () => fixed
  const link = rabbitLink<ConfirmChannel>(
    what,
    options,
    common as never,
    (connection) => connection.createConfirmChannel(),
    async (channel) => {
      channel.on('return', (returned: { fields: { replyText?: string } }) => {
        const why = returned.fields.replyText ?? 'returned'
        common.deadLetters.add(new Error(`${what}: no queue takes the message (${why})`), returned)
      })
      if (toQueue && declare !== undefined) await channel.assertQueue(target, { durable: true, ...declare })
      else if (toQueue) await channel.checkQueue(target)
      else await channel.checkExchange(exchange!)
    },
  )
  return new Outbox<T, Outgoing, RabbitConnection<ConfirmChannel>>({
    what,
    link,
    batch: common.batch,
    deadLetters: common.deadLetters,
    encode(value) {
      const data = common.codec.encode(value)
      const content =
        typeof data === 'string' ? Buffer.from(data) : Buffer.from(data.buffer, data.byteOffset, data.byteLength)
      return { routingKey: keyOf(value), content, options: optionsOf(value) }
    },
    send: (connection, records) => publish(connection, exchange!, records),
  })
}

/** Resolves when the server has confirmed all; rejects where it refuses one, or goes away. */
async function publish(
  { channel, onLost }: RabbitConnection<ConfirmChannel>,
  exchange: string,
  records: readonly Outgoing[],
): Promise<void> {
  let forget = () => {}
  try {
    await new Promise<void>((resolve, reject) => {
      let left = records.length
      forget = onLost(reject)
      for (const { routingKey, content, options } of records) {
        channel.publish(exchange, routingKey, content, options, (error: unknown) => {
          if (error) reject(error)
          else if (--left === 0) resolve()
        })
      }
    })
  } finally {
    forget()
  }
}
