import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import rhea, { type Connection, type EventContext } from 'rhea'
import { definition, installation, PASSWORD, urlOf } from '../../../test/services/servers/artemis'
import { type Connector, entry, type Item } from './connector'

const PREFETCH = 3_000
/** Milliseconds without a message after which a queue counts as empty. */
const QUIET = 1_500
/** The client alone acknowledges as often as a commit comes. */
const ACKS = 1_500

export const amqp: Connector = {
  name: 'AMQP 1.0',
  installation,
  definition,
  async place(server) {
    const { amqpSource, amqpSink } = entry<typeof import('../../../lib/connectors/amqp')>('amqp')
    const url = urlOf(server.place)
    const [input, output] = [`in-${randomUUID()}`, `out-${randomUUID()}`]
    const target = (address: string) => ({ address, capabilities: ['queue'] }) as never
    const clientOf = async () => {
      const options = { host: '127.0.0.1', port: server.port, username: 'tester', password: PASSWORD, reconnect: false }
      const session_buffer_size = { incoming: 2 * PREFETCH, outgoing: 2_000 }
      const connection = rhea.create_container({}).connect({ ...options, session_buffer_size } as never)
      connection.on('disconnected', () => {})
      await new Promise((resolve) => connection.once('connection_open', resolve))
      return connection
    }
    const opened = await clientOf()
    const write = (connection: Connection, queue: string, items: readonly Item[]) =>
      new Promise<void>((resolve) => {
        const sender = connection.open_sender({ target: target(queue) })
        let [next, accepted] = [0, 0]
        const more = () => {
          while (next < items.length && sender.sendable()) {
            sender.send({ body: JSON.stringify(items[next++]), durable: true })
          }
        }
        sender.on('sendable', more)
        sender.on('accepted', () => {
          if (++accepted < items.length) return more()
          sender.close()
          resolve()
        })
      })
    /** Each message as it comes; `take` says whether it was the last one. */
    const receive = (connection: Connection, queue: string, take: (context: EventContext) => boolean) =>
      new Promise<void>((resolve) => {
        const receiver = connection.open_receiver({ source: target(queue), credit_window: 0, autoaccept: false })
        receiver.on('message', (context) => {
          if (take(context)) resolve()
        })
        receiver.add_credit(PREFETCH)
      })
    return {
      fill: (items) => write(opened, input, items),
      source: () => amqpSource<Item>(input, { url, prefetch: PREFETCH }),
      sink: () => amqpSink<Item>(output, { url }),
      async results() {
        const connection = await clientOf()
        const found: number[] = []
        const receiver = connection.open_receiver({ source: target(output), credit_window: 0 })
        receiver.on('message', ({ message }) => {
          found.push((JSON.parse(message!.body as string) as Item).at)
          receiver.add_credit(1)
        })
        receiver.add_credit(PREFETCH)
        // All is there when for a while nothing more comes.
        for (let before = -1; before < found.length; await sleep(QUIET)) before = found.length
        connection.close()
        return found
      },
      async clientReads(count) {
        let got = 0
        let waiting: { accept(): void }[] = []
        const connection = await clientOf()
        await receive(connection, input, ({ message, delivery, receiver }) => {
          JSON.parse(message!.body as string)
          waiting.push(delivery!)
          got++
          if (got % ACKS === 0 || got === count) {
            for (const one of waiting) one.accept()
            receiver!.add_credit(waiting.length)
            waiting = []
          }
          return got === count
        })
        connection.close()
      },
      async clientWrites(items) {
        const connection = await clientOf()
        await write(connection, output, items)
        connection.close()
      },
      close: () => void opened.close(),
    }
  },
}
