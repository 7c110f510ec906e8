import { createConnection } from 'node:net'
import { debian } from '../installing'
import type { ServerDefinition } from '../server'

const program = '/usr/bin/redis-server'

export const installation = debian('redis', ['redis-server'], program)

export const PASSWORD = 'a-secret-of-redis'

/** With a password, and an append-only file, so a kill of the process loses nothing that was answered. */
export const definition: ServerDefinition = {
  name: 'redis',
  command: ({ port, folder }) => ({
    file: program,
    args: [
      ...['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--requirepass', PASSWORD],
      ...['--save', '', '--appendonly', 'yes', '--appendfsync', 'always'],
    ],
  }),
  ready: ({ port }) => answers(port),
}

/** Whether it has read its data, and answers. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' }, () => socket.write(`AUTH ${PASSWORD}\r\nPING\r\n`))
    let said = ''
    socket.on('data', (data) => {
      said += data
      if (!said.includes('PONG') && !said.includes('-')) return
      socket.destroy()
      resolve(said.includes('PONG'))
    })
    socket.once('error', () => resolve(false))
  })
}
