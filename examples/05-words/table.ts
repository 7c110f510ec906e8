import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type AskedTable, topWords } from './words'

/** Answers questions about the table by HTTP, while the stream writes it: `GET /top?n=10`, `GET /count?word=the`. */
export async function serveTable(table: AskedTable, port = 0) {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
    const word = searchParams.get('word')
    const most = Number(searchParams.get('n') ?? 10)
    let answer: unknown
    if (pathname === '/top' && Number.isInteger(most) && most > 0) answer = topWords(table, most)
    else if (pathname === '/count' && word !== null) answer = { word, count: table.get(word)?.accumulator ?? 0 }
    response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(answer ?? { problem: 'ask for /top?n=10 or /count?word=the' }))
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    close: async () => {
      server.closeAllConnections()
      await new Promise((closed) => server.close(closed))
    },
  }
}
