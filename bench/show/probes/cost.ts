/** What an interpreter costs in one isolation: the time to start it, and the memory that each further one takes. */
import { readdirSync, readFileSync } from 'node:fs'
import { loadPackage } from '../../harness/package'
import { handlersFolder } from '../../harness/paths'
import { median } from '../../harness/stats'
import { answer } from './answer'

export interface CostRequest {
  readonly isolation: 'shared' | 'namespace' | 'process'
}

export interface CostAnswer {
  /** Milliseconds from `PythonPool.open` to an interpreter that is ready; the first one in this process, and a further one. */
  readonly firstMs: number
  readonly furtherMs: number
  /** MiB of a further interpreter, as such and after importing numpy. */
  readonly bareMiB: number
  readonly numpyMiB: number
}

const FURTHER = 3

/** Memory of this process and its workers in MiB; what several of them share counts once. */
function memory(): number {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && belongs(name))
  const sizes = pids.map((pid) => Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]))
  return sizes.reduce((sum, size) => sum + size, 0) / 1024
}

function belongs(pid: string): boolean {
  if (pid === String(process.pid)) return true
  try {
    const parent = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
    return parent === process.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('rxjs_python')
  } catch {
    return false // it has gone meanwhile
  }
}

answer<CostRequest, CostAnswer>(async ({ python, isolation }) => {
  const { PythonPool } = loadPackage()
  const open = async () => {
    const start = performance.now()
    const pool = await PythonPool.open({ python, path: [handlersFolder], isolation })
    return { pool, took: performance.now() - start }
  }
  const useNumpy = async (pool: Awaited<ReturnType<typeof open>>['pool']) => {
    await pool.handler<Float64Array>('memory:handle_array', { codec: 'array' }).call(new Float64Array(8))
  }
  // The probe that asks Python what it is has run by then: it is remembered, and a pool's second interpreter has none.
  const first = await open()
  const alone = memory()
  const further = []
  for (let index = 0; index < FURTHER; index += 1) further.push(await open())
  const bare = memory()
  await useNumpy(first.pool)
  const before = memory()
  for (const { pool } of further) await useNumpy(pool)
  const numpy = memory()
  for (const { pool } of [first, ...further]) await pool.close()
  return {
    firstMs: first.took,
    furtherMs: median(further.map(({ took }) => took)),
    bareMiB: (bare - alone) / FURTHER,
    numpyMiB: (numpy - before + bare - alone) / FURTHER,
  }
})
