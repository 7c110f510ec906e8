import type { Delivery, EventContext } from 'rhea'
import { oneByOne, type PositionedLists, type Source } from '../../jobs/sources'
import { StreamChecker } from '../../streams/check'
import { Inbox } from '../inbox'
import type { Link } from '../link'
import { COMMON, type CommonOptions, type ConnectorOptions, checkCommon } from '../options'
import {
  type AmqpConnection,
  type AmqpServerOptions,
  amqpLink,
  checkServer,
  refusal,
  SERVER,
  until,
} from './connection'
import { Reception } from './reception'

export interface AmqpSourceOptions<T> extends ConnectorOptions<T>, AmqpServerOptions {
  /** Messages that the broker gives out before they are acknowledged (default 3,000, at most 65,535): so many come again after a crash. */
  prefetch?: number
  /** Only messages for which this holds: a selector of JMS, `"colour = 'red' AND weight > 3"`. */
  selector?: string
  /** Of a topic: the broker keeps what comes while nobody reads, under this name and `client.container_id`. */
  subscription?: string
}

/** Where a reader stands: only its own connection understands it. After another start the queue itself knows what is left. */
export interface AmqpPosition {
  readonly connection: number
  readonly given: number
}

interface Settings<T> extends AmqpServerOptions {
  readonly what: string
  readonly address: string
  readonly kind: 'queue' | 'topic'
  readonly prefetch: number
  readonly selector: string | undefined
  readonly subscription: string | undefined
  readonly common: CommonOptions<T>
}

/** Reads a queue or a topic. Messages are acknowledged when the checkpoint that has worked them off is safe: at least once. */
export function amqpSource<T = unknown>(address: string, options: AmqpSourceOptions<T> = {}): Source<T, AmqpPosition> {
  const check = new StreamChecker('amqpSource', options, [...COMMON, ...SERVER, 'prefetch', 'selector', 'subscription'])
  if (check.text('address', address) === undefined) check.problem("'address' is missing")
  const kind = checkServer(check, options)
  const subscription = check.text('subscription', options.subscription)
  if (subscription !== undefined && kind !== 'topic') check.problem("'subscription' is for kind 'topic'")
  if (subscription !== undefined && options.client?.container_id === undefined) {
    check.problem("'subscription' needs client.container_id, the same one at each start")
  }
  const what = `amqp: ${address}`
  const settings: Settings<T> = {
    what,
    address,
    kind,
    prefetch: check.whole('prefetch', options.prefetch, 1, 65_535) ?? 3_000,
    selector: check.text('selector', options.selector),
    subscription,
    common: checkCommon(check, what, options, { batch: 1000, maxBatch: 65_535 }),
    ...(options.url === undefined ? {} : { url: options.url }),
    ...(options.client === undefined ? {} : { client: options.client }),
  }
  check.done()
  return new AmqpSource(settings)
}

/** The most messages that are decoded at once. */
const LIST = 1000

let connections = 0

class AmqpSource<T> implements Source<T, AmqpPosition> {
  private readonly link: Link<AmqpConnection>
  /** What came over the connection of the last reading. */
  private live: { reception: Reception; number: number } | undefined

  constructor(private readonly settings: Settings<T>) {
    const { what, common, prefetch } = settings
    // A session holds what is not acknowledged, by itself no more than 2048 messages.
    const client = { session_buffer_size: { incoming: 2 * prefetch }, ...settings.client }
    this.link = amqpLink(what, { ...settings, client }, common as never, async () => ({}))
  }

  read(position: unknown, signal?: AbortSignal, commitSoon?: () => void): AsyncIterable<readonly [T, AmqpPosition]> {
    return oneByOne(this.readMany(position, signal, commitSoon))
  }

  readMany(_position: unknown, signal?: AbortSignal, commitSoon?: () => void): PositionedLists<T, AmqpPosition> {
    return this.lists(signal, commitSoon)
  }

  async commit({ connection, given }: AmqpPosition): Promise<void> {
    // What another connection brought came again, or will, by itself.
    if (this.live?.number === connection) await this.live.reception.accept(given)
  }

