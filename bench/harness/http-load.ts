/** Load on an HTTP service: connections that stay open, each of which asks again as soon as it has its answer. */
import { connect, type Socket } from 'node:net'

export interface LoadOptions {
  readonly port: number
  readonly connections: number
  /** Seconds that count, and those before them that do not. */
  readonly seconds: number
  readonly warmUp: number
  /** Whole requests, head and body, which are sent in turn. */
  readonly requests: readonly Buffer[]
  /** Told of each answer: the number of its request, and its body. */
  readonly onAnswer?: (request: number, body: string) => void
}

export interface Load {
  readonly perSecond: number
  /** Milliseconds from the request to its answer, in order of length. */
  readonly latencies: readonly number[]
}

export function postRequest(path: string, body: string): Buffer {
  const head = [
    `POST ${path} HTTP/1.1`,
    'host: localhost',
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
  ]
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`)
}

/**
 * Plain sockets rather than an HTTP client, which would take more of the machine than some of the services that are measured
 * with it. Answers must have a content-length.
 */
export function load(options: LoadOptions): Promise<Load> {
  const { port, connections, seconds, warmUp, requests, onAnswer } = options
  const sockets: Socket[] = []
  const latencies: number[] = []
  const counted = performance.now() + warmUp * 1000
  const end = counted + seconds * 1000
  let next = 0
  return new Promise((resolve, reject) => {
    let open = connections
    const fail = (error: Error) => {
      for (const socket of sockets) socket.destroy()
      reject(error)
    }
    const start = () => {
      const socket = connect(port, '127.0.0.1')
      sockets.push(socket)
      socket.setNoDelay(true)
      let began = 0
      let number = 0
      let received = ''
      const ask = () => {
        began = performance.now()
        number = next
        next = next + 1 === requests.length ? 0 : next + 1
        socket.write(requests[number]!)
      }
      socket.on('connect', ask)
      socket.on('error', fail)
      socket.on('data', (chunk: Buffer) => {
        received = received === '' ? chunk.toString('latin1') : received + chunk.toString('latin1')
        const head = received.indexOf('\r\n\r\n')
        if (head < 0) return
        const length = /^content-length: *(\d+)/im.exec(received.slice(0, head))
        if (length === null || !received.startsWith('HTTP/1.1 200')) {
          fail(new Error(`the service answered: ${received.slice(0, 300)}`))
          return
        }
        const body = head + 4
        if (received.length < body + Number(length[1])) return
        const now = performance.now()
        if (began >= counted && now <= end) latencies.push(now - began)
        onAnswer?.(number, Buffer.from(received.slice(body), 'latin1').toString('utf8'))
        received = ''
        if (now < end) {
          ask()
          return
        }
        socket.end()
        open -= 1
        if (open > 0) return
        latencies.sort((a, b) => a - b)
        resolve({ perSecond: latencies.length / seconds, latencies })
      })
    }
    for (let i = 0; i < connections; i += 1) start()
  })
}
