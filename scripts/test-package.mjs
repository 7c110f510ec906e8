// Packs the package as npm would publish it and looks at it from outside: publint, are-the-types-wrong, and a project
// that installs the tarball and loads it by `import` and by `require`.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { entries } from './entries.mjs'
import { root } from './node-gyp.mjs'

let passed = 0
let failed = 0
const folder = mkdtempSync(join(tmpdir(), 'rxjs-python-package-'))
try {
  const tarball = pack()
  check('publint', bin('publint'), ['run', tarball, '--strict'])
  check('are the types wrong', bin('attw'), [tarball])
  if (
    check('npm install of the tarball', 'npm', ['install', '--no-audit', '--no-fund', tarball, 'rxjs@7'], project())
  ) {
    useIt()
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1

function pack() {
  const result = spawnSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [{ filename, files }] = JSON.parse(result.stdout)
  const paths = files.map((file) => file.path)
  for (const path of [
    'dist/index.cjs',
    'dist/index.mjs',
    'dist/index.d.cts',
    'dist/index.d.mts',
    'binding.gyp',
    'LICENSE',
  ]) {
    report(`the tarball has ${path}`, paths.includes(path))
  }
  report(
    'the tarball has the Python side',
    paths.some((path) => path === 'python/rxjs_python/_probe.py'),
  )
  const strangers = paths.filter((path) => /(^|\/)(__pycache__|test|\.cache|build|node_modules)\//.test(path))
  report(`the tarball has nothing that does not belong into it ${strangers.join(' ')}`, strangers.length === 0)
  return join(folder, filename)
}

/** An empty project with a path that has a space: build scripts trip over those. */
function project() {
  const path = join(folder, 'a project')
  mkdirSync(path, { recursive: true })
  writeFileSync(join(path, 'package.json'), '{ "private": true }\n')
  return path
}

function useIt() {
  const cwd = project()
  writeFileSync(
    join(cwd, 'use.mjs'),
    [
      "import { createRequire } from 'node:module'",
      "import * as imported from 'rxjs-python'",
      "const required = createRequire(import.meta.url)('rxjs-python')",
      'const names = Object.keys(required)',
      "if (names.length < 10) throw new Error('too few exports: ' + names)",
      'for (const name of names) {',
      "  if (imported[name] !== required[name]) throw new Error(name + ' differs between import and require')",
      '}',
      'const pool = await imported.PythonPool.open()',
      "const handler = pool.handler({ source: 'lambda batch: [text.upper() for text in batch]' }, { codec: 'string' })",
      "const answers = await handler.call(['a', 'b'])",
      "if (answers.join() !== 'A,B') throw new Error('wrong answers: ' + answers)",
      'await pool.close()',
      'const { TimestampError } = required',
      `for (const part of ${JSON.stringify(Object.keys(entries).filter((name) => name !== 'index'))}) {`,
      "  const byImport = await import('rxjs-python/' + part)",
      "  const byRequire = createRequire(import.meta.url)('rxjs-python/' + part)",
      '  for (const name of Object.keys(byRequire)) {',
      "    if (byImport[name] !== byRequire[name]) throw new Error(part + ': ' + name + ' differs')",
      '  }',
      '}',
      "const { distinct, inWindows, sum, timestampBy, tumbling, values } = await import('rxjs-python/streams')",
      "const { TestSink, TestSource } = await import('rxjs-python/testing')",
      'const timed = timestampBy((item) => item)',
      'const sums = new TestSource([{ items: [1, 2, 11] }]).pipe(timed, inWindows(tumbling(10), sum()), values())',
      'const totals = (await new TestSink().drain(sums).all()).map(({ value }) => value)',
      "if (totals.join() !== '3,11') throw new Error('wrong sums: ' + totals)",
      'distinct()',
      'const failed = new TestSink().drain(new TestSource([{ items: [Number.NaN] }]).pipe(timed))',
      "if (!(failed.error instanceof TimestampError)) throw new Error('the entries do not share their error classes')",
    ].join('\n'),
  )
  check('the installed package works, by import and by require alike', process.execPath, ['use.mjs'], cwd)
  check('the installed program runs', join(cwd, 'node_modules', '.bin', 'rxjs-python'), ['info'], cwd)
}

function bin(name) {
  return join(root, 'node_modules', '.bin', name)
}

function check(name, command, args, cwd = root) {
  const result = spawnSync(command, args, { cwd, encoding: 'utf8' })
  const good = result.status === 0
  report(name, good)
  if (!good) console.log([result.stdout, result.stderr, result.error?.message].filter(Boolean).join('\n'))
  return good
}

function report(name, good) {
  if (good) passed++
  else failed++
  console.log(`${good ? 'ok' : 'FAILED'}: ${name}`)
}
