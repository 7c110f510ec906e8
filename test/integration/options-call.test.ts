import assert from 'node:assert/strict'
import {
  OptionError,
  PoolClosedError,
  PythonAbortError,
  PythonNotFoundError,
  PythonTimeoutError,
  type RxjsPythonError,
} from '../../lib/errors'
import { PythonPool } from '../../lib/index'
import { failsWith } from '../fixtures/failures'
import { inEachMode, openPool, withPool } from '../fixtures/modes'

inEachMode('options of call', (test) => {
  it('timeout ends a call that runs for too long, and only that', async () => {
    const handler = test.pool.handler<number, number>('flow:slow_on_13')
    await handler.call([])
    const slow = failsWith(handler.call([13], { timeout: 60 }), PythonTimeoutError, 'ERR_TIMEOUT')
    const error = await slow
    assert.equal(error.timeout, 60)
    assert.equal(error.handler, 'flow:slow_on_13')
    assert.equal(error.message, 'flow:slow_on_13: the call took longer than 60 ms')
    const many = Array.from({ length: 8 }, (_, i) => handler.call([i], { timeout: 10_000 }))
    assert.deepEqual((await Promise.all(many)).flat(), [0, 1, 2, 3, 4, 5, 6, 7])
  })

  it('timeout counts from the call, also while every interpreter is busy', async () => {
    const [handler, echo] = [test.pool.handler<number, number>('flow:slow_on_13'), test.pool.handler('seen')]
    await Promise.all([handler.call([]), echo.call([])])
    const controller = new AbortController()
    const busy = Array.from({ length: test.mode.size }, () => handler.call([13], { signal: controller.signal }))
    const waiting = failsWith(echo.call([1], { timeout: 30 }), PythonTimeoutError, 'ERR_TIMEOUT')
    await waiting
    controller.abort()
    for (const call of busy) await failsWith(call, PythonAbortError, 'ERR_ABORTED')
    assert.deepEqual(await echo.call([2]), [2])
  })

  it('runTimeout counts from when the call comes to run', async () => {
    const source = 'import time\ndef handle(state, item):\n  time.sleep(item)\n  return item'
    const scan = test.pool.handler<number, number>({ source }).variant('scan')
    await scan.call([])
    // All three wait for the same interpreter, the third one for longer than the limit.
    const calls = [0.1, 0.1, 0.1].map((seconds) => scan.call([seconds], { runTimeout: 180 }))
    assert.deepEqual(await Promise.all(calls), [[0.1], [0.1], [0.1]])
    const [quick, slow] = [scan.call([0.1], { runTimeout: 180 }), scan.call([30], { runTimeout: 180 })]
    const start = performance.now()
    const error = await failsWith(slow, PythonTimeoutError, 'ERR_TIMEOUT')
    assert.ok(performance.now() - start > 270, 'the limit of the second began with the end of the first')
    assert.equal(error.timeout, 180)
    assert.deepEqual(await quick, [0.1])
    await scan.close()
  })

  it('signal ends a call that waits, and one that runs', async () => {
    const handler = test.pool.handler<number, number>('flow:slow_on_13')
    await handler.call([])
    const reason = new Error('no longer of interest')
    const controller = new AbortController()
    const calls = Array.from({ length: test.mode.size * 2 }, () => handler.call([13], { signal: controller.signal }))
    setTimeout(() => controller.abort(reason), 30)
    for (const call of calls) {
      const error = await failsWith(call, PythonAbortError, 'ERR_ABORTED')
      assert.equal(error.name, 'AbortError')
      assert.equal(error.cause, reason)
    }
    assert.deepEqual(await handler.call([1]), [1])
  })
})

