import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Installation, Unavailable } from '../installing'

const root = join(__dirname, '..', '..', '..')

/** No server, but a client that is compiled where it is installed: a minute that `npm install` need not take. */
export const installation: Installation = {
  name: 'sqlite',
  installed: () => existsSync(join(root, 'node_modules', 'better-sqlite3', 'build', 'Release', 'better_sqlite3.node')),
  install() {
    const args = ['install', '--no-save', '--no-audit', '--no-fund', 'better-sqlite3@^11.10.0']
    const { status, stderr } = spawnSync('npm', args, { cwd: root, encoding: 'utf8', timeout: 600_000 })
    if (status !== 0) throw new Unavailable(`better-sqlite3 could not be built: ${(stderr ?? '').slice(-500)}`)
  },
}
