/** `npm run test:examples [-- FILE…]`: each example as its page describes it; the last line says how many tests passed. */
import { join } from 'node:path'
import { mochaRun, runAll } from './test-runs'

const root = join(__dirname, '..')
/** Milliseconds. The first time, environments are made and models trained. */
const TIMEOUT = 300_000

async function main(): Promise<void> {
  const given = process.argv.slice(2)
  const run = mochaRun('examples', given.length > 0 ? given : ['examples/**/*.test.ts'], TIMEOUT, root)
  const { passes, failures, failed } = await runAll([run], 1, root, { repeat: true })
  for (const { file, title, message } of failed) console.log(`FAILED: ${file}: ${title}: ${message}`)
  console.log(`${passes} passed, ${failures} failed`)
  process.exitCode = failures === 0 ? 0 : 1
}

void main()