withPool('options of calls, handlers and pools', (test) => {
  it('signal that is aborted already means that Python is never asked', async () => {
    const handler = test.pool.handler(`
      calls = 0
      def handle(batch):
          global calls
          calls += 1
          return [calls for _ in batch]
    `)
    assert.deepEqual(await handler.call([0]), [1])
    await failsWith(handler.call([0], { signal: AbortSignal.abort() }), PythonAbortError, 'ERR_ABORTED')
    assert.deepEqual(await handler.call([0]), [2])
  })

  it('signal may end a call before its handler has loaded', async () => {
    const controller = new AbortController()
    const call = test.pool.handler('import time; time.sleep(0.1)\ndef handle(batch): return batch').call([1], {
      signal: controller.signal,
    })
    controller.abort()
    await failsWith(call, PythonAbortError, 'ERR_ABORTED')
  })

  it('signal and timeout that are never needed leave nothing behind', async () => {
    const handler = test.pool.handler('seen')
    const controller = new AbortController()
    for (let i = 0; i < 200; i++) await handler.call([i], { signal: controller.signal, timeout: 1000 })
    controller.abort()
    assert.deepEqual(await handler.call([1]), [1])
    const timers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout')
    assert.ok(timers.length < 20, `${timers.length} timers are left`)
  })

  const bad: [options: unknown, message: RegExp][] = [
    [{ timeout: 0 }, /'timeout' must be a time in milliseconds above 0/],
    [{ timeout: -1 }, /'timeout'/],
    [{ timeout: NaN }, /'timeout'/],
    [{ timeout: '5' }, /'timeout'/],
    [{ timeout: 2 ** 31 }, /'timeout'/],
    [{ signal: {} }, /'signal' must be an AbortSignal/],
    [{ transfer: 1 }, /'transfer' must be true or false/],
    [{ timeOut: 5 }, /'timeOut' is not an option here: did you mean 'timeout'\?/],
    [null, /the options must be an object/],
    [5, /the options must be an object/],
    [{ timeout: 0, signal: 1, transfer: '' }, /3 options are wrong/],
  ]
  for (const [options, message] of bad) {
    it(`of call are checked: ${JSON.stringify(options)}`, async () => {
      const error = await failsWith(test.pool.handler('seen').call([1], options as never), OptionError, 'ERR_OPTION')
      assert.match(error.message, message)
    })
  }

  it('of a call that are undefined are no options', async () => {
    const nothing = { timeout: undefined, signal: undefined, transfer: undefined }
    assert.deepEqual(await test.pool.handler('seen').call([1], nothing), [1])
    assert.deepEqual(await test.pool.handler('seen').call([1], undefined), [1])
  })

  it('of a handler are checked at once', () => {
    for (const options of [{ codec: 'xml' }, { mode: 'reduce' }, { inti: 'a:b' }, null, 5]) {
      assert.throws(() => test.pool.handler('seen', options as never), OptionError, JSON.stringify(options))
    }
  })

  it('of a pool are checked before anything is started', async () => {
    const wrong: object[] = [
      { size: 0 },
      { size: 1.5 },
      { size: { min: 3, max: 2 } },
      { isolation: 'thread' },
      { python: '' },
      { python: 5 },
      { path: [5] },
      { name: '' },
      { onProgress: 'yes' },
      { pyhton: 'python3' },
    ]
    for (const options of wrong) {
      await failsWith(PythonPool.open(options as never), OptionError, 'ERR_OPTION')
    }
    const all = await failsWith(PythonPool.open({ size: 0, name: '', path: 5 } as never), OptionError, 'ERR_OPTION')
    assert.equal(all.problems.length, 3)
    await failsWith(PythonPool.open({ python: '/no/such/python' }), PythonNotFoundError, 'ERR_PYTHON_NOT_FOUND')
    await assert.rejects(
      PythonPool.open({ requirements: '/no/such/requirements.txt' }),
      (error: RxjsPythonError) => error.code === 'ERR_REQUIREMENTS',
    )
  })

  it('of a pool show in what it says of itself', async () => {
    const pool = await openPool({ name: 'mine', size: 2, isolation: 'shared' })
    const info = pool.info()
    assert.deepEqual([pool.name, pool.size, pool.closed], ['mine', 2, false])
    assert.deepEqual([info.name, info.size, info.isolation, info.pending, info.closed], ['mine', 2, 'shared', 0, false])
    assert.match(info.python.executable, /python/)
    await pool.close()
    assert.deepEqual([pool.closed, pool.info().closed], [true, true])
    await pool.close()
    assert.throws(() => pool.handler('seen'), PoolClosedError)
  })

  it('of a pool may leave the choice to it', async () => {
    const one = await openPool()
    assert.equal(one.size, 1)
    assert.equal(one.info().isolation, 'shared')
    const range = await openPool({ size: { min: 1, max: 2 } })
    assert.ok(range.size >= 1 && range.size <= 2)
    await Promise.all([one.close(), range.close()])
  })

  it('of Python: the one that was asked for, as that Python sees itself', async () => {
    const look = test.pool.handler<number, string[]>(`
      import sys, os
      def handle(batch):
          return [[sys.executable, sys.prefix, os.path.dirname(os.__file__)] for _ in batch]
    `)
    const [[executable, prefix, library]] = (await look.call([0])) as [[string, string, string]]
    const { python } = test.pool.info()
    assert.deepEqual([executable, prefix], [python.executable, python.prefix])
    assert.ok(library.startsWith(python.basePrefix))
  })
})
