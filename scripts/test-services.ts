/** `npm run test:services [-- FILE…]`: installs the servers and runs the tests against them; the last line says how many. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { install } from '../test/services/services'

interface Totals {
  passes: number
  failures: number
  pending: number
  failed: { file?: string; title: string; message: string }[]
}

const root = join(__dirname, '..')
const files = process.argv.slice(2)
let passed = 0
let failed = 0

for (const problem of files.length > 0 ? [] : install([])) {
  failed++
  console.log(`FAILED: installing ${problem}`)
}
const folder = mkdtempSync(join(tmpdir(), 'rxjs-python-services-'))
try {
  const totals = join(folder, 'totals.json')
  const reporter = join(root, 'scripts', 'mocha-totals.cjs')
  const tests = files.length > 0 ? files : ['test/services/**/*.test.ts']
  const mocha = join(root, 'node_modules', 'mocha', 'bin', 'mocha.js')
  const { status } = spawnSync(process.execPath, [mocha, '--timeout', '120000', '--reporter', reporter, ...tests], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, RXJS_PYTHON_TEST_TOTALS: totals },
  })
  const result = existsSync(totals) ? (JSON.parse(readFileSync(totals, 'utf8')) as Totals) : undefined
  passed += result?.passes ?? 0
  failed += result?.failures ?? 1
  for (const { file, title, message } of result?.failed ?? []) console.log(`FAILED: ${file}: ${title}: ${message}`)
  if (status !== 0 && result?.failures === 0) {
    failed++
    console.log(`FAILED: the tests passed, and their process ended with ${status}`)
  }
  if (result?.pending) console.log(`${result.pending} tests were left out: their servers are not on this machine`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
