/** `FOLDER PORT`: sends the lines of `/NAME` from the one on that it is asked for; keeps what is sent to `/to/NAME`. */
import { closeSync, openSync, writeSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { WebSocket } from 'ws'
import { fileOf, linesOf } from './lists'

const { WebSocketServer } = createRequire(__filename)('ws') as typeof import('ws')
const [folder, port] = process.argv.slice(2) as [string, string]

/** Bytes on their way to a client from which on the next ones wait. */
const FULL = 1 << 20

async function send(socket: WebSocket, lines: readonly string[], from: number): Promise<void> {
  for (let at = from; at < lines.length && socket.readyState === socket.OPEN; at++) {
    if (socket.bufferedAmount < FULL) socket.send(lines[at]!)
    else await new Promise((resolve) => socket.send(lines[at]!, resolve))
  }
}

const server = new WebSocketServer({ port: Number(port), host: '127.0.0.1' })
server.on('connection', (socket, request) => {
  socket.on('error', () => {})
  const [, list, target] = request.url!.split('/')
  if (list !== 'to') {
    socket.once('message', (from) => void send(socket, linesOf(folder, list!), Number(from)))
    return
  }
  // In the file before the next ping is answered: a kill loses nothing that was confirmed.
  const file = openSync(fileOf(folder, target!), 'a')
  socket.on('message', (data) => writeSync(file, `${data}\n`))
  socket.once('close', () => closeSync(file))
})
