import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { packageRoot } from '../../lib/package-root'
import { testPython, testPythonInfo } from '../fixtures/python'
import { anotherPython } from '../fixtures/pythons'

/** Opens pools of two Pythons in one process, and says how each did. */
const PROGRAM = `
  const { PythonPool } = require(${JSON.stringify(join(packageRoot, 'lib', 'index.ts'))})
  const [first, second] = process.argv.slice(1)
  const version = async (pool) =>
    (await pool.handler('lambda batch: [".".join(map(str, __import__("sys").version_info[:2])) for _ in batch]').call([0]))[0]
  ;(async () => {
    const pool = await PythonPool.open({ python: first, isolation: 'shared', size: 1 })
    console.log('first', await version(pool))
    const refused = await PythonPool.open({ python: second, isolation: 'shared', size: 1 }).catch((error) => error)
    console.log('shared', refused.name, refused.code, refused.message.includes(first) || /already runs/.test(refused.message))
    const other = await PythonPool.open({ python: second, size: 1 })
    console.log('auto', other.info().isolation, other.info().reason, await version(other))
    console.log('first', await version(pool))
    await other.close()
    await pool.close()
  })()`

describe('two Pythons in one process', () => {
  it("cannot both be 'shared'; 'auto' gives the second one a place of its own", async function () {
    this.timeout(300_000)
    const info = await testPythonInfo()
    const another = await anotherPython(info)
    if (another === undefined) return this.skip() // the machine has one Python that can be embedded
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      ['--import=tsx', '-e', PROGRAM, await testPython(), another.executable],
      { encoding: 'utf8', cwd: packageRoot, timeout: 120_000 },
    )
    assert.equal(status, 0, stderr)
    const [own, others] = [info, another].map(({ version }) => version.slice(0, 2).join('.'))
    assert.deepEqual(stdout.trim().split('\n'), [
      `first ${own}`,
      'shared PythonStartError ERR_PYTHON_CONFLICT true',
      `auto namespace another Python already runs in this process ${others}`,
      `first ${own}`,
    ])
  })
})
