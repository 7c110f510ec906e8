import { spawnSync } from 'node:child_process'
import { chownSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createConnection } from 'mysql2/promise'
import { debian } from '../installing'
import type { Place, ServerDefinition } from '../server'

const program = '/usr/sbin/mariadbd'

export const installation = debian('mariadb', ['mariadb-server'], program)

export const PASSWORD = 'a-secret-of-mariadb'

/** A URL for the database of the tests. */
export function url(port: number): string {
  return `mysql://test:${PASSWORD}@127.0.0.1:${port}/test`
}

/** The server refuses to run as root. */
function user(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const { uid, gid } = statSync('/var/lib/mysql')
  return { uid, gid }
}

/** A database `test`, and a user `test` who may do everything in it. */
export const definition: ServerDefinition = {
  name: 'mariadb',
  prepare({ folder }: Place) {
    const owner = user()
    if (owner !== undefined) chownSync(folder, owner.uid, owner.gid)
    writeFileSync(
      join(folder, 'init.sql'),
      `CREATE DATABASE IF NOT EXISTS test;\nCREATE USER IF NOT EXISTS test@'%' IDENTIFIED BY '${PASSWORD}';\n` +
        "GRANT ALL ON *.* TO test@'%';\n",
      { mode: 0o644 },
    )
    const made = spawnSync(
      'mariadb-install-db',
      [
        '--no-defaults',
        `--datadir=${join(folder, 'data')}`,
        '--skip-test-db',
        '--auth-root-authentication-method=normal',
      ],
      { cwd: folder, encoding: 'utf8', ...owner },
    )
    if (made.status !== 0) throw new Error(`mariadb-install-db failed: ${made.stdout}${made.stderr}`)
  },
  command({ port, folder }) {
    const owner = user()
    return {
      file: program,
      args: [
        ...['--no-defaults', `--datadir=${join(folder, 'data')}`, `--port=${port}`, '--bind-address=127.0.0.1'],
        ...[`--socket=${join(folder, 'socket')}`, `--pid-file=${join(folder, 'pid')}`],
        ...[`--init-file=${join(folder, 'init.sql')}`, '--skip-name-resolve'],
        // A commit outlives the process; only a power cut would lose it, and we do not cut power.
        ...['--innodb-flush-log-at-trx-commit=2', '--character-set-server=utf8mb4'],
        // What `mysqlChanges` reads.
        ...[`--log-bin=${join(folder, 'data', 'binlog')}`, '--server-id=1', '--binlog-format=ROW'],
        ...['--binlog-row-image=FULL', '--binlog-row-metadata=FULL'],
      ],
      ...(owner === undefined ? {} : { user: owner }),
    }
  },
  async ready({ port }) {
    const connection = await createConnection({ uri: url(port), connectTimeout: 2000 })
    await connection.query('SELECT 1').finally(() => connection.destroy())
  },
}
