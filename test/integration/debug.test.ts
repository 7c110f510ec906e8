import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type Isolation, PythonPool } from '../../lib/index'
import { debugging } from '../fixtures/debugging'
import { HANDLERS } from '../fixtures/modes'
import { program } from '../fixtures/program'
import { pythonWith, testPython } from '../fixtures/python'

const SCENARIOS = join(__dirname, '..', 'fixtures', 'debugging.ts')

describe('debugging', function () {
  this.timeout(120_000)
  let python: string
  before(async function () {
    this.timeout(300_000)
    python = await pythonWith('debug')
  })

  const only = process.env.RXJS_PYTHON_TEST_ISOLATION as Isolation | undefined
  const one = only || 'process'

  /** A process has one Python in isolation `shared`, and tests before these may have opened another. */
  async function holds(scenario: keyof typeof debugging, isolation: Isolation): Promise<void> {
    if (isolation !== 'shared') return debugging[scenario](python, isolation)
    const { status, signal, stderr } = await program(
      `await require(${JSON.stringify(SCENARIOS)}).debugging.${scenario}(${JSON.stringify(python)}, 'shared')`,
    )
    assert.deepEqual({ status, signal }, { status: 0, signal: null }, stderr)
  }

  for (const isolation of ['shared', 'namespace', 'process'] as const) {
    if (only && only !== isolation) continue
    it(`a handler waits for a debugger, which stops it in its file and reads variables: ${isolation}`, () =>
      holds('stopsInItsFile', isolation))
  }

  it('an operator, an async handler, and a pool whose handlers are all debugged share the one address', () =>
    holds('sharesOneAddress', one))

  it('a signal ends the wait, and without waiting the handler just runs', () => holds('waitsUntilAborted', one))

  it('a Python without debugpy is an error that says what to install', async () => {
    await using pool = await PythonPool.open({ python: await testPython(), path: HANDLERS, isolation: 'process' })
    const handler = pool.handler('debugged:double', { debug: true })
    await assert.rejects(handler.call([1]), (error: Error & { code: string }) => {
      assert.equal(error.code, 'ERR_HANDLER_INIT')
      assert.match(error.message, /needs the package debugpy.*-m pip install debugpy/)
      return true
    })
  })
})
