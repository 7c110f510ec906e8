import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, get, type IncomingMessage } from 'node:http'
import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePorts } from '../../../test/services/server'
import { type Connector, entry, type Item } from './connector'
import { fillList } from './outside/lists'
import { serverOf } from './outside/program'

const { createParser } = createRequire(__filename)('eventsource-parser') as typeof import('eventsource-parser')

/** The events of one answer, as the parser's documentation reads them. True where `take` wants no more. */
async function events(answer: IncomingMessage, take: (data: string, id: string | undefined) => boolean) {
  let enough = false
  const parser = createParser({
    onEvent: ({ data, id }) => {
      enough ||= take(data, id)
    },
  })
  answer.setEncoding('utf8')
  for await (const text of answer) {
    parser.feed(text as string)
    if (enough) return true
  }
  return false
}

async function answerOf(url: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
  const [answer] = (await once(get(url, { headers }), 'response')) as [IncomingMessage]
  return answer
}

/** A server that keeps its events. */
export const sseSource: Connector = {
  name: 'Server-Sent Events, source',
  definition: serverOf('sse-server.ts'),
  async place(server) {
    const { eventSource } = entry<typeof import('../../../lib/connectors/sse')>('sse')
    const list = `in-${randomUUID()}`
    const url = `http://127.0.0.1:${server.port}/${list}`
    return {
      fill: (items) => fillList(server.place.folder, list, items),
      source: () => eventSource<Item>(url, { retry: { initial: 50, max: 500 } }),
      async clientReads(count) {
        let got = 0
        const answer = await answerOf(url)
        await events(answer, (data) => {
          JSON.parse(data)
          return ++got === count
        })
        answer.destroy()
      },
      close() {},
    }
  },
}

/** A client that comes back with the id of the last event that it has seen; it reads in this process, for both alike. */
class Reader {
  readonly seen: string[] = []
  private last = '0'
  private over = false

  constructor(private readonly url: string) {
    void this.read()
  }

  close(): void {
    this.over = true
  }

  async has(count: number): Promise<void> {
    while (this.seen.length < count) await sleep(5)
  }

  private async read(): Promise<void> {
    for (; !this.over; await sleep(20)) {
      try {
        const answer = await answerOf(this.url, { 'last-event-id': this.last })
        await events(answer, (data, id) => {
          this.seen.push(data)
          this.last = id ?? this.last
          return this.over
        })
        answer.destroy()
      } catch {
        // Nobody serves it at this moment.
      }
    }
  }
}

/** The server is the job itself. */
export const sseSink: Connector = {
  name: 'Server-Sent Events, sink',
  async place() {
    const { eventSink } = entry<typeof import('../../../lib/connectors/sse')>('sse')
    const [port] = (await freePorts(1)) as [number]
    const reader = new Reader(`http://127.0.0.1:${port}/`)
    return {
      // Whoever reads may be behind by all of it.
      sink: () => eventSink<Item>({ port, history: 1_000_000, maxWaiting: 2 ** 30 }),
      arrived: (count) => reader.has(count),
      async results() {
        return reader.seen.map((data) => (JSON.parse(data) as Item).at)
      },
      async clientWrites(items) {
        const server = createServer((_request, response) => {
          response.writeHead(200, { 'content-type': 'text/event-stream' })
          items.forEach((item, at) => {
            response.write(`id: ${at + 1}\ndata: ${JSON.stringify(item)}\n\n`)
          })
          response.end()
        })
        server.listen(port, '127.0.0.1')
        await reader.has(items.length)
        server.closeAllConnections()
        server.close()
      },
      close: () => reader.close(),
    }
  },
}
