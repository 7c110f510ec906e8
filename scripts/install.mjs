// What `npm install` runs: nothing where a prebuilt binary fits this machine, else a build.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { findCompiler, nodeGyp, root } from './node-gyp.mjs'

const require = createRequire(import.meta.url)

if (!prebuiltFits()) process.exit(build())

function prebuiltFits() {
  if (process.env.npm_config_build_from_source === 'true') return false
  if (!existsSync(join(root, 'prebuilds'))) return false
  const lookup = require('node-gyp-build')
  try {
    // `resolve` also finds what was built here before: only a file from prebuilds/ counts.
    return lookup.resolve(root).startsWith(join(root, 'prebuilds'))
  } catch {
    return false
  }
}

function build() {
  if (process.platform !== 'linux') {
    console.error(
      `rxjs-python: ${process.platform} is not supported yet; the native part is written for Linux (x64 and arm64).`,
    )
    return 1
  }
  if (!findCompiler()) {
    console.error(
      [
        'rxjs-python: no prebuilt binary fits this machine, and there is no C++ compiler to build one.',
        '  Debian, Ubuntu: apt install g++ make python3',
        '  Fedora, RHEL:   dnf install gcc-c++ make python3',
        '  Alpine:         apk add g++ make python3',
        'Then run: npm rebuild rxjs-python',
      ].join('\n'),
    )
    return 1
  }
  // In the repository a second install builds only what changed; in a user's node_modules the folder may have come
  // from another machine, so everything is built anew there.
  const inRepository = existsSync(join(root, 'lib', 'index.ts'))
  const status = nodeGyp(inRepository ? ['configure', 'build'] : ['rebuild'])
  if (status !== 0) {
    console.error(
      'rxjs-python: building the native part failed; the compiler output above says where. It needs a C++17 compiler' +
        ' (g++ 8 or clang 7 and later), make, and Python 3 for node-gyp.',
    )
  }
  return status
}
