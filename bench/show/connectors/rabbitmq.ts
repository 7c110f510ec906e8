import { randomUUID } from 'node:crypto'
import { connect } from 'amqplib'
import { definition, installation, urlOf } from '../../../test/services/servers/rabbitmq'
import { type Connector, entry, type Item } from './connector'

const PREFETCH = 10_000
/** The client alone acknowledges as often as a commit comes. */
const ACKS = 5_000

export const rabbitmq: Connector = {
  name: 'RabbitMQ',
  installation,
  definition,
  async place(server) {
    const { rabbitSource, rabbitSink } = entry<typeof import('../../../lib/connectors/rabbitmq')>('rabbitmq')
    const url = urlOf(server.place)
    const [input, output] = [`in-${randomUUID()}`, `out-${randomUUID()}`]
    const channelOf = async () => {
      const connection = await connect(url)
      connection.on('error', () => {})
      const channel = await connection.createConfirmChannel()
      channel.on('error', () => {})
      return { channel, close: () => connection.close() }
    }
    const opened = await channelOf()
    for (const queue of [input, output]) await opened.channel.assertQueue(queue, { durable: true })
    const write = async (opened: Awaited<ReturnType<typeof channelOf>>, queue: string, items: readonly Item[]) => {
      for (let from = 0; from < items.length; from += 1000) {
        for (const item of items.slice(from, from + 1000)) {
          opened.channel.sendToQueue(queue, Buffer.from(JSON.stringify(item)), { persistent: true })
        }
        await opened.channel.waitForConfirms()
      }
    }
    return {
      fill: (items) => write(opened, input, items),
      source: () => rabbitSource<Item>(input, { url, prefetch: PREFETCH }),
      sink: () => rabbitSink<Item>(output, { url }),
      async results() {
        const { channel, close } = await channelOf()
        const { messageCount } = await channel.checkQueue(output)
        const found: number[] = []
        if (messageCount > 0) {
          await new Promise<void>((resolve) => {
            void channel.consume(
              output,
              (message) => {
                found.push((JSON.parse(message!.content.toString()) as Item).at)
                if (found.length === messageCount) resolve()
              },
              { noAck: true },
            )
          })
        }
        await close()
        return found
      },
      async clientReads(count) {
        const { channel, close } = await channelOf()
        await channel.prefetch(PREFETCH)
        let got = 0
        await new Promise<void>((resolve) => {
          void channel.consume(input, (message) => {
            JSON.parse(message!.content.toString())
            got++
            if (got % ACKS === 0 || got === count) channel.ack(message!, true)
            if (got === count) resolve()
          })
        })
        await close()
      },
      async clientWrites(items) {
        const alone = await channelOf()
        await write(alone, output, items)
        await alone.close()
      },
      close: () => opened.close().catch(() => {}),
    }
  },
}
