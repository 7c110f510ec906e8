// npm runs `prepare` in the repository and when the package is packed or installed from git; elsewhere dist/ is there.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './node-gyp.mjs'

const inRepository = existsSync(join(root, 'lib', 'index.ts'))
const toolsInstalled = existsSync(join(root, 'node_modules', 'tsup'))
if (inRepository && toolsInstalled) await import('./build-dist.mjs')
