import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { it } from 'mocha'
import { firstValueFrom, toArray } from 'rxjs'
import { s3Sink, s3Source } from '../../lib/connectors/s3'
import { fromSource } from '../../lib/jobs'
import { sinkConformance, sourceConformance } from '../../lib/testing'
import type { Server } from './server'
import * as versitygw from './servers/versitygw'
import { describeService } from './service'

interface Row {
  n: number
  text: string
}

const row = (n: number): Row => ({ n, text: `row ${n} ü` })
const RETRY = { initial: 20, max: 200 }

function configOf(server: Server) {
  return {
    endpoint: `http://127.0.0.1:${server.port}`,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: versitygw.ACCESS_KEY, secretAccessKey: versitygw.SECRET_KEY },
  }
}

/** A bucket of its own, and a plain client. */
async function outside(server: Server) {
  const client = new S3Client(configOf(server))
  const bucket = `bucket-${randomUUID()}`
  await client.send(new CreateBucketCommand({ Bucket: bucket }))
  const put = (key: string, body: string) => client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }))
  const keys = async () => {
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket }))
    return Contents.map(({ Key }) => Key!)
  }
  const text = async (key: string) => {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
    return Body!.transformToString()
  }
  const options = { bucket, client: configOf(server), retry: RETRY }
  return { client, bucket, put, keys, text, options, dispose: () => client.destroy() }
}

const jsonl = (items: readonly unknown[]) => items.map((item) => `${JSON.stringify(item)}\n`).join('')

async function interrupt(server: Server): Promise<void> {
  await server.kill()
  await server.restart()
}

describeService('S3', versitygw, (server) => {
  sourceConformance(
    's3Source',
    async () => {
      const { put, options, dispose } = await outside(server())
      let objects = 0
      let letters = 0
      const name = () => `in/${String(objects++).padStart(5, '0')}.jsonl`
      return {
        open: () => s3Source<Row>({ ...options, prefix: 'in/', watch: true, every: 20, deadLetters: () => letters++ }),
        async put(items) {
          for (let at = 0; at < items.length; at += 60) await put(name(), jsonl(items.slice(at, at + 60)))
        },
        item: row,
        ends: false,
        replays: true,
        putBad: () => put(name(), '{"n":\n').then(() => {}),
        letters: () => letters,
        interrupt: () => interrupt(server()),
        dispose,
      }
    },
    { interrupts: true, refuses: true },
  )

  sinkConformance(
    's3Sink',
    async () => {
      const { keys, text, options, dispose } = await outside(server())
      return {
        open: () => s3Sink<Row>({ ...options, prefix: 'out/', maxItems: 60 }),
        item: row,
        async contents() {
          const texts = []
          for (const key of await keys()) texts.push(await text(key))
          return texts
            .join('')
            .split('\n')
            .filter((line) => line !== '')
            .map((line) => JSON.parse(line) as Row)
        },
        guarantee: 'exactly-once',
        interrupt: () => interrupt(server()),
        dispose,
      }
    },
    { interrupts: true },
  )

  it('reads what it has written, in each format', async () => {
    const { options, keys, dispose } = await outside(server())
    const rows = Array.from({ length: 20 }, (_, n) => row(n))
    for (const format of ['csv', 'parquet', 'arrow', 'jsonl'] as const) {
      const sink = s3Sink<Row>({ ...options, prefix: `${format}/`, format })
      await sink.open(undefined)
      for (const one of rows) await sink.write(one)
      await sink.prepare(1)
      await sink.commit(1)
      await sink.close()
      const source = s3Source<Row>({ ...options, prefix: `${format}/` })
      const read = await firstValueFrom(fromSource(source).pipe(toArray()))
      assert.deepEqual(
        read.map(({ n, text }) => ({ n: Number(n), text })),
        rows,
        format,
      )
      // From the middle of the object.
      const positions = []
      for await (const [, position] of source.read(undefined) as AsyncIterable<readonly [Row, unknown]>) {
        positions.push(position)
      }
      const rest = []
      for await (const [item] of source.read(positions[9] as never) as AsyncIterable<readonly [Row, unknown]>) {
        rest.push(Number(item.n))
      }
      assert.deepEqual(rest, [10, 11, 12, 13, 14, 15, 16, 17, 18, 19], format)
      await source.close?.()
    }
    assert.equal((await keys()).length, 4)
    dispose()
  })

  it('uploads in parts, and gives up what no checkpoint has', async () => {
    const { options, client, bucket, keys, text, dispose } = await outside(server())
    const big = 'x'.repeat(6 << 20)
    const first = s3Sink<string>({ ...options, format: 'text', partBytes: 5 << 20 })
    await first.open(undefined)
    await first.write(big)
    const saved = await first.prepare(1)
    await first.write('never safe')
    await first.prepare(2)
    assert.deepEqual(await keys(), [])
    await first.close()
    const second = s3Sink<string>({ ...options, format: 'text' })
    await second.open(saved)
    assert.deepEqual(await keys(), ['part-000001-00.txt'])
    assert.equal((await text('part-000001-00.txt')).length, big.length + 1)
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))
    assert.deepEqual(Uploads, [])
    await second.close()
    dispose()
  })

  it('says when an object was replaced while it was read', async () => {
    const { options, put, dispose } = await outside(server())
    await put('a.txt', 'one\ntwo\n')
    const source = s3Source(options)
    const items = source.read(undefined) as AsyncGenerator<readonly [unknown, never]>
    const { value } = await items.next()
    await items.return(undefined)
    await put('a.txt', 'other\nlines\n')
    const again = source.read(value![1]) as AsyncGenerator
    await assert.rejects(again.next(), { code: 'ERR_JOB_RECOVERY' })
    await source.close?.()
    dispose()
  })

  it('does not try again what is refused, and does not show what is secret', async () => {
    const { options, dispose } = await outside(server())
    const client = { ...options.client, credentials: { accessKeyId: 'test-access', secretAccessKey: 'not-the-secret' } }
    await assert.rejects(firstValueFrom(fromSource(s3Source({ ...options, client }))), (error: Error) => {
      assert.equal((error as { code?: string }).code, 'ERR_CONNECTION')
      assert.doesNotMatch(`${error.stack} ${(error.cause as Error).stack}`, /not-the-secret/)
      return true
    })
    await assert.rejects((async () => s3Sink({ ...options, client }).open(undefined))(), { code: 'ERR_CONNECTION' })
    dispose()
  })

  it('names all that is wrong with its options', () => {
    assert.throws(() => s3Source({ prefix: 1, match: 'x' } as never), {
      code: 'ERR_OPTION',
      message: /bucket[\s\S]*prefix[\s\S]*match/,
    })
    assert.throws(() => s3Sink({ bucket: 'b', partBytes: 1 }), { code: 'ERR_OPTION' })
  })
})
