import type { ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Source } from '../../../lib/jobs'
import { freePorts } from '../../../test/services/server'
import { type Connector, entry, type Item } from './connector'
import { fileOf, fillList } from './outside/lists'
import { startProgram } from './outside/program'

/** More than half of what may wait by default: from there on the source asks for a checkpoint by itself. */
const CONNECTIONS = 800

/** A sender that tries again until it is told that its webhook has arrived. */
export const webhook: Connector = {
  name: 'Webhooks',
  async place() {
    const { webhookSource } = entry<typeof import('../../../lib/connectors/http')>('http')
    const [port] = (await freePorts(1)) as [number]
    const folder = await mkdtemp(join(tmpdir(), 'rxjs-python-show-webhook-'))
    let sender: ChildProcess | undefined
    return {
      /** From now on they come, as soon as somebody listens. */
      async fill(items) {
        await fillList(folder, 'in', items)
        sender = startProgram('webhook-sender.ts', [
          fileOf(folder, 'in'),
          `http://127.0.0.1:${port}/`,
          String(CONNECTIONS),
        ])
      },
      source(): Source<Item, number> {
        const source = webhookSource<Item>({ port })
        return {
          async *read(position, signal, commitSoon) {
            for await (const [{ body }, at] of source.read(position, signal, commitSoon)) yield [body, at] as const
          },
          commit: (position) => source.commit!(position),
          close: () => source.close!(),
        }
      },
      async clientReads(count) {
        let got = 0
        await new Promise<void>((resolve) => {
          const server = createServer((request, response) => {
            const chunks: Buffer[] = []
            request.on('data', (chunk: Buffer) => chunks.push(chunk))
            request.once('end', () => {
              JSON.parse(Buffer.concat(chunks).toString())
              response.writeHead(204).end()
              if (++got < count) return
              server.close()
              server.closeIdleConnections()
              resolve()
            })
          }).listen(port, '127.0.0.1')
        })
      },
      async close() {
        sender?.kill('SIGKILL')
        await rm(folder, { recursive: true, force: true })
      },
    }
  },
}
