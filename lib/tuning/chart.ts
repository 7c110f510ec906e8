import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { page } from './page'
import type { Params, Trial, TunerSpec } from './types'

type Event = { begin: { number: number; params: Params } } | { trial: Trial } | { best: Trial }

/** Milliseconds that a page gets to hear the end before the server goes. */
const LAST_WORDS = 500

/** The live chart: a page on 127.0.0.1, which hears of each trial by server-sent events. */
export class ChartServer {
  private readonly events: Event[] = []
  private readonly listeners = new Set<ServerResponse>()
  private readonly page: string
  private readonly server = createServer((request, response) => {
    const { host = '' } = request.headers
    // A page from elsewhere that has made its own name mean this machine is not to read along.
    if (!/^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(host)) response.writeHead(403).end()
    else if (request.url === '/events') this.listen(response)
    else if (request.url === '/') response.writeHead(200, HEADERS).end(this.page)
    else response.writeHead(404).end()
  })

  constructor(private readonly spec: TunerSpec & { name?: string }) {
    const logarithmic = (spec.hyperParams ?? []).filter(({ suggest }) => suggest === 'loguniform')
    const names = logarithmic.map(({ name }) => name)
    this.page = page(spec.name ?? 'tuning', spec.direction ?? 'minimize', spec.numberOfTrials, names)
  }

  async open(): Promise<string> {
    const { chart } = this.spec
    this.server.listen(typeof chart === 'number' ? chart : 0, '127.0.0.1')
    await once(this.server, 'listening')
    // It is there for the search, and keeps no process alive by itself.
    this.server.unref()
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/`
  }

  begin(begin: { number: number; params: Params }): void {
    this.tell({ begin })
  }

  trial(trial: Trial): void {
    this.tell({ trial })
  }

  end(best: Trial): void {
    this.tell({ best })
  }

  /** Pages that look on keep what they show. */
  async close(): Promise<void> {
    for (const listener of this.listeners) listener.end()
    const closed = once(this.server, 'close')
    this.server.close()
    const late = setTimeout(() => this.server.closeAllConnections(), LAST_WORDS)
    await closed
    clearTimeout(late)
  }

  private tell(event: Event): void {
    this.events.push(event)
    for (const listener of this.listeners) listener.write(lineOf(event))
  }

  private listen(response: ServerResponse): void {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
    response.write(this.events.map(lineOf).join(''))
    this.listeners.add(response)
    response.on('close', () => this.listeners.delete(response))
  }
}

const HEADERS = {
  'Content-Type': 'text/html; charset=utf-8',
  'Cache-Control': 'no-store',
  'Content-Security-Policy':
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'",
}

function lineOf(event: Event): string {
  return `data: ${JSON.stringify(event)}\n\n`
}
