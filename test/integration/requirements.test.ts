import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { PythonInfo } from '../../lib/pool/locate'
import { ensureEnvironment } from '../../lib/pool/requirements'
import { environmentSetting, inProcess, tinyVersion } from '../fixtures/environment'
import { basePython } from '../fixtures/python'
import { anotherPython } from '../fixtures/pythons'

describe('ensureEnvironment', function () {
  this.timeout(120_000)
  let python: PythonInfo
  before(async () => {
    python = await basePython()
  })

  it('makes an environment that has the packages, with progress', async () => {
    await using set = await environmentSetting(python)
    const fractions: number[] = []
    const info = await ensureEnvironment({
      ...set.options,
      onProgress: ({ phase, message, fraction }) => {
        set.messages.push(phase)
        assert.ok(message.length > 0)
        if (fraction !== undefined) fractions.push(fraction)
      },
    })
    assert.equal(tinyVersion(info), '1.0')
    assert.equal(info.venv, true)
    assert.equal(info.library, python.library)
    assert.deepEqual(info.version, python.version)
    assert.ok(info.prefix.startsWith(join(set.folder.path, 'cache', 'envs')))
    assert.equal(set.messages[0], 'create')
    assert.ok(set.messages.includes('install'))
    assert.equal(set.messages.at(-1), 'done')
    assert.deepEqual(
      fractions,
      [...fractions].sort((one, other) => one - other),
      'the bar never goes back',
    )
    assert.equal(fractions.at(-1), 1)
  })

  it('takes it from the cache the next time, silently', async () => {
    await using set = await environmentSetting(python)
    const one = await ensureEnvironment(set.options)
    set.messages.length = 0
    const two = await ensureEnvironment(set.options)
    assert.deepEqual(two, one)
    assert.deepEqual(set.messages, [])
  })

  it('makes another one for another Python', async function () {
    const other = await anotherPython(python)
    if (other === undefined) {
      console.log('      (this machine has one Python only)')
      return this.skip()
    }
    await using set = await environmentSetting(python)
    const one = await ensureEnvironment(set.options)
    const two = await ensureEnvironment({ ...set.options, python: other })
    assert.notEqual(two.prefix, one.prefix)
    assert.deepEqual(two.version, other.version)
    assert.equal(tinyVersion(two), '1.0')
  })

  it('builds once for two processes that start at once', async () => {
    await using set = await environmentSetting(python)
    const runs = await Promise.all([0, 1, 2].map(() => inProcess(set.options).finished))
    for (const { status, stderr } of runs) assert.equal(status, 0, stderr)
    assert.equal(new Set(runs.map(({ stdout }) => stdout)).size, 1)
    assert.equal(runs.filter(({ stderr }) => stderr.includes('making an environment')).length, 1)
  })
})
