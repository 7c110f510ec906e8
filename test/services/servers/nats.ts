import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { debian } from '../installing'
import type { Place, ServerDefinition } from '../server'

const program = '/usr/sbin/nats-server'

export const installation = debian('nats', ['nats-server'], program)

export const PASSWORD = 'a-secret-of-nats'

export function urlOf({ port }: Place): string {
  return `nats://tester:${PASSWORD}@127.0.0.1:${port}`
}

/** One server with JetStream; its streams are in files. */
export const definition: ServerDefinition = {
  name: 'nats',
  prepare({ folder, port }) {
    const lines = [
      `listen: 127.0.0.1:${port}`,
      `jetstream { store_dir: "${folder}", max_mem: 64M, max_file: 4G }`,
      `authorization { user: tester, password: "${PASSWORD}" }`,
      'max_payload: 256K',
    ]
    writeFileSync(join(folder, 'nats.conf'), `${lines.join('\n')}\n`)
  },
  command: ({ folder }) => ({
    file: program,
    args: ['--config', join(folder, 'nats.conf')],
    env: { GOMAXPROCS: '2' },
  }),
}
