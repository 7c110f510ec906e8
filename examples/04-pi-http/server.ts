import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'
// In a program of your own: from 'rxjs-python'
import { PythonPool } from '../../lib/index'
import { Estimates } from './estimates'

export interface ServerOptions {
  /** 0: one that is free. */
  port?: number
  interpreters?: number
  /** The most requests that wait. */
  most?: number
  /** So many answers can still be asked for. */
  keep?: number
}

const MOST_POINTS = 100_000_000
const MOST_BYTES = 10_000

/**
 * Pi on demand. `POST /pi {"points": n}` answers at once with 202 and an id; `GET /pi/ID` says what has become of it, and a
 * WebSocket at `/pi/ID` is told when it is ready.
 */
export async function startServer(options: ServerOptions = {}) {
  const { port = 0, interpreters = 2, most = 100, keep = 1000 } = options
  const pool = await PythonPool.open({ path: [__dirname], size: interpreters })
  const estimates = new Estimates(pool, { interpreters, most, keep })
  const server = createServer((request, response) => {
    answer(estimates, request, response).catch(() => response.destroy())
  })
  const sockets = new WebSocketServer({ noServer: true })
  server.on('upgrade', (request, socket, head) => {
    const id = idOf(request)
    if (id === undefined || estimates.find(id) === undefined) {
      socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n')
      return
    }
    sockets.handleUpgrade(request, socket, head, (client) => {
      client.on('error', () => {})
      estimates.wait(id).then(
        (estimate) => {
          client.send(JSON.stringify(estimate))
          client.close()
        },
        () => client.close(),
      )
    })
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      for (const client of sockets.clients) client.terminate()
      server.closeAllConnections()
      await new Promise((closed) => server.close(closed))
      await pool.close()
    },
  }
}

function idOf({ url }: IncomingMessage): string | undefined {
  return /^\/pi\/([\w-]+)$/.exec(url ?? '')?.[1]
}

async function answer(estimates: Estimates, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const say = (status: number, value: unknown, headers: Record<string, string> = {}) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(`${JSON.stringify(value)}\n`)
  }
  const id = idOf(request)
  if (request.method === 'GET' && id !== undefined) {
    const estimate = estimates.find(id)
    if (estimate === undefined) return say(404, { problem: `there is no estimate ${id}` })
    return say(200, estimate)
  }
  if (request.method !== 'POST' || request.url !== '/pi') {
    return say(404, { problem: 'POST /pi {"points": 1000000}, then GET /pi/ID' })
  }
  const points = pointsOf(await bodyOf(request))
  if (points === undefined) {
    return say(400, { problem: `"points" must be a whole number from 1 to ${MOST_POINTS}` })
  }
  const estimate = estimates.ask(points)
  if (estimate === undefined) return say(503, { problem: 'too many requests wait' }, { 'retry-after': '1' })
  return say(202, estimate, { location: `/pi/${estimate.id}` })
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of request.setEncoding('utf8')) {
    body += chunk
    if (body.length > MOST_BYTES) return ''
  }
  return body
}

function pointsOf(body: string): number | undefined {
  try {
    const { points } = JSON.parse(body) as { points?: unknown }
    return Number.isInteger(points) && (points as number) >= 1 && (points as number) <= MOST_POINTS
      ? (points as number)
      : undefined
  } catch {
    return undefined
  }
}
