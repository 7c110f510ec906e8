// What an orchestrator asks: /live while the process works, /ready while it takes work, too.
import { createServer } from 'node:http'

/** `ready()` says whether it does; port 0 is one that is free. Resolves with a server that listens. */
export function serveHealth(port, ready) {
  const server = createServer((request, response) => {
    const status = request.url === '/live' || (request.url === '/ready' && ready()) ? 200 : 503
    response.writeHead(request.url === '/live' || request.url === '/ready' ? status : 404).end()
  })
  // The process may end although somebody asks.
  server.unref()
  return new Promise((resolve) => server.listen(port, '0.0.0.0', () => resolve(server)))
}
