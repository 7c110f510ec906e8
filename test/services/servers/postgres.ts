import { spawnSync } from 'node:child_process'
import { chownSync, existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import { debian } from '../installing'
import type { ServerDefinition } from '../server'

const root = '/usr/lib/postgresql'

/** Where the programs are: Debian keeps each version's apart. */
function programs(): string {
  const version = existsSync(root)
    ? readdirSync(root)
        .filter((name) => existsSync(join(root, name, 'bin', 'postgres')))
        .sort((a, b) => Number(b) - Number(a))[0]
    : undefined
  return version === undefined ? '' : join(root, version, 'bin')
}

export const installation = {
  ...debian('postgres', ['postgresql'], ''),
  installed: () => programs() !== '',
}

export const PASSWORD = 'a-secret-of-postgres'

/** A URL for a database of the server. */
export function url(port: number, database = 'postgres'): string {
  return `postgres://postgres:${PASSWORD}@127.0.0.1:${port}/${database}`
}

/** The server refuses to run as root. */
function user(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const { uid, gid } = statSync('/var/lib/postgresql')
  return { uid, gid }
}

const SETTINGS = {
  wal_level: 'logical',
  listen_addresses: '127.0.0.1',
  shared_buffers: '64MB',
  max_replication_slots: '20',
  max_wal_senders: '20',
  // A commit that is reported outlives the server's process; only a power cut would lose it, and we do not cut power.
  fsync: 'off',
}

/** Logical decoding, and a password. */
export const definition: ServerDefinition = {
  name: 'postgres',
  prepare({ folder }) {
    const owner = user()
    if (owner !== undefined) chownSync(folder, owner.uid, owner.gid)
    const secret = spawnSync('sh', ['-c', `umask 077; printf '%s' '${PASSWORD}' > secret`], { cwd: folder, ...owner })
    const made = spawnSync(
      join(programs(), 'initdb'),
      ['-D', 'data', '-U', 'postgres', '--pwfile', 'secret', '-A', 'scram-sha-256', '-E', 'UTF8', '--no-sync'],
      { cwd: folder, encoding: 'utf8', ...owner },
    )
    if (secret.status !== 0 || made.status !== 0) throw new Error(`initdb failed: ${made.stderr}`)
  },
  command({ port, folder }) {
    const settings = Object.entries({ ...SETTINGS, unix_socket_directories: folder, port: String(port) })
    const owner = user()
    return {
      file: join(programs(), 'postgres'),
      args: ['-D', join(folder, 'data'), ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      ...(owner === undefined ? {} : { user: owner }),
    }
  },
  stopSignal: 'SIGINT',
  async ready({ port }) {
    const client = new Client({ connectionString: url(port), connectionTimeoutMillis: 2000 })
    client.on('error', () => {})
    try {
      await client.connect()
      await client.query('SELECT 1')
    } finally {
      await client.end().catch(() => {})
    }
  },
}
