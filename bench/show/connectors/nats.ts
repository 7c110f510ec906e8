import { randomUUID } from 'node:crypto'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { definition, installation, PASSWORD, urlOf } from '../../../test/services/servers/nats'
import { type Connector, entry, type Item } from './connector'

const PREFETCH = 10_000

export const nats: Connector = {
  name: 'NATS JetStream',
  installation,
  definition,
  async place(server) {
    const { natsSource, natsSink } = entry<typeof import('../../../lib/connectors/nats')>('nats')
    const url = urlOf(server.place)
    const [input, output] = [`in-${randomUUID()}`, `out-${randomUUID()}`]
    const clientOf = async () => {
      const servers = `127.0.0.1:${server.port}`
      const connection = await connect({ servers, user: 'tester', pass: PASSWORD, maxReconnectAttempts: -1 })
      return { connection, client: jetstream(connection), manager: await jetstreamManager(connection) }
    }
    const opened = await clientOf()
    for (const name of [input, output]) await opened.manager.streams.add({ name, subjects: [name] })
    // With ids, as ours: what is sent again is there once.
    const write = async (opened: Awaited<ReturnType<typeof clientOf>>, stream: string, items: readonly Item[]) => {
      for (let from = 0; from < items.length; from += 1000) {
        const sent = items
          .slice(from, from + 1000)
          .map((item) => opened.client.publish(stream, JSON.stringify(item), { msgID: `${stream}-${item.at}` }))
        await Promise.all(sent)
      }
    }
    return {
      fill: (items) => write(opened, input, items),
      // What was on its way when the server was killed comes again when it has waited for so long.
      source: () => natsSource<Item>(input, { url, consumer: 'show', prefetch: PREFETCH, ackWait: 5_000 }),
      sink: () => natsSink<Item>(output, { url }),
      async results() {
        const { connection, manager, client } = await clientOf()
        const { num_pending: count, name } = await manager.consumers.add(output, { ack_policy: 'none' })
        const found: number[] = []
        if (count > 0) {
          const messages = await (await client.consumers.get(output, name)).consume({ max_messages: 5_000 })
          for await (const message of messages) {
            found.push(message.json<Item>().at)
            if (found.length === count) break
          }
        }
        await connection.close()
        return found
      },
      async clientReads(count) {
        const alone = await clientOf()
        await alone.manager.consumers.add(input, {
          durable_name: 'client',
          ack_policy: 'explicit',
          max_ack_pending: PREFETCH,
        })
        const consumer = await alone.client.consumers.get(input, 'client')
        let got = 0
        for await (const message of await consumer.consume({ max_messages: 2_000 })) {
          message.json()
          message.ack()
          if (++got === count) break
        }
        await alone.connection.flush()
        await alone.connection.close()
      },
      async clientWrites(items) {
        const alone = await clientOf()
        await write(alone, output, items)
        await alone.connection.close()
      },
      close: () => opened.connection.close(),
    }
  },
}
