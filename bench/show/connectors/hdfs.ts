import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { definition, installation } from '../../../test/services/servers/hdfs'
import { type Connector, entry, type Item } from './connector'

/** As many as the sink puts into a file when a checkpoint is taken every second or so. */
const FILE = 10_000

async function ask(method: string, url: string, body = ''): Promise<IncomingMessage> {
  const outgoing = request(url, {
    method,
    headers: method === 'PUT' ? { 'content-length': Buffer.byteLength(body) } : {},
  })
  outgoing.end(body)
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage]
  return answer
}

/** WebHDFS as its documentation has it: the name node says which data node, and that one gets or gives the bytes. */
async function webHdfs(method: string, url: string, body?: string): Promise<string> {
  let answer = await ask(method, url)
  if (answer.statusCode === 307) {
    answer.resume()
    answer = await ask(method, answer.headers.location!, body)
  }
  const said = await text(answer)
  if (answer.statusCode! >= 300) throw new Error(`${method} ${url}: ${answer.statusCode} ${said.slice(0, 200)}`)
  return said
}

export const hdfs: Connector = {
  name: 'HDFS',
  installation,
  definition,
  async place(server) {
    const { hdfsSink, hdfsSource } = entry<typeof import('../../../lib/connectors/hdfs')>('hdfs')
    const url = `http://127.0.0.1:${server.place.ports.http}`
    const top = `/show-${randomUUID()}`
    const at = (path: string, op: string) => `${url}/webhdfs/v1${top}/${path}?op=${op}&user.name=root`
    const write = async (folder: string, items: readonly Item[]) => {
      await webHdfs('PUT', at(folder, 'MKDIRS'))
      for (let from = 0; from < items.length; from += FILE) {
        const lines = items.slice(from, from + FILE).map((item) => `${JSON.stringify(item)}\n`)
        const name = `${folder}/${String(from).padStart(9, '0')}.jsonl`
        await webHdfs('PUT', at(name, 'CREATE&overwrite=true'), lines.join(''))
      }
    }
    const read = async (folder: string, take: (item: Item) => void) => {
      const { FileStatuses } = JSON.parse(await webHdfs('GET', at(folder, 'LISTSTATUS'))) as {
        FileStatuses: { FileStatus: { pathSuffix: string }[] }
      }
      for (const { pathSuffix } of FileStatuses.FileStatus) {
        if (pathSuffix.startsWith('.')) continue
        for (const line of (await webHdfs('GET', at(`${folder}/${pathSuffix}`, 'OPEN'))).split('\n'))
          if (line !== '') take(JSON.parse(line) as Item)
      }
    }
    const retry = { initial: 50, max: 1000 }
    return {
      fill: (items) => write('in', items),
      source: () => hdfsSource<Item>({ url, path: `${top}/in`, user: 'root', watch: true, every: 200, retry }),
      sink: () => hdfsSink<Item>({ url, path: `${top}/out`, user: 'root', maxItems: FILE, retry }),
      async results() {
        const found: number[] = []
        await read('out', ({ at }) => found.push(at))
        return found
      },
      clientReads: () => read('in', () => {}),
      clientWrites: (items) => write('client', items),
      close() {},
    }
  },
}
