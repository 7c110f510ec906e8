/** `FILE URL CONNECTIONS`: POSTs each line, over so many connections, again and again until somebody has answered that it has it. */
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

const [file, url, connections] = process.argv.slice(2) as [string, string, string]
const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
const agent = new Agent({ keepAlive: true, maxSockets: Number(connections) })

function post(body: string): Promise<boolean> {
  return new Promise((resolve) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const outgoing = request(url, { method: 'POST', agent, headers }, (answer) => {
      answer.resume()
      answer.once('close', () => resolve(answer.statusCode! < 300))
    })
    outgoing.once('error', () => resolve(false))
    outgoing.end(body)
  })
}

let next = 0
async function sender(): Promise<void> {
  while (next < lines.length) {
    const line = lines[next++]!
    while (!(await post(line))) await sleep(20)
  }
}

void Promise.all(Array.from({ length: Number(connections) }, sender)).then(() => agent.destroy())
