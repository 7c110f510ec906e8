import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import type { Handler } from '../../lib/index'
import { openPool } from '../fixtures/modes'

const SLOW_TO_LOAD = `
import time
print('begins', flush=True)
time.sleep(0.3)
print('has loaded', flush=True)

def handle(batch):
    return batch
`

const LEAVES = `
import os

def handle(batch):
    os._exit(1)
`

describe('a handler that an interpreter loads while its first batch is asked to stop', function () {
  this.timeout(120_000)
  // A process that takes the place of one that crashed loads handlers when their next batch comes.
  const crash = (handler: Handler<unknown, unknown>) => assert.rejects(handler.call([1]), { code: 'ERR_PYTHON_CRASH' })

  it('is loaded to its end: what was asked is answered at once, and the next batch finds it there', async () => {
    await using pool = await openPool({ isolation: 'process', size: 1 })
    let output = ''
    pool.on('stdout', (text) => {
      output += text
    })
    const until = async (text: string) => {
      while (!output.includes(text)) await pause(2)
    }
    const slow = pool.handler({ source: SLOW_TO_LOAD })
    const leaves = pool.handler({ source: LEAVES })
    await slow.call([1])
    await crash(leaves)
    output = ''
    const controller = new AbortController()
    const call = slow.call([2], { signal: controller.signal })
    const ended = call.then(
      () => 'a result',
      (error) => `${error.code}, has ${output.includes('has loaded') ? '' : 'not '}loaded`,
    )
    await until('begins')
    controller.abort()
    assert.equal(await ended, 'ERR_ABORTED, has not loaded')
    assert.deepEqual(await slow.call([3]), [3])
    assert.equal(output.match(/begins/g)?.length, 1, output)
    assert.equal(pool.info().crashes, 1)
  })

  it('finds numpy whole, whenever it is asked', async () => {
    await using pool = await openPool({ isolation: 'process', size: 1 })
    const double = pool.handler<Float64Array, Float64Array>(
      { source: 'def handle(array):\n    return array * 2\n' },
      { codec: 'array' },
    )
    const leaves = pool.handler({ source: LEAVES })
    await double.call(Float64Array.of(1))
    for (const delay of [1, 5, 10, 20, 40, 60, 80, 100]) {
      await crash(leaves)
      const stop = AbortSignal.timeout(delay)
      await double.call(Float64Array.of(1), { signal: stop }).catch((error) => assert.equal(error.code, 'ERR_ABORTED'))
      assert.deepEqual(await double.call(Float64Array.of(2)), Float64Array.of(4), `after ${delay} ms`)
    }
  })
})
