import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import type { CompletePoolOptions } from '../../lib/options'
import { validatePoolOptions } from '../../lib/options'
import { packageRoot } from '../../lib/package-root'
import { chooseIsolation } from '../../lib/pool/isolation'
import type { PythonInfo } from '../../lib/pool/locate'
import { testPython, testPythonInfo } from '../fixtures/python'

describe("isolation 'auto'", () => {
  let python: PythonInfo
  before(async function () {
    this.timeout(300_000)
    python = { ...(await testPythonInfo()), freeThreaded: false }
  })

  const sized = (size: number): CompletePoolOptions => validatePoolOptions({ size })

  it('takes what fits the Python and the number of interpreters, and says why', () => {
    assert.deepEqual(chooseIsolation(sized(1), python), {
      mode: 'shared',
      reason: 'one interpreter needs no isolation',
    })
    assert.equal(chooseIsolation(sized(4), { ...python, freeThreaded: true, gil: false }).mode, 'shared')
    const without = chooseIsolation(sized(1), { ...python, library: null })
    assert.deepEqual(without, { mode: 'process', reason: 'this Python has no shared library' })
    assert.match(chooseIsolation(sized(2), python).mode, /^(namespace|process)$/)
  })

  // The C library has room for some dozen private copies, which is only found out by making them.
  it('falls back to worker processes, with one warning', async function () {
    this.timeout(120_000)
    if ((await testPythonInfo()).freeThreaded) this.skip() // 'auto' needs no copies of it
    const program = `
      const { PythonPool } = require(${JSON.stringify(join(packageRoot, 'lib', 'index.ts'))})
      process.on('warning', (warning) => console.log('warning', warning.code))
      ;(async () => {
        for (let round = 0; round < 2; round++) {
          const pool = await PythonPool.open({ python: ${JSON.stringify(await testPython())}, size: 20 })
          const { isolation, reason, size } = pool.info()
          console.log(isolation, size, reason.split(':')[0])
          console.log(await pool.handler('lambda batch: batch').call([round]))
          await pool.close()
        }
      })()`
    const { stdout, stderr, status } = spawnSync(process.execPath, ['--import=tsx', '-e', program], {
      encoding: 'utf8',
    })
    assert.equal(status, 0, stderr)
    const lines = stdout.trim().split('\n')
    assert.deepEqual(
      lines.filter((line) => line.startsWith('warning')),
      ['warning RXJS_PYTHON_FALLBACK'],
    )
    assert.deepEqual(
      lines.filter((line) => !line.startsWith('warning')),
      [0, 1].flatMap((round) => ['process 20 private copies of libpython did not start', `[ ${round} ]`]),
    )
  })
})
