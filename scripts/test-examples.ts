/** `npm run test:examples [-- FILE…]`: each example as its page describes it; the last line says how many tests passed. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

interface Totals {
  passes: number
  failures: number
  failed: { file?: string; title: string; message: string }[]
}

const root = join(__dirname, '..')
const given = process.argv.slice(2)
const folder = mkdtempSync(join(tmpdir(), 'rxjs-python-examples-'))
let result: Totals | undefined
let status: number | null
try {
  const totals = join(folder, 'totals.json')
  const tests = given.length > 0 ? given : ['examples/**/*.test.ts']
  const mocha = join(root, 'node_modules', 'mocha', 'bin', 'mocha.js')
  // The first time, environments are made and models trained.
  const args = [mocha, '--timeout', '300000', '--reporter', join(root, 'scripts', 'mocha-totals.cjs'), ...tests]
  const env = { ...process.env, RXJS_PYTHON_TEST_TOTALS: totals }
  status = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env }).status
  if (existsSync(totals)) result = JSON.parse(readFileSync(totals, 'utf8')) as Totals
} finally {
  rmSync(folder, { recursive: true, force: true })
}
for (const { file, title, message } of result?.failed ?? []) console.log(`FAILED: ${file}: ${title}: ${message}`)
const failures = result === undefined || (status !== 0 && result.failures === 0) ? 1 : result.failures
if (failures > 0 && !result?.failures) console.log(`FAILED: the tests' process ended with ${status}`)
console.log(`${result?.passes ?? 0} passed, ${failures} failed`)
process.exitCode = failures === 0 ? 0 : 1
