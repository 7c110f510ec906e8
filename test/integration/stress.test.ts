import assert from 'node:assert/strict'
import { testPython } from '../fixtures/python'
import { crashRun } from '../stress/crash-run'
import { soakRun } from '../stress/soak-run'

/** What goes wrong here is found again by the seed that the title has. */
const SEED = Number(process.env.RXJS_PYTHON_SEED ?? 1)

describe(`under stress, seed ${SEED}`, function () {
  this.timeout(300_000)

  for (const onCrash of ['fail', 'retry'] as const) {
    it(`40 crashes lose no item and double none, onCrash '${onCrash}'`, async () => {
      const report = await crashRun({ python: await testPython(), seed: SEED, crashes: 40, onCrash })
      assert.deepEqual(report.problems, [])
      assert.ok(report.crashes >= 40)
      assert.equal(report.delivered + report.reported, report.items)
      assert.ok(report.delivered > report.reported)
    })
  }

  it('streams, calls, errors, time limits, crashes, aborts and pools that come and go leave nothing unaccounted', async () => {
    const { tally } = await soakRun({
      python: await testPython(),
      seed: SEED,
      batches: 2000,
      modes: ['shared', 'namespace', 'process'],
    })
    assert.deepEqual(tally.problems, [])
    assert.ok(tally.delivered > 1000 && tally.streams > 10 && tally.calls > 50)
    for (const code of ['ERR_PYTHON_EXCEPTION', 'ERR_ABORTED']) assert.ok(tally.failures.has(code), code)
  })
})
