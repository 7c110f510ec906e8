// `npm run example -- NAME …`, also in a fresh clone: what the repository itself needs is installed first.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const require = createRequire(import.meta.url)

if (!existsSync(join(root, 'node_modules', 'tsx'))) {
  console.error('npm install, once: it also compiles the addon, which takes some minutes …')
  const { status } = spawnSync('npm', ['install', '--no-audit', '--no-fund'], { cwd: root, stdio: ['ignore', 2, 2] })
  if (status !== 0) process.exit(status ?? 1)
}
require('tsx/cjs/api').register()
require('./run.ts')
