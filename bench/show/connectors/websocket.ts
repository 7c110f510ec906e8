import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { type Connector, entry, type Item } from './connector'
import { fillList, numbersOf } from './outside/lists'
import { serverOf } from './outside/program'

/** A server that sends again from where a client says that it is; for results, one that keeps what it is sent. */
export const websocket: Connector = {
  name: 'WebSocket',
  definition: serverOf('websocket-server.ts'),
  async place(server) {
    const { webSocketSink, webSocketSource } = entry<typeof import('../../../lib/connectors/websocket')>('websocket')
    const { WebSocket } = createRequire(__filename)('ws') as typeof import('ws')
    const { folder } = server.place
    const [input, output] = [`in-${randomUUID()}`, `out-${randomUUID()}`]
    const url = `ws://127.0.0.1:${server.port}`
    const retry = { initial: 50, max: 500 }
    const connected = async (path: string) => {
      const socket = new WebSocket(`${url}/${path}`)
      await once(socket, 'open')
      return socket
    }
    return {
      fill: (items) => fillList(folder, input, items),
      source: () =>
        webSocketSource<Item>(`${url}/${input}`, {
          retry,
          hello: (last) => String(last === undefined ? 0 : last + 1),
          position: ({ at }) => at,
        }),
      sink: () => webSocketSink<Item>(`${url}/to/${output}`, { retry }),
      results: async () => numbersOf(folder, output),
      async clientReads(count) {
        const socket = await connected(input)
        let got = 0
        await new Promise<void>((resolve) => {
          socket.on('message', (data) => {
            JSON.parse(String(data))
            if (++got === count) resolve()
          })
          socket.send('0')
        })
        socket.terminate()
      },
      async clientWrites(items) {
        const socket = await connected(`to/client-${output}`)
        for (const item of items) {
          const message = JSON.stringify(item)
          if (socket.bufferedAmount < 8 << 20) socket.send(message)
          else await new Promise((resolve) => socket.send(message, resolve))
        }
        socket.ping()
        await once(socket, 'pong')
        socket.terminate()
      },
      close() {},
    }
  },
}
