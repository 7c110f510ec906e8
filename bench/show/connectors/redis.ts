import { randomUUID } from 'node:crypto'
import { createClient } from 'redis'
import { definition, installation, PASSWORD } from '../../../test/services/servers/redis'
import { type Connector, entry, type Item } from './connector'

const GROUP = 'show'

export const redis: Connector = {
  name: 'Redis streams',
  installation,
  definition,
  async place(server) {
    const { redisSource, redisSink } = entry<typeof import('../../../lib/connectors/redis')>('redis')
    const url = `redis://:${PASSWORD}@127.0.0.1:${server.port}`
    const [input, output] = [`in-${randomUUID()}`, `out-${randomUUID()}`]
    const connected = async () => {
      const made = createClient({ url })
      made.on('error', () => {})
      return made.connect()
    }
    const client = await connected()
    const write = async (client: Awaited<ReturnType<typeof connected>>, stream: string, items: readonly Item[]) => {
      for (let from = 0; from < items.length; from += 1000) {
        const batch = items.slice(from, from + 1000)
        await Promise.all(batch.map((item) => client.xAdd(stream, '*', { value: JSON.stringify(item) })))
      }
    }
    return {
      fill: (items) => write(client, input, items),
      source: () => redisSource<Item>(input, { url, group: GROUP, consumer: 'one' }),
      sink: () => redisSink<Item>(output, { url }),
      async results() {
        const found: number[] = []
        for (let from = '-'; ; ) {
          const entries = (await client.xRange(output, from, '+', { COUNT: 10_000 })) ?? []
          if (entries.length === 0) return found
          for (const { message } of entries) found.push((JSON.parse(message.value!) as Item).at)
          from = `(${entries.at(-1)!.id}`
        }
      },
      async clientReads(count) {
        const client = await connected()
        await client.xGroupCreate(input, GROUP, '0')
        for (let got = 0; got < count; ) {
          const answer = (await client.xReadGroup(
            GROUP,
            'one',
            { key: input, id: '>' },
            { COUNT: 1000, BLOCK: 500 },
          )) as readonly { messages: { id: string; message: Record<string, string> }[] }[] | null
          const messages = answer?.[0]?.messages ?? []
          for (const { message } of messages) JSON.parse(message.value!)
          if (messages.length > 0) {
            await client.xAck(
              input,
              GROUP,
              messages.map(({ id }) => id),
            )
          }
          got += messages.length
        }
        client.destroy()
      },
      async clientWrites(items) {
        const client = await connected()
        await write(client, output, items)
        client.destroy()
      },
      close: () => client.destroy(),
    }
  },
}
