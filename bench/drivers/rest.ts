import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { locatePython } from '../../lib/pool/locate'
import { ensureEnvironment } from '../../lib/pool/requirements'
import { callSession } from '../harness/pump'
import type { Driver } from '../harness/types'
import { pythonArguments, pythonEnd } from './lines'
import { decode, encode } from './text'

const REQUIREMENTS = join(__dirname, 'python', 'rest_requirements.txt')

let executable: string | undefined

/** What most teams have today: FastAPI behind uvicorn, one process, asked over connections that stay open. */
export const rest: Driver = {
  name: 'rest',
  label: 'REST (FastAPI, uvicorn)',
  role: 'peer',
  concurrent: true,
  carries: ['strings', 'records', 'frames', 'array'],
  except: ['forest-columns'],
  async unavailable({ python }) {
    try {
      executable = (await ensureEnvironment({ requirements: REQUIREMENTS, python: await locatePython(python) }))
        .executable
      return undefined
    } catch (error) {
      return `FastAPI and uvicorn do not install: ${(error as Error).message.split('\n').slice(0, 3).join(' ')}`
    }
  },
  variables: () => ({ RXP_BENCH_REST: executable ?? '' }),
  async open(work) {
    const { payload } = work.case
    const args = [pythonEnd('rest.py'), ...pythonArguments(work.case)]
    const server = spawn(process.env.RXP_BENCH_REST!, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = once(server, 'close')
    const [line] = (await Promise.race([once(server.stdout, 'data'), ended])) as [unknown]
    const port = Number(String(line))
    if (!(port > 0)) throw new Error(`the service did not say its port but ended with ${line}`)
    const agent = new Agent({ keepAlive: true, maxSockets: work.job.inFlight })
    const ask = (method: 'GET' | 'POST', path: string, body: string) =>
      new Promise<string>((resolve, reject) => {
        const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
        const outgoing = request({ port, agent, path, method, headers }, (response) => {
          const chunks: Buffer[] = []
          response.on('data', (chunk: Buffer) => chunks.push(chunk))
          response.on('error', reject)
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString('utf8')
            if (response.statusCode === 200) resolve(text)
            else reject(new Error(`the service answered ${response.statusCode}: ${text.slice(0, 200)}`))
          })
        })
        outgoing.on('error', reject)
        outgoing.end(body)
      })
    const waited = performance.now()
    while (
      !(await ask('GET', '/', '').then(
        () => true,
        () => false,
      ))
    ) {
      if (performance.now() - waited > 30_000) throw new Error('the service does not answer')
    }
    return callSession(
      work,
      async (batch) => decode(await ask('POST', '/handle', encode(batch, payload)), payload),
      async () => {
        agent.destroy()
        server.kill()
        await ended
      },
    )
  },
}
