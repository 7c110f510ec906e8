// dist/: the implementation as CommonJS with its types (tsup), and an ES module entry that re-exports the same objects.
import { spawnSync } from 'node:child_process'
import { renameSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { root } from './node-gyp.mjs'

const require = createRequire(import.meta.url)
const tsup = require.resolve('tsup/dist/cli-default.js')
const built = spawnSync(process.execPath, [tsup, '--silent'], { cwd: root, stdio: 'inherit' })
if (built.status !== 0) process.exit(built.status ?? 1)

// tsup names the types after the package's type, not after the file they belong to.
renameSync(join(root, 'dist', 'index.d.ts'), join(root, 'dist', 'index.d.cts'))

const names = Object.keys(require(join(root, 'dist', 'index.cjs'))).sort()
const wrapper = [
  '// A wrapper: `import` and `require` share one implementation, so there is one default pool and one set of classes.',
  "import implementation from './index.cjs'",
  '',
  ...names.map((name) => `export const ${name} = implementation.${name}`),
  '',
].join('\n')
writeFileSync(join(root, 'dist', 'index.mjs'), wrapper)
writeFileSync(join(root, 'dist', 'index.d.mts'), "export * from './index.cjs'\n")
