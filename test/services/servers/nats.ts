import { golang } from '../installing'
import type { ServerDefinition } from '../server'

export const installation = golang('nats', 'github.com/nats-io/nats-server/v2@v2.11.10', 'nats-server')

export const TOKEN = 'a-secret-of-nats'

export const definition: ServerDefinition = {
  name: 'nats',
  command: ({ folder, port }) => ({
    file: installation.program,
    args: ['--jetstream', '--store_dir', folder, '--addr', '127.0.0.1', '--port', `${port}`, '--auth', TOKEN],
  }),
}
