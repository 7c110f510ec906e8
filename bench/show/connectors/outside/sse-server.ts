/** `FOLDER PORT`: the lines of `/NAME` as Server-Sent Events, each with its number as id, behind the one that the client has seen. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { linesOf } from './lists'

const [folder, port] = process.argv.slice(2) as [string, string]

const server = createServer(async (request, response) => {
  response.on('error', () => {})
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const lines = linesOf(folder, request.url!.slice(1))
  const seen = Number(request.headers['last-event-id'] ?? -1)
  for (let at = seen + 1; at < lines.length && !response.destroyed; at++) {
    if (response.write(`id: ${at}\ndata: ${lines[at]}\n\n`)) continue
    await Promise.race([once(response, 'drain'), once(response, 'close')])
  }
})
server.listen(Number(port), '127.0.0.1')
