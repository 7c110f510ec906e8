import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { packageRoot } from '../../lib/package-root'
import { CAMPAIGNS } from '../fuzz/campaigns'

/** Seconds that each campaign has here; `npm run fuzz` gives them more, and runs the native targets too. */
const SECONDS = 3

describe('fuzzing', () => {
  for (const name of Object.keys(CAMPAIGNS)) {
    it(`${name}: nothing crashes, and what comes back is what was sent`, async function () {
      this.timeout(120_000)
      const seed = Math.floor(Math.random() * 2 ** 31)
      const args = ['--import=tsx', join(packageRoot, 'test', 'fuzz', 'run.ts'), name, String(SECONDS), String(seed)]
      const child = spawn(process.execPath, args, { cwd: packageRoot })
      let output = ''
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          output += text
        })
      }
      const ended = await once(child, 'close')
      assert.deepEqual(ended, [0, null], `seed ${seed}: ${output}`)
      assert.match(output, /^executions: [1-9]\d*$/m)
    })
  }
})
