import assert from 'node:assert/strict'
import { join } from 'node:path'
import { PythonPool } from '../../lib/index'
import { buildExtension } from '../fixtures/extension'
import { type Ended, program } from '../fixtures/program'
import { testPythonInfo } from '../fixtures/python'
import { temporaryFolder } from '../fixtures/temporary'

const SOURCE = join(__dirname, '..', 'fixtures', 'gil', 'needs_gil.c')

/** What the programs below print last. */
const said = ({ stdout }: Ended) => JSON.parse(stdout.trim().split('\n').at(-1)!)

describe('the GIL', function () {
  this.timeout(300_000)
  let freeThreaded = false
  before(async () => {
    freeThreaded = (await testPythonInfo()).freeThreaded
  })

  it('is on in ordinary builds, and off in free-threaded ones', async () => {
    const { executable } = await testPythonInfo()
    for (const isolation of ['shared', 'process'] as const) {
      await using pool = await PythonPool.open({ python: executable, isolation })
      const asked = await pool
        .handler({
          source: 'def handle(batch):\n  import numpy, sys\n  return [getattr(sys, "_is_gil_enabled", bool)()]',
        })
        .call([1])
      assert.equal(pool.info().gil, freeThreaded ? 'disabled' : 'enabled')
      assert.deepEqual(pool.info().gilImports, [])
      if (freeThreaded) assert.deepEqual(asked, [false], `numpy switched the GIL on (${isolation})`)
    }
  })

  it("decides what 'auto' takes", async function () {
    if (!freeThreaded) this.skip()
    const body = `
      const pool = await py.PythonPool.open({ python, size: 2 })
      const { gil, isolation, reason } = pool.info()
      console.log(JSON.stringify({ gil, isolation, reason }))
      await pool.close()`
    assert.deepEqual(said(await program(body)), {
      gil: 'disabled',
      isolation: 'shared',
      reason: 'this Python runs threads in parallel: it has no GIL',
    })
    const forced = said(await program(body, { PYTHON_GIL: '1' }))
    assert.equal(forced.gil, 'enabled')
    assert.notEqual(forced.isolation, 'shared')
  })

  it('that an import switches on is a warning, once for each pool, that names the import', async function () {
    if (!freeThreaded) this.skip()
    const { executable } = await testPythonInfo()
    await using folder = await temporaryFolder()
    assert(buildExtension(executable, SOURCE, folder.path, 'rxp_needs_gil'), 'the extension could not be compiled')
    const source = `def handle(batch):\\n  import sys; sys.path.insert(0, ${JSON.stringify(folder.path)})\\n  import rxp_needs_gil\\n  return batch`
    for (const isolation of ['shared', 'process', 'namespace']) {
      const ended = await program(`
        const warnings = []
        process.on('warning', ({ code, message }) => code === 'RXJS_PYTHON_GIL' && warnings.push(message))
        const open = (name) => py.PythonPool.open({ python, name, size: 2, isolation: '${isolation}' })
        const [one, other] = [await open('one'), await open('other')]
        for (const pool of [one, other]) pool.on('stderr', () => {})
        const before = one.info().gil
        const handler = one.handler({ source: '${source}' }, { codec: 'string' })
        for (let i = 0; i < 6; i++) await Promise.all([handler.call(['x']), handler.call(['y'])])
        const third = await open('third')
        await new Promise((done) => setTimeout(done, 300))
        const state = (pool) => [pool.info().gil, ...pool.info().gilImports]
        console.log(JSON.stringify({ before, one: state(one), other: state(other), third: state(third), warnings }))
        await Promise.all([one, other, third].map((pool) => pool.close()))
      `)
      assert.equal(ended.status, 0, ended.stderr)
      const { before, one, other, third, warnings } = said(ended)
      assert.equal(before, 'disabled')
      assert.deepEqual(one, ['reenabled', 'rxp_needs_gil'], isolation)
      // Only in isolation 'shared' do pools share their Python, and with it the GIL.
      const others = isolation === 'shared' ? ['reenabled', 'rxp_needs_gil'] : ['disabled']
      assert.deepEqual([other, third], [others, others], isolation)
      assert.equal(warnings.length, isolation === 'shared' ? 3 : 1, warnings.join('\n'))
      assert.match(warnings[0], /pool 'one' imported the extension module rxp_needs_gil, which does not say/)
    }
  })
})
