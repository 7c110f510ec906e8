import { randomUUID } from 'node:crypto'
import { oneByOne, type PositionedLists, type Source } from '../../jobs/sources'
import { Inbox } from '../inbox'
import type { Link } from '../link'
import { flushed, type NatsJetStream, natsLink } from './connection'
import { durable, prepareStream } from './consumer'
import { type Arrived, bufferOf, Pull } from './pull'
import type { NatsSourceSettings } from './source'

/** Where a reader stands: only it itself understands that. After another start the consumer knows what is left. */
export interface NatsPosition {
  readonly reader: string
  /** So many messages were given. */
  readonly given: number
}

const ACK = Buffer.from('+ACK')
const NAK = Buffer.from('-NAK')
const WORKING = Buffer.from('+WPI')

/** A message that is here and not acknowledged. */
interface Held {
  readonly sequence: number
  /** Of its last delivery. */
  reply: string
  /** Until it is given. */
  message: Arrived | undefined
  /** The how-manieth that was given; 0: not yet. */
  given: number
}

interface Reading {
  readonly pull: Pull
  readonly limit: number
  end(): Promise<void>
}

/**
 * Reads through a durable consumer. Acknowledgements find their message over any connection, so what was given out is known,
 * and not given again, also where the server went away meanwhile.
 */
export class MemberSource<T> implements Source<T, NatsPosition> {
  private readonly link: Link<NatsJetStream>
  private readonly reader = randomUUID()
  /** By the number in the stream. */
  private readonly held = new Map<number, Held>()
  /** Given and not acknowledged, in order. */
  private unacknowledged: Held[] = []
  private given = 0
  private reading: Reading | undefined

  constructor(
    private readonly settings: NatsSourceSettings<T>,
    private readonly consumer: string,
  ) {
    const { what, common } = settings
    this.link = natsLink(what, settings, common as never, (server) => prepareStream(server, settings as never))
  }

  read(position: unknown, signal?: AbortSignal, commitSoon?: () => void): AsyncIterable<readonly [T, NatsPosition]> {
    return oneByOne(this.readMany(position, signal, commitSoon))
  }

  readMany(_position: unknown, signal?: AbortSignal, commitSoon?: () => void): PositionedLists<T, NatsPosition> {
    return this.lists(signal, commitSoon)
  }

  async commit({ reader, given }: NatsPosition): Promise<void> {
    // What another reader was given comes again, or was acknowledged, by itself.
    if (reader !== this.reader) return
    let count = 0
    while (count < this.unacknowledged.length && this.unacknowledged[count]!.given <= given) count++
    if (count === 0) return
    const done = this.unacknowledged.slice(0, count)
    await this.link.use(undefined, ({ connection }) => {
      for (const { reply } of done) connection.publish(reply, ACK)
      return flushed(connection)
    })
    // A commit that came meanwhile may have done some of it.
    const through = done.at(-1)!.given
    this.unacknowledged = this.unacknowledged.filter((one) => one.given > through)
    for (const { sequence } of done) this.held.delete(sequence)
  }

  async close(): Promise<void> {
    await this.reading?.end()
    this.unacknowledged = []
    await this.giveBack([...this.held.values()])
    await this.link.close()
  }

  private async *lists(
    signal: AbortSignal | undefined,
    commitSoon: (() => void) | undefined,
  ): AsyncGenerator<(readonly [T, NatsPosition])[]> {
    const { link, reader } = this
    const { common } = this.settings
    const over = link.signal
    const stopped = () => signal?.aborted || common.signal?.aborted || over.aborted
    while (!stopped()) {
      const inbox = new Inbox<Held>()
      const stop = () => inbox.end()
      for (const one of [signal, common.signal, over]) one?.addEventListener('abort', stop)
      let reading: Reading | undefined
      try {
        reading = await link.use(signal, (server) => this.begin(server, inbox))
        if (reading === undefined) return
        this.reading = reading
        const { pull, limit } = reading
        while (await inbox.ready()) {
          const list: (readonly [T, NatsPosition])[] = []
          for (const held of inbox.pollMany(Math.ceil(Math.min(common.batch, limit / 4)))) {
            pull.taken()
            const message = held.message!
            held.message = undefined
            held.given = ++this.given
            this.unacknowledged.push(held)
            try {
              list.push([common.codec.decode(bufferOf(message)), { reader, given: held.given }])
            } catch (error) {
              // Where a bad one is the stream's error, those before it come before that.
              if (list.length > 0) yield list.splice(0)
              const { subject, data, sequence } = message
              common.deadLetters.add(error, { subject, data, sequence })
            }
          }
          if (stopped()) return
          if (list.length > 0) yield list
          // Half of what the server gives out: time for a commit before it stops.
          if (this.unacknowledged.length * 2 >= limit) commitSoon?.()
        }
        return
      } catch (error) {
        if (stopped()) return
        await link.failed(error, signal)
      } finally {
        for (const one of [signal, common.signal, over]) one?.removeEventListener('abort', stop)
        await reading?.end()
      }
    }
  }

  /** Lets messages come; gives what ends that. */
  private async begin(server: NatsJetStream, inbox: Inbox<Held>): Promise<Reading> {
    const { stream, common } = this.settings
    const { name, ackWait, limit } = await durable(server, this.settings as never, this.consumer)
    const pull = new Pull({
      server,
      stream,
      consumer: name,
      most: Math.min(2 * common.batch, limit),
      take: (message) => {
        const held = this.held.get(message.sequence)
        if (held === undefined) {
          const { sequence, reply } = message
          const one = { sequence, reply, message, given: 0 }
          this.held.set(sequence, one)
          inbox.push(one)
        } else {
          // It comes again, while it is still here: acknowledged is the last delivery.
          held.reply = message.reply
          pull.taken()
        }
      },
      fail: (error) => inbox.fail(error),
    })
    // What waits here for longer than the server does is not to go to somebody else.
    const working = setInterval(() => this.tell(server, this.held.values(), WORKING), ackWait / 3)
    working.unref()
    return {
      pull,
      limit,
      end: async () => {
        clearInterval(working)
        await pull.stop()
        inbox.end()
        // The server looks after the requests of who asks no more; else it would try them first, and change the order.
        await server.manager.consumers.info(stream, name).catch(() => {})
        // Given ones may still be committed; the others are for somebody else.
        await this.giveBack([...this.held.values()].filter(({ given }) => given === 0))
      },
    }
  }

  /** Messages come again at once, to whoever reads. Where the server is not there they do so by themselves. */
  private async giveBack(messages: readonly Held[]): Promise<void> {
    for (const { sequence } of messages) this.held.delete(sequence)
    if (messages.length === 0) return
    const server = await this.link.current?.catch(() => undefined)
    if (server !== undefined && this.tell(server, messages, NAK)) await flushed(server.connection).catch(() => {})
  }

  private tell({ connection }: NatsJetStream, messages: Iterable<Held>, word: Uint8Array): boolean {
    try {
      for (const { reply } of messages) connection.publish(reply, word)
      return true
    } catch {
      // The connection has gone.
      return false
    }
  }
}
