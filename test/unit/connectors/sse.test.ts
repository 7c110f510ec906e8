import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, it } from 'mocha'
import { firstValueFrom, lastValueFrom, of, take, toArray } from 'rxjs'
import { type EventSink, eventSink, eventSource } from '../../../lib/connectors/sse'
import { fromSource, toSink } from '../../../lib/jobs'
import { sinkConformance, sourceConformance } from '../../../lib/testing'

const RETRY = { initial: 1, max: 20 }

async function serveWith(listener: RequestListener): Promise<{ server: Server; url: string }> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` }
}

function end(server: Server): void {
  server.close()
  server.closeAllConnections()
}

/** A server that keeps its events, each with its number as id. */
async function keepingServer() {
  const events: string[] = []
  const readers = new Map<ServerResponse, number>()
  const send = () => {
    for (const [reader, from] of readers) {
      for (let at = from; at < events.length; at++) reader.write(`id: ${at}\ndata: ${events[at]}\n\n`)
      readers.set(reader, events.length)
    }
  }
  const { server, url } = await serveWith((request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.flushHeaders()
    const last = request.headers['last-event-id']
    readers.set(response, last === undefined ? 0 : Number(last) + 1)
    response.on('close', () => readers.delete(response))
    send()
  })
  return { server, url, send, events, cut: () => server.closeAllConnections() }
}

sourceConformance(
  'eventSource',
  async () => {
    const outside = await keepingServer()
    let letters = 0
    return {
      open: () => eventSource<number>(outside.url, { retry: RETRY, deadLetters: () => letters++ }),
      put: (items) => {
        outside.events.push(...items.map((item) => JSON.stringify(item)))
        outside.send()
      },
      item: (at) => at,
      ends: false,
      replays: true,
      putBad: () => {
        outside.events.push('{')
        outside.send()
      },
      letters: () => letters,
      interrupt: async () => outside.cut(),
      dispose: () => end(outside.server),
    }
  },
  { interrupts: true, refuses: true },
)

sinkConformance('eventSink', async () => {
  // What stands before the service: a client that comes back reaches whichever process is there.
  let sink: EventSink<number> | undefined
  const { server, url } = await serveWith((request, response) => {
    if (sink === undefined) response.writeHead(503).end()
    else sink.listener(request, response)
  })
  const seen: number[] = []
  const over = new AbortController()
  const reading = (async () => {
    // From the beginning, also of what was shown before it came.
    const events = eventSource<number>(url, { retry: RETRY }).read({ id: '0' }, over.signal)
    for await (const [value] of events as AsyncIterable<readonly [number, unknown]>) seen.push(value)
  })()
  return {
    open: () => {
      server.closeAllConnections()
      sink = eventSink<number>({ listen: false, retry: 1 })
      return sink
    },
    item: (at) => at,
    contents: async () => {
      for (let before = -1; before < seen.length; ) {
        before = seen.length
        await sleep(100)
      }
      return [...seen]
    },
    guarantee: 'exactly-once',
    dispose: async () => {
      over.abort()
      await reading
      end(server)
    },
  }
})

describe('eventSource', () => {
  it('ends when the server says that there is nothing more', async () => {
    let asked = 0
    const { server, url } = await serveWith((_request, response) => {
      if (asked++ > 0) {
        response.writeHead(204).end()
        return
      }
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.end('retry: 1\n\ndata: 1\n\nevent: other\ndata: 2\n\ndata: [3,\ndata: 4]\n\n')
    })
    const items = await firstValueFrom(fromSource(eventSource(url, { events: ['message'] })).pipe(toArray()))
    assert.deepEqual(items, [1, [3, 4]])
    end(server)
  })

  it('does not ask again where the answer is no', async () => {
    const { server, url } = await serveWith((_request, response) => void response.writeHead(403).end())
    await assert.rejects(firstValueFrom(fromSource(eventSource(url))), { code: 'ERR_CONNECTION' })
    end(server)
    assert.throws(() => eventSource('ftp://x', { idle: 0 }), { code: 'ERR_OPTION' })
  })
})

describe('eventSink', () => {
  it('tells a client that comes back too late what it has missed', async () => {
    const sink = eventSink<number>({ port: 0, history: 2, event: (value) => `kind${value}` })
    await sink.open(undefined)
    for (let i = 1; i <= 5; i++) sink.write(i)
    await sink.prepare(1)
    await sink.commit(1)
    const answer = await fetch(sink.url, { headers: { 'last-event-id': '1' } })
    const reader = answer.body!.getReader()
    const text = new TextDecoder().decode((await reader.read()).value)
    assert.match(
      text,
      /event: gap\ndata: \{"from":2,"to":3\}\n\nid: 4\nevent: kind4\ndata: 4\n\nid: 5\nevent: kind5\ndata: 5\n\n$/,
    )
    await reader.cancel()
    await sink.close()
  })

  it('serves a stream outside of a job, to those who may read', async () => {
    const sink = eventSink<number>({ port: 0, path: '/events', allow: ({ headers }) => headers.key === 'yes' })
    const answers: Promise<number[]>[] = []
    const written = lastValueFrom(
      of(1, 2, 3).pipe(
        toSink(
          {
            ...bound(sink),
            prepare: async (epoch) => {
              assert.equal((await fetch(sink.url)).status, 403)
              answers.push(
                firstValueFrom(
                  fromSource(eventSource<number>(sink.url, { headers: { key: 'yes' } })).pipe(take(3), toArray()),
                ),
              )
              while (sink.clients < 1) await sleep(1)
              return sink.prepare(epoch)
            },
          },
          { every: 1 },
        ),
      ),
    )
    assert.equal(await written, 3)
    assert.deepEqual(await answers[0], [1, 2, 3])
  })
})

function bound(sink: EventSink<number>) {
  return {
    open: (saved: unknown) => sink.open(saved),
    write: (value: number) => sink.write(value),
    commit: (epoch: number) => sink.commit(epoch),
    close: () => sink.close(),
  }
}
