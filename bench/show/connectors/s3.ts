import { randomUUID } from 'node:crypto'
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { ACCESS_KEY, definition, installation, SECRET_KEY } from '../../../test/services/servers/versitygw'
import { type Connector, entry, type Item } from './connector'

/** As many as the sink puts into an object when a checkpoint is taken every second or so. */
const OBJECT = 10_000

export const s3: Connector = {
  name: 'S3',
  installation,
  definition,
  async place(server) {
    const { s3Sink, s3Source } = entry<typeof import('../../../lib/connectors/s3')>('s3')
    const bucket = `bucket-${randomUUID()}`
    const config = {
      endpoint: `http://127.0.0.1:${server.port}`,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY },
    }
    const client = new S3Client(config)
    await client.send(new CreateBucketCommand({ Bucket: bucket }))
    const write = async (client: S3Client, prefix: string, items: readonly Item[]) => {
      for (let from = 0; from < items.length; from += OBJECT) {
        const Body = items
          .slice(from, from + OBJECT)
          .map((item) => `${JSON.stringify(item)}\n`)
          .join('')
        const Key = `${prefix}${String(from).padStart(9, '0')}.jsonl`
        await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body }))
      }
    }
    const read = async (client: S3Client, prefix: string, take: (item: Item) => void) => {
      const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }))
      for (const { Key } of Contents) {
        const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key }))
        for (const line of (await Body!.transformToString()).split('\n'))
          if (line !== '') take(JSON.parse(line) as Item)
      }
    }
    return {
      fill: (items) => write(client, 'in/', items),
      source: () => s3Source<Item>({ bucket, prefix: 'in/', client: config, watch: true, every: 200 }),
      sink: () => s3Sink<Item>({ bucket, prefix: 'out/', client: config, maxItems: OBJECT }),
      async results() {
        const found: number[] = []
        await read(client, 'out/', ({ at }) => found.push(at))
        return found
      },
      async clientReads() {
        const alone = new S3Client(config)
        await read(alone, 'in/', () => {})
        alone.destroy()
      },
      async clientWrites(items) {
        const alone = new S3Client(config)
        await write(alone, 'client/', items)
        alone.destroy()
      },
      close: () => client.destroy(),
    }
  },
}
