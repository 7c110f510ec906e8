import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { debian } from '../installing'
import type { Place, ServerDefinition } from '../server'

const program = '/usr/lib/rabbitmq/bin/rabbitmq-server'

export const installation = debian('rabbitmq', ['rabbitmq-server'], program)

export const PASSWORD = 'a-secret-of-rabbitmq'

export function urlOf({ port }: Place): string {
  return `amqp://tester:${PASSWORD}@127.0.0.1:${port}`
}

/** A node with a name daemon of its own, in the same process group: nothing outlives a kill. */
export const definition: ServerDefinition = {
  name: 'rabbitmq',
  ports: ['epmd', 'distribution'],
  prepare({ folder, port }) {
    mkdirSync(join(folder, 'data'))
    const lines = [
      `listeners.tcp.default = 127.0.0.1:${port}`,
      'default_user = tester',
      `default_pass = ${PASSWORD}`,
      'log.console = true',
      'log.console.level = warning',
      'log.file = false',
    ]
    writeFileSync(join(folder, 'rabbitmq.conf'), `${lines.join('\n')}\n`)
    writeFileSync(join(folder, 'plugins'), '[].\n')
  },
  command: ({ folder, ports }) => ({
    file: '/bin/sh',
    args: ['-c', `epmd -address 127.0.0.1 -port ${ports.epmd} & exec ${program}`],
    env: {
      HOME: folder,
      ERL_EPMD_PORT: `${ports.epmd}`,
      RABBITMQ_DIST_PORT: `${ports.distribution}`,
      RABBITMQ_NODENAME: `test-${ports.distribution}@localhost`,
      RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq'),
      RABBITMQ_CONF_ENV_FILE: join(folder, 'none'),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'plugins'),
      RABBITMQ_MNESIA_BASE: join(folder, 'data'),
      RABBITMQ_LOG_BASE: folder,
      RABBITMQ_PID_FILE: join(folder, 'pid'),
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '+S 1:1 +sbwt none',
    },
  }),
}
