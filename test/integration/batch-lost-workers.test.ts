import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { after, before, describe, it } from 'mocha'
import { lastValueFrom, toArray } from 'rxjs'
import { PartitionError, parallelize } from '../../lib/batch'
import { PythonCrashError, type PythonPool } from '../../lib/index'
import { sum } from '../../lib/streams'
import { failsWith } from '../fixtures/failures'
import { openPool } from '../fixtures/modes'
import { temporaryFolder } from '../fixtures/temporary'

interface Work {
  value: number
  folder?: string
  times?: number
}

/** Milliseconds. */
const KILLING = 30_000

describe('partitions whose worker process is lost', () => {
  let pool: PythonPool
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let folders = 0
  before(async function () {
    this.timeout(300_000)
    folder = await temporaryFolder()
    pool = await openPool({ isolation: 'process', size: 2 })
  })
  after(async () => {
    await pool?.close()
    await folder?.[Symbol.asyncDispose]()
  })

  /** 40 items in 4 partitions; the one numbered 15, of partition 1, ends its worker so many times. */
  function work(times: number) {
    const counter = join(folder.path, String(folders++))
    mkdirSync(counter)
    const items = Array.from(
      { length: 40 },
      (_, value): Work => (value === 15 ? { value, folder: counter, times } : { value }),
    )
    const computed = [0, 0, 0, 0]
    const dataset = parallelize(items, 4)
      .map((item) => {
        if (item.value % 10 === 0) computed[item.value / 10]!++
        return item
      })
      .mapPython<number>('fragile:handle', { pool, batch: 4 })
    return { dataset, computed, doubled: items.map((item) => item.value * 2) }
  }

  it('are computed again, alone, and nothing comes twice', async () => {
    const { dataset, computed, doubled } = work(2)
    const items = await lastValueFrom(dataset.toStream({ concurrency: 2, attempts: 3 }).pipe(toArray()))
    assert.deepEqual(items, doubled)
    assert.deepEqual(computed, [1, 3, 1, 1])
  })

  it('give up after so many attempts, and say which partition and step', async () => {
    const { dataset, computed } = work(5)
    const counted = lastValueFrom(dataset.filter(() => true).count({ concurrency: 4, attempts: 3 }))
    const error = await failsWith(counted, PartitionError, 'ERR_PARTITION')
    assert.deepEqual([error.step, error.partition, error.attempts], ['mapPython(fragile:handle)', 1, 3])
    assert.match(error.message, /^partition 1 of 4, tried 3 times, failed in mapPython\(fragile:handle\): /)
    assert.ok(error.cause instanceof PythonCrashError)
    assert.equal(computed[1], 3)
  })

  it('behind a groupBy take what was grouped, and compute nothing before it again', async () => {
    const counter = join(folder.path, String(folders++))
    mkdirSync(counter)
    let before = 0
    const groups = parallelize(
      Array.from({ length: 300 }, (_, i) => i),
      3,
    )
      .map((one) => {
        before++
        return one
      })
      .groupBy((one) => one % 7, sum())
      .map(({ key, value }): Work => (key === 3 ? { value, folder: counter, times: 2 } : { value }))
      .mapPython<number>('fragile:handle', { pool })
    const expected = Array.from({ length: 7 }, (_, key) => {
      let total = 0
      for (let i = key; i < 300; i += 7) total += i
      return total * 2
    })
    const found = await lastValueFrom(groups.collect())
    assert.deepEqual(
      found.sort((a, b) => a - b),
      expected.sort((a, b) => a - b),
    )
    assert.equal(before, 300)
  })

  it('at any moment: the same as without', async function () {
    this.timeout(120_000)
    const items = Array.from({ length: 4000 }, (_, i) => i)
    const handler = pool.handler<number, number>('fragile:process')
    let over = false
    let kills = 0
    const killer = (async () => {
      // On a busy machine a worker process takes longer to start than it is left alive, and nothing would ever be done.
      const end = performance.now() + KILLING
      while (!over && performance.now() < end) {
        await pause(25)
        const [victim] = await handler.call([0]).catch(() => [undefined])
        if (over || victim === undefined) continue
        process.kill(victim, 'SIGKILL')
        kills++
      }
    })()
    const dataset = parallelize(items, 40).mapPython<number>('fragile:slow', { pool, batch: 20 })
    const found = await lastValueFrom(dataset.collect({ attempts: 100 }))
    over = true
    await killer
    assert.deepEqual(
      found,
      items.map((one) => one * 2),
    )
    assert.ok(kills > 2, `${kills} kills`)
  })
})