  async close(): Promise<void> {
    const { live } = this
    this.live = undefined
    await live?.reception.close()
    await this.link.close()
  }

  private async *lists(
    signal: AbortSignal | undefined,
    commitSoon: (() => void) | undefined,
  ): AsyncGenerator<(readonly [T, AmqpPosition])[]> {
    const { link } = this
    const { common, prefetch } = this.settings
    const over = link.signal
    const stopped = () => signal?.aborted || common.signal?.aborted || over.aborted
    while (!stopped()) {
      const inbox = new Inbox<{ body: unknown; delivery: Delivery }>()
      const stop = () => inbox.end()
      for (const one of [signal, common.signal, over]) one?.addEventListener('abort', stop)
      let reception: Reception | undefined
      try {
        const begun = await link.use(signal, (connection) => this.begin(connection, inbox))
        if (begun === undefined) return
        reception = begun.reception
        const { number: connection } = begun
        while (await inbox.ready()) {
          const list: (readonly [T, AmqpPosition])[] = []
          for (const { body, delivery } of inbox.pollMany(Math.ceil(Math.min(LIST, prefetch / 4)))) {
            const given = reception.give(delivery)
            try {
              list.push([common.codec.decode(bytesOf(body)), { connection, given }])
            } catch (error) {
              // Where a bad one is the stream's error, those before it come before that.
              if (list.length > 0) yield list.splice(0)
              common.deadLetters.add(error, body)
            }
          }
          if (stopped()) return
          if (list.length > 0) yield list
          // Half of what may be on its way: time for a commit before the broker stops.
          if (reception.unsettled * 2 >= prefetch) commitSoon?.()
        }
        return
      } catch (error) {
        if (stopped()) return
        await link.failed(error, signal)
      } finally {
        for (const one of [signal, common.signal, over]) one?.removeEventListener('abort', stop)
        inbox.end()
        await reception?.stop()
      }
    }
  }

  /** Lets messages come. What an earlier reading was given, and nobody has acknowledged, comes again. */
  private async begin(
    connection: AmqpConnection,
    inbox: Inbox<{ body: unknown; delivery: Delivery }>,
  ): Promise<{ reception: Reception; number: number }> {
    await this.live?.reception.close()
    const { what, address, kind, prefetch, selector, subscription } = this.settings
    const receiver = connection.connection.open_receiver({
      ...(subscription === undefined ? {} : { name: subscription }),
      source: {
        address,
        capabilities: [kind],
        ...(subscription === undefined ? {} : { durable: 2, expiry_policy: 'never' }),
        ...(selector === undefined ? {} : { filter: connection.rhea.filter.selector(selector) }),
      } as never,
      credit_window: 0,
      autoaccept: false,
    })
    const reception = new Reception(receiver, subscription !== undefined)
    receiver.on('message', ({ message, delivery }: EventContext) => {
      if (reception.arrived(delivery!)) inbox.push({ body: message!.body, delivery: delivery! })
    })
    // A link that is refused is opened, and closed at once.
    receiver.on('receiver_error', () => {})
    await until<void>(connection, (resolve, reject) => {
      receiver.once('receiver_close', () => reject(refusal(what, receiver.error)))
      receiver.once('receiver_open', () => {
        if (receiver.source?.address) resolve()
      })
    })
    receiver.once('receiver_close', () => inbox.fail(refusal(what, receiver.error)))
    connection.lost.listen((error) => inbox.fail(error))
    this.live = { reception, number: ++connections }
    receiver.add_credit(prefetch)
    return this.live
  }
}

const DATA = 0x75

/** What a message of text, bytes or data has in it; of another kind, its JSON. */
function bytesOf(body: unknown): Buffer {
  if (typeof body === 'string') return Buffer.from(body)
  if (Buffer.isBuffer(body)) return body
  if (body === undefined || body === null) return Buffer.alloc(0)
  const { typecode, content } = body as { typecode?: number; content?: unknown }
  if (typecode === DATA) return Array.isArray(content) ? Buffer.concat(content as Buffer[]) : (content as Buffer)
  return Buffer.from(JSON.stringify(body))
}
