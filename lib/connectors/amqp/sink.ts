import type { Delivery, EventContext, Message, Sender } from 'rhea'
import type { Sink } from '../../jobs/sinks'
import { StreamChecker } from '../../streams/check'
import type { DeadLetters } from '../deadLetters'
import { COMMON, type ConnectorOptions, checkCommon } from '../options'
import { Outbox } from '../outbox'
import {
  type AmqpConnection,
  type AmqpServerOptions,
  amqpLink,
  checkServer,
  errorOf,
  refusal,
  SERVER,
  until,
} from './connection'

export interface AmqpSinkOptions<T> extends ConnectorOptions<T>, AmqpServerOptions {
  /** What each message has: `durable` (default true), `content_type`, `application_properties`, `message_id`, `group_id` …; or a function of its value. */
  message?: Partial<Message> | ((value: T) => Partial<Message>)
}

interface Outgoing {
  readonly data: string | Uint8Array
  readonly properties: Partial<Message>
  done: boolean
}

type Sending = AmqpConnection & { readonly sender: Sender }

/**
 * Sends to a queue or a topic. What was written is accepted by the broker when the epoch's checkpoint is taken: at least once.
 * Messages that the broker rejects are dead letters.
 */
export function amqpSink<T = unknown>(address: string, options: AmqpSinkOptions<T> = {}): Sink<T> {
  const check = new StreamChecker('amqpSink', options, [...COMMON, ...SERVER, 'message'])
  if (check.text('address', address) === undefined) check.problem("'address' is missing")
  const kind = checkServer(check, options)
  const { message } = options
  if (message !== undefined && typeof message !== 'function' && (typeof message !== 'object' || message === null)) {
    check.problem("'message' must be an object or a function", message)
  }
  const what = `amqp: ${address}`
  const common = checkCommon(check, what, options, { batch: 1000, maxBatch: 100_000 })
  check.done()
  const fixed = { durable: true, ...(typeof message === 'object' ? message : {}) }
  const propertiesOf = typeof message === 'function' ? (value: T) => ({ ...fixed, ...message(value) }) : () => fixed
  const client = { session_buffer_size: { outgoing: 2 * common.batch }, ...options.client }
  const link = amqpLink(what, { ...options, client }, common as never, async (connection) => {
    const target = { address, capabilities: [kind] } as never
    const sender = connection.connection.open_sender({ target })
    sender.on('sender_error', () => {})
    await until<void>(connection, (resolve, reject) => {
      sender.once('sender_close', () => reject(refusal(what, sender.error)))
      sender.once('sender_open', () => {
        if (sender.target?.address) resolve()
      })
    })
    sender.once('sender_close', () => connection.lost.tell(refusal(what, sender.error)))
    return { sender }
  })
  return new Outbox<T, Outgoing, Sending>({
    what,
    link,
    batch: common.batch,
    deadLetters: common.deadLetters,
    encode: (value) => ({ data: common.codec.encode(value), properties: propertiesOf(value), done: false }),
    send: (connection, records) => send(connection, records, what, common.deadLetters),
  })
}

/** Resolves when the broker has all, or has rejected them; rejects where it goes away. What it has is not sent again. */
async function send(
  sending: Sending,
  records: readonly Outgoing[],
  what: string,
  deadLetters: DeadLetters<unknown>,
): Promise<void> {
  const { sender, rhea } = sending
  const waiting = records.filter(({ done }) => !done)
  const asked = new Map<Delivery, Outgoing>()
  let next = 0
  let over = () => {}
  try {
    await until<void>(sending, (resolve, reject) => {
      const more = () => {
        for (; next < waiting.length && sender.sendable(); next++) {
          const { data, properties } = waiting[next]!
          const body = typeof data === 'string' ? data : rhea.message.data_section(Buffer.from(data))
          asked.set(sender.send({ ...properties, body }), waiting[next]!)
        }
      }
      const answered = (accepts: (record: Outgoing, delivery: Delivery) => void) => (context: EventContext) => {
        const record = asked.get(context.delivery!)
        if (record === undefined) return
        asked.delete(context.delivery!)
        try {
          accepts(record, context.delivery!)
        } catch (error) {
          reject(error as Error)
        }
        record.done = true
        if (next === waiting.length && asked.size === 0) resolve()
        else more()
      }
      const accepted = answered(() => {})
      const rejected = answered(({ data }, delivery) => {
        const { error } = (delivery.remote_state ?? {}) as { error?: never }
        deadLetters.add(errorOf(error, `${what}: the broker rejects the message`), data)
      })
      // It may take them another time, perhaps over another connection.
      const released = () => reject(new Error('the broker gave a message back'))
      const listeners = { sendable: more, accepted, rejected, released } as const
      for (const [event, listener] of Object.entries(listeners)) sender.on(event, listener)
      over = () => {
        for (const [event, listener] of Object.entries(listeners)) sender.off(event, listener)
      }
      more()
    })
  } finally {
    over()
  }
}
