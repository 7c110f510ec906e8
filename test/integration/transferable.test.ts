import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Worker } from 'node:worker_threads'
import { inEachMode } from '../fixtures/modes'

const LENGTH = 1 << 17 // a MiB of float64

/** Takes an array, adds up its elements, and sends it back after it wrote into it. */
const WORKER = `
  const { parentPort } = require('node:worker_threads')
  parentPort.on('message', (array) => {
    const sum = array.reduce((a, b) => a + b, 0)
    array[0] = -1
    parentPort.postMessage({ sum, array }, [array.buffer])
  })
`

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

inEachMode('an array that Python returned', (test) => {
  const make = () =>
    test.pool.handler<Float64Array, Float64Array>(`lambda a: __import__('numpy').ones(int(a[0]))`, { codec: 'array' })

  it('moves to another thread and back, as any ArrayBuffer does', async () => {
    const array = await make().call(Float64Array.of(LENGTH))
    const worker = new Worker(WORKER, { eval: true })
    try {
      const answer = new Promise<{ sum: number; array: Float64Array }>((resolve, reject) => {
        worker.once('message', resolve)
        worker.once('error', reject)
      })
      worker.postMessage(array, [array.buffer as ArrayBuffer])
      assert.equal(array.length, 0, 'what was moved is gone here')
      const { sum, array: back } = await answer
      assert.equal(sum, LENGTH)
      assert.deepEqual([back.length, back[0], back[1]], [LENGTH, -1, 1])
    } finally {
      await worker.terminate()
    }
  })

  it('is used by a Worker that ends while it holds the array', async () => {
    const array = await make().call(Float64Array.of(LENGTH))
    const worker = new Worker(WORKER.replace(/parentPort\.postMessage.*/, 'parentPort.postMessage(sum)'), {
      eval: true,
    })
    const sum = new Promise((resolve) => worker.once('message', resolve))
    worker.postMessage(array, [array.buffer as ArrayBuffer])
    assert.equal(await sum, LENGTH)
    await worker.terminate()
    assert.equal((await make().call(Float64Array.of(3))).length, 3)
  })

  it('is freed when JavaScript has dropped it', async () => {
    const call = make()
    const grown = async (calls: number): Promise<number> => {
      const before = process.memoryUsage.rss()
      for (let i = 0; i < calls; i++) {
        await call.call(Float64Array.of(LENGTH * 8))
        if (i % 8 === 7) {
          collect()
          await pause(5)
        }
      }
      return process.memoryUsage.rss() - before
    }
    await grown(32)
    const growth = await grown(64) // 512 MiB, were they kept
    assert.ok(growth < 200 * 2 ** 20, `${growth} bytes more`)
  })
})
