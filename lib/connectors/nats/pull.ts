import type { Msg, Subscription } from '@nats-io/transport-node'
import { QueueError } from '../../errors'
import type { NatsJetStream } from './connection'

/** Milliseconds that the server keeps a request that it has no messages for. */
const EXPIRES = 30_000
/** Milliseconds after which it says that it is still there. */
const HEARTBEAT = 5_000

/** A message of a consumer; the rest of what the server knows of it is in its `reply`. */
export interface Arrived {
  readonly data: Uint8Array
  readonly subject: string
  /** Where it is acknowledged, over whichever connection. */
  readonly reply: string
  /** Its number in the stream. */
  readonly sequence: number
  /** Its number among what the consumer has delivered. */
  readonly delivery: number
  /** How many more the consumer has. */
  readonly pending: number
}

export interface PullOptions {
  readonly server: NatsJetStream
  readonly stream: string
  readonly consumer: string
  /** The most messages that may be asked for and not taken. */
  readonly most: number
  take(message: Arrived): void
  /** Nothing more comes. */
  fail(error: unknown): void
}

/**
 * Asks a consumer for messages as there is room for them. The client's own iterators end by forgetting what is on its way, so
 * that it would be another one's only when the server has waited for its acknowledgement; this one tells of all that comes.
 */
export class Pull {
  /** Asked for, and not come. */
  private requested = 0
  /** Come, and not taken. */
  private waiting = 0
  private heard = performance.now()
  private readonly inbox: string
  private readonly subject: string
  private readonly subscription: Subscription
  private readonly watch: NodeJS.Timeout
  private over: Promise<void> | undefined

  constructor(private readonly options: PullOptions) {
    const { server, stream, consumer, fail, take } = options
    const { connection, client } = server
    this.inbox = server.createInbox()
    this.subject = `${client.apiPrefix}.CONSUMER.MSG.NEXT.${stream}.${consumer}`
    this.subscription = connection.subscribe(this.inbox, {
      callback: (error, message) => {
        this.heard = performance.now()
        // A message has the subject that it was published to; what the server itself says has ours.
        if (error) fail(error)
        else if (message.subject === this.inbox) this.told(message)
        else {
          this.requested = Math.max(0, this.requested - 1)
          this.waiting++
          take(arrived(message))
        }
      },
    })
    this.watch = setInterval(() => {
      if (performance.now() - this.heard > 4 * HEARTBEAT) fail(new Error('the server does not answer'))
    }, HEARTBEAT)
    this.watch.unref()
    void connection.closed().then((error) => fail(error ?? new Error('the connection was closed')))
    this.ask()
  }

  /** One of those that came is needed no longer here. */
  taken(): void {
    this.waiting--
    this.ask()
  }

  /** Asks for no more; resolves when all that was on its way has come. */
  stop(): Promise<void> {
    clearInterval(this.watch)
    // Where the connection has gone, nothing is on its way.
    this.over ??= this.subscription.drain().catch(() => {})
    return this.over
  }

  /** Half of the most that there may be: the server has always something to do. */
  private ask(): void {
    const room = this.options.most - this.requested - this.waiting
    if (this.over !== undefined || room * 2 < this.options.most) return
    this.requested += room
    const request = { batch: room, expires: EXPIRES * 1e6, idle_heartbeat: HEARTBEAT * 1e6 }
    try {
      this.options.server.connection.publish(this.subject, JSON.stringify(request), { reply: this.inbox })
    } catch (error) {
      this.options.fail(error)
    }
  }

  private told({ headers }: Msg): void {
    const code = headers?.code ?? 0
    const said = headers?.description?.toLowerCase() ?? ''
    if (code === 100) return
    const failure = failureOf(code, said)
    if (failure !== undefined) {
      this.options.fail(failure)
      return
    }
    // A request has ended, by its time or since the leader changed: what it had not brought is asked for anew.
    const left = Number(headers?.get('Nats-Pending-Messages') || Number.NaN)
    this.requested = Number.isInteger(left) ? Math.max(0, this.requested - left) : 0
    this.ask()
  }
}

/** What the server says instead of messages, where it will not give any. */
function failureOf(code: number, said: string): Error | undefined {
  if (code === 503) return new Error('the consumer does not answer')
  if (code === 400) return new QueueError(`the server refuses the request: ${said}`)
  const lasting = code === 409 && /(consumer|stream) deleted|push based|exceeded maxrequest/.test(said)
  return lasting ? new QueueError(said) : undefined
}

/** `$JS.ACK[.DOMAIN.ACCOUNT].STREAM.CONSUMER.DELIVERIES.SEQUENCE.DELIVERY.TIME.PENDING[.…]` */
function arrived({ data, subject, reply = '' }: Msg): Arrived {
  const parts = reply.split('.')
  const from = parts.length === 9 ? 5 : 7
  const [sequence, delivery, pending] = [parts[from], parts[from + 1], parts[from + 3]].map(Number) as [
    number,
    number,
    number,
  ]
  return { data, subject, reply, sequence, delivery, pending }
}

/** Bytes as codecs take them. */
export function bufferOf({ data }: Arrived): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength)
}
