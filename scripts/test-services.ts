/** `npm run test:services [-- FILE…]`: installs the servers and runs the tests against them; the last line says how many. */
import { join } from 'node:path'
import { install } from '../test/services/services'
import { mochaRun, runAll } from './test-runs'

const root = join(__dirname, '..')
/** Milliseconds. */
const TIMEOUT = 120_000

async function main(): Promise<void> {
  const given = process.argv.slice(2)
  const problems = given.length > 0 ? [] : install([])
  for (const problem of problems) console.log(`FAILED: installing ${problem}`)
  const run = mochaRun(
    'connectors on real servers',
    given.length > 0 ? given : ['test/services/**/*.test.ts'],
    TIMEOUT,
    root,
  )
  const { passes, failures, failed, pending } = await runAll([run], 1, root, { repeat: true })
  for (const { file, title, message } of failed) console.log(`FAILED: ${file}: ${title}: ${message}`)
  if (pending) console.log(`${pending} tests were left out: their servers are not on this machine`)
  const all = failures + problems.length
  console.log(`${passes} passed, ${all} failed`)
  process.exitCode = all === 0 ? 0 : 1
}

void main()
