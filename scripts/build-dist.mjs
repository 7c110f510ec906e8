// dist/: the implementation as CommonJS with its types (tsup), and an ES module entry that re-exports the same objects.
import { spawnSync } from 'node:child_process'
import { chmodSync, renameSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { entries } from './entries.mjs'
import { root } from './node-gyp.mjs'

const require = createRequire(import.meta.url)
const tsup = require.resolve('tsup/dist/cli-default.js')
const built = spawnSync(process.execPath, [tsup, '--silent'], { cwd: root, stdio: 'inherit' })
if (built.status !== 0) process.exit(built.status ?? 1)

const main = require(join(root, 'dist', 'main.cjs'))
for (const entry of Object.keys(entries)) {
  const path = (ending) => join(root, 'dist', `${entry}.${ending}`)
  // tsup names the types after the package's type, not after the file they belong to.
  renameSync(path('d.ts'), path('d.cts'))
  const names = Object.keys(main[entry]).sort()
  const assigned = names.map((name) => `exports.${name} = main.${name}`)
  writeFileSync(path('cjs'), `'use strict'\nconst main = require('./main.cjs').${entry}\n${assigned.join('\n')}\n`)
  const wrapper = [
    '// A wrapper: `import` and `require` share one implementation, so there is one default pool and one set of classes.',
    `import implementation from './${entry}.cjs'`,
    '',
    ...names.map((name) => `export const ${name} = implementation.${name}`),
    '',
  ].join('\n')
  writeFileSync(path('mjs'), wrapper)
  writeFileSync(path('d.mts'), `export * from './${entry}.cjs'\n`)
}

// The program: `rxjs-python …`.
const program = join(root, 'dist', 'cli.cjs')
const lines = [
  '#!/usr/bin/env node',
  "'use strict'",
  "const { main } = require('./main.cjs').cli",
  'main(process.argv.slice(2)).then((status) => {',
  '  process.exitCode = status',
  '})',
  '',
]
writeFileSync(program, lines.join('\n'))
chmodSync(program, 0o755)
