import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { it } from 'mocha'
import { firstValueFrom, toArray } from 'rxjs'
import { hdfsSink, hdfsSource } from '../../lib/connectors/hdfs'
import { checkHdfs, WebHdfs } from '../../lib/connectors/hdfs/client'
import { fromSource } from '../../lib/jobs'
import { StreamChecker } from '../../lib/streams/check'
import { sinkConformance, sourceConformance } from '../../lib/testing'
import type { Server } from './server'
import * as hdfs from './servers/hdfs'
import { describeService } from './service'

interface Row {
  n: number
  text: string
}

const row = (n: number): Row => ({ n, text: `row ${n} ü` })
const jsonl = (items: readonly unknown[]) => items.map((item) => `${JSON.stringify(item)}\n`).join('')

/** A folder of its own, and a plain client. */
async function outside(server: Server) {
  const options = {
    url: `http://127.0.0.1:${server.place.ports.http}`,
    path: `/${randomUUID()}/a folder`,
    user: 'root',
    retry: { initial: 20, max: 500 },
  }
  const plain = new WebHdfs(checkHdfs(new StreamChecker('test', undefined, []), options))
  await plain.makeFolder(options.path)
  const put = (name: string, text: string) => plain.create(`${options.path}/${name}`, text)
  const names = async () => (await plain.list(options.path)).map(({ name }) => name).sort()
  return { options, put, names }
}

describeService('HDFS', hdfs, (server) => {
  sourceConformance(
    'hdfsSource',
    async () => {
      const { options, put } = await outside(server())
      let files = 0
      let letters = 0
      const name = () => `${String(files++).padStart(5, '0')}.jsonl`
      return {
        open: () => hdfsSource<Row>({ ...options, watch: true, every: 20, deadLetters: () => letters++ }),
        async put(items) {
          for (let at = 0; at < items.length; at += 100) await put(name(), jsonl(items.slice(at, at + 100)))
        },
        item: row,
        ends: false,
        replays: true,
        putBad: () => put(name(), '{"n":\n'),
        letters: () => letters,
      }
    },
    { refuses: true },
  )

  sinkConformance('hdfsSink', async () => {
    const { options } = await outside(server())
    return {
      open: () => hdfsSink<Row>({ ...options, maxItems: 60 }),
      item: row,
      contents: () => firstValueFrom(fromSource(hdfsSource<Row>(options)).pipe(toArray())),
      guarantee: 'exactly-once',
    }
  })

  it('reads what it has written, in each format, also from the middle', async () => {
    for (const format of ['csv', 'parquet', 'arrow', 'jsonl'] as const) {
      const { options } = await outside(server())
      const sink = hdfsSink<Row>({ ...options, format })
      await sink.open(undefined)
      for (let n = 0; n < 20; n++) await sink.write(row(n))
      await sink.prepare(1)
      await sink.commit(1)
      const source = hdfsSource<Row>(options)
      const all: (readonly [Row, never])[] = []
      for await (const one of source.read(undefined)) all.push(one as never)
      assert.deepEqual(
        all.map(([{ n, text }]) => ({ n: Number(n), text })),
        Array.from({ length: 20 }, (_, n) => row(n)),
        format,
      )
      const rest = []
      for await (const [{ n }] of source.read(all[9]![1])) rest.push(Number(n))
      assert.deepEqual(rest, [10, 11, 12, 13, 14, 15, 16, 17, 18, 19], format)
    }
  })

  it('leaves nothing behind that no checkpoint has', async () => {
    const { options, names } = await outside(server())
    const first = hdfsSink<string>({ ...options, format: 'text' })
    await first.open(undefined)
    await first.write('safe')
    const saved = await first.prepare(1)
    await first.write('never safe')
    await first.prepare(2)
    assert.deepEqual(
      (await names()).map((name) => name.replace(/[0-9a-f]{12}$/, 'RUN')),
      ['.part-000001-00.txt.RUN', '.part-000002-00.txt.RUN'],
    )
    await hdfsSink<string>({ ...options, format: 'text' }).open(saved)
    assert.deepEqual(await names(), ['part-000001-00.txt'])
  })

  it('says when a file was replaced while it was read, and what the cluster refuses', async () => {
    const { options, put } = await outside(server())
    await put('a.txt', 'one\ntwo\n')
    const source = hdfsSource(options)
    const items = source.read(undefined) as AsyncGenerator<readonly [unknown, never]>
    const { value } = await items.next()
    await items.return(undefined)
    await new Promise((resolve) => setTimeout(resolve, 5))
    await put('a.txt', 'other\nlines\n')
    await assert.rejects((source.read(value![1]) as AsyncGenerator).next(), { code: 'ERR_JOB_RECOVERY' })
    await assert.rejects(firstValueFrom(fromSource(hdfsSource({ ...options, path: '/nowhere' }))), {
      code: 'ERR_CONNECTION',
      message: /FileNotFoundException/,
    })
  })

  it('names all that is wrong with its options', () => {
    assert.throws(() => hdfsSource({ url: 'ftp://x', path: 'relative', match: 1 } as never), {
      code: 'ERR_OPTION',
      message: /url[\s\S]*path[\s\S]*match/,
    })
  })
})
