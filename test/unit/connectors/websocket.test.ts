import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, it } from 'mocha'
import { firstValueFrom, toArray } from 'rxjs'
import { WebSocketServer } from 'ws'
import { webSocketSink, webSocketSource } from '../../../lib/connectors/websocket'
import { fromSource } from '../../../lib/jobs'
import { sinkConformance, sourceConformance } from '../../../lib/testing'

interface Note {
  n: number
}

/** A server that keeps what it sends, and sends it from the place that a client names. */
class KeepingServer {
  readonly texts: string[] = []
  readonly server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  private readonly at = new Map<object, number>()

  constructor() {
    this.server.on('connection', (socket) => {
      socket.on('message', (data) => {
        this.at.set(socket, (JSON.parse(data.toString()) as { from: number }).from)
        this.send()
      })
    })
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.server.address() as AddressInfo).port}/`
  }

  put(texts: readonly string[]): void {
    this.texts.push(...texts)
    this.send()
  }

  cut(): void {
    for (const socket of this.server.clients) socket.terminate()
  }

  close(): void {
    this.cut()
    this.server.close()
  }

  private send(): void {
    for (const socket of this.server.clients) {
      const from = this.at.get(socket)
      if (from === undefined) continue
      for (const text of this.texts.slice(from)) socket.send(text)
      this.at.set(socket, this.texts.length)
    }
  }
}

const RETRY = { initial: 1, max: 20 }

sourceConformance(
  'webSocketSource',
  async () => {
    const server = new KeepingServer()
    await once(server.server, 'listening')
    let letters = 0
    return {
      open: () =>
        webSocketSource<Note, number>(server.url, {
          hello: (position) => JSON.stringify({ from: position ?? 0 }),
          position: ({ n }) => n + 1,
          retry: RETRY,
          deadLetters: () => letters++,
        }),
      put: (items) => server.put(items.map((item) => JSON.stringify(item))),
      item: (n) => ({ n }),
      ends: false,
      replays: true,
      putBad: () => server.put(['{']),
      letters: () => letters,
      interrupt: async () => server.cut(),
      dispose: () => server.close(),
    }
  },
  { interrupts: true, refuses: true },
)

sinkConformance(
  'webSocketSink',
  async () => {
    const seen: Note[] = []
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    await once(server, 'listening')
    server.on('connection', (socket) => {
      socket.on('message', (data) => seen.push(JSON.parse(data.toString()) as Note))
    })
    const cut = () => {
      for (const socket of server.clients) socket.terminate()
    }
    return {
      open: () => webSocketSink<Note>(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, { retry: RETRY }),
      item: (n) => ({ n }),
      contents: () => [...seen],
      guarantee: 'at-least-once',
      interrupt: async () => cut(),
      dispose: () => {
        cut()
        server.close()
      },
    }
  },
  { interrupts: true },
)

describe('webSocketSource', () => {
  it('lets the server feel that nobody reads', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    await once(server, 'listening')
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
    const text = JSON.stringify('x'.repeat(100_000))
    const connected = once(server, 'connection')
    const items = webSocketSource<string>(url, { batch: 10 }).read(undefined) as AsyncGenerator<[string, number]>
    const first = items.next()
    const [socket] = (await connected) as [import('ws').WebSocket]
    for (let i = 0; i < 1000; i++) socket.send(text)
    await first
    // 100 MB do not fit into what the two systems keep for a connection.
    assert.ok(socket.bufferedAmount > 10_000_000)
    for (let i = 1; i < 1000; i++) assert.equal((await items.next()).value[1], i + 1)
    await items.return(undefined)
    server.close()
  })

  it('ends with the connection where it is told to', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    server.on('connection', (socket) => {
      socket.send('1')
      socket.send('2')
      socket.close(1000)
    })
    await once(server, 'listening')
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
    const items = await firstValueFrom(fromSource(webSocketSource(url, { endOnClose: true })).pipe(toArray()))
    assert.deepEqual(items, [1, 2])
    server.close()
  })

  it('gives up at once where it is refused, without what is secret', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    server.on('upgrade', (_request, socket) => socket.end('HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n'))
    await once(server, 'listening')
    const url = `ws://user:hunter2@127.0.0.1:${(server.address() as AddressInfo).port}/?token=hunter3`
    await assert.rejects(firstValueFrom(fromSource(webSocketSource(url))), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'ERR_CONNECTION')
      assert.match(error.message, /status 401/)
      assert.doesNotMatch(error.message, /hunter/)
      return true
    })
    server.close()
  })

  it('names all that is wrong with its options', () => {
    assert.throws(() => webSocketSource('http://x', { heartbeat: -1, hello: 1 } as never), {
      code: 'ERR_OPTION',
      message: /ws:\/\/[\s\S]*hello[\s\S]*|heartbeat/,
    })
    assert.throws(() => webSocketSink('nothing'), { code: 'ERR_OPTION' })
  })
})
