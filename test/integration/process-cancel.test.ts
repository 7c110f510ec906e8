import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { PythonAbortError, PythonCrashError } from '../../lib/index'
import { failsWith } from '../fixtures/failures'
import { withPool } from '../fixtures/modes'

withPool(
  'calls that a worker process holds and has not begun',
  (test) => {
    it('come first in the next process when theirs ends, in their order', async () => {
      const work = test.pool.handler<string, string>('noting:work', { onCrash: 'fail' })
      for (let i = 0; i < 50; i++) await work.call(['quick'])
      const items = Array.from({ length: 100 }, (_, i) => `item ${i}`)
      const crash = work.call(['crash'])
      const calls = items.map((item) => work.call([item]))
      await failsWith(crash, PythonCrashError, 'ERR_PYTHON_CRASH')
      assert.deepEqual((await Promise.all(calls)).flat(), items)
      assert.deepEqual(await test.pool.handler<number, string[]>('noting:noted').call([0]), [items])
    })

    it('never run once they were aborted', async () => {
      const work = test.pool.handler<string, string>('noting:work')
      const { crashes } = test.pool.info()
      // Quick calls are handed over several at a time, so that the later one lies behind the slow one.
      for (let i = 0; i < 50; i++) await work.call(['quick'])
      for (let round = 0; round < 3; round++) {
        const abort = new AbortController()
        const slow = work.call(['sleep'])
        const late = work.call(['late'], { signal: abort.signal })
        await turn()
        abort.abort()
        await failsWith(late, PythonAbortError, 'ERR_ABORTED')
        await slow
        const [noted] = await test.pool.handler<number, string[]>('noting:noted').call([0])
        assert.equal(noted!.filter((item) => item === 'late').length, 0)
        for (let i = 0; i < 50; i++) await work.call(['quick'])
      }
      // A result that nobody waits for would have been taken for a forged one.
      assert.equal(test.pool.info().crashes, crashes)
    })
  },
  { isolation: 'process', size: 1 },
)
