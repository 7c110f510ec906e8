import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { PythonPool } from '../../lib/index'
import { basePython, testPython } from '../fixtures/python'

const MIB = 2 ** 20

/**
 * Holds 100 MB in small pieces, and answers by how much the process has grown with them. Of the last of them it keeps a
 * copy for ever, at the end of the heap.
 */
const LARGE = `
kept = []

def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))

def handle(batch):
    before = resident()
    pieces = [bytes(1000) for _ in range(100_000)]
    kept.append(bytes(1001))
    return [resident() - before]
`

function resident(): number {
  const line = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))
  return Number(line![1]) * 1024
}

describe('a Python that waits for its next pool', () => {
  for (const isolation of ['namespace', 'shared'] as const) {
    it(`gives back what its last one needed, ${isolation}`, () => givesBack(isolation))
  }
})

async function givesBack(isolation: 'namespace' | 'shared'): Promise<void> {
  // A process has one Python in `shared`, the tests' own.
  const python = isolation === 'shared' ? await testPython() : (await basePython()).executable
  const use = async () => {
    const pool = await PythonPool.open({ python, isolation })
    const handler = await pool.handler({ source: LARGE })
    const [grown] = (await handler.call(['a'])) as number[]
    await pool.close()
    return grown!
  }
  const first = await PythonPool.open({ python, isolation })
  await first.close()
  await pause(200) // it gives back what tests before this one have left
  const before = resident()
  const grown = await use()
  assert.ok(grown > 80 * MIB, `the handler holds 100 MB; it was ${(grown / MIB).toFixed(1)} MiB`)
  // close() is answered when the last result is there; the copy tidies up behind it.
  for (let wait = 0; wait < 100 && resident() - before > 20 * MIB; wait++) await pause(20)
  assert.ok(resident() - before < 20 * MIB, `${((resident() - before) / MIB).toFixed(1)} MiB stayed`)
}
