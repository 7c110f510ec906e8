import assert from 'node:assert/strict'
import { HandlerError, ResultError } from '../../lib/errors'
import { failsWith } from '../fixtures/failures'
import { inEachMode, withPool } from '../fixtures/modes'

const SHAPES = [
  ...['function', 'generator', 'expression', 'mapped', 'a_tuple', 'coroutine', 'async_generator', 'gathered'],
  ...['decorated_coroutine', 'Instance', 'Async', 'Generator', 'Methods.static', 'Methods.klass', 'Methods.Nested'],
  ...['instance', 'instance.__call__', 'bound', 'partial', 'async_partial', 'closure', 'a_lambda'],
]

inEachMode('a handler may be', (test) => {
  for (const shape of SHAPES) {
    it(`shapes:${shape}`, async () => {
      const handler = test.pool.handler<number, number>(`shapes:${shape}`)
      assert.deepEqual(await handler.call([1, 2, 3]), [2, 4, 6])
      assert.deepEqual(await handler.call([]), [])
      const many = await Promise.all(Array.from({ length: 20 }, (_, i) => handler.call([i, i + 1])))
      assert.deepEqual(
        many,
        Array.from({ length: 20 }, (_, i) => [2 * i, 2 * i + 2]),
      )
    })
  }

  it('a class, of which each interpreter makes one instance', async () => {
    const handler = test.pool.handler<number, number>(`
      class Counter:
          made = 0
          def __init__(self):
              Counter.made += 1
          def __call__(self, batch):
              import time
              time.sleep(0.01)
              return [Counter.made for _ in batch]
    `)
    const answers = await Promise.all(Array.from({ length: 8 }, () => handler.call([0])))
    assert.deepEqual(new Set(answers.flat()), new Set([1]))
  })
})

withPool('the shapes of handlers', (test) => {
  it('keep the event loop, and what runs in it, from call to call', async () => {
    const handler = test.pool.handler(`
      import asyncio
      ticks = 0
      task = None
      async def tick():
          global ticks
          while True:
              ticks += 1
              await asyncio.sleep(0)
      async def handle(batch):
          global task
          if task is None:
              task = asyncio.ensure_future(tick())
          await asyncio.sleep(0.005)
          return [[ticks > 0, task.done(), id(asyncio.get_running_loop())] for _ in batch]
    `)
    const [first] = (await handler.call([0])) as [unknown[]]
    const [second] = (await handler.call([0])) as [unknown[]]
    assert.deepEqual(first.slice(0, 2), [true, false])
    assert.deepEqual(second, first)
    await handler.close()
  })

  it('run together in one loop where a batch is gathered', async () => {
    const handler = test.pool.handler<number, number>(`
      import asyncio
      async def handle(batch):
          async def one(item):
              await asyncio.sleep(0.05)
              return item
          return await asyncio.gather(*map(one, batch))
    `)
    await handler.call([])
    const start = performance.now()
    assert.equal((await handler.call(Array.from({ length: 100 }, (_, i) => i))).length, 100)
    assert.ok(performance.now() - start < 1000)
  })

  it('read an endless generator no further than they must', async () => {
    const handler = test.pool.handler(`
      import itertools
      def handle(batch):
          return itertools.count()
    `)
    const error = await failsWith(handler.call([1, 2]), ResultError, 'ERR_RESULT_LENGTH')
    assert.match(error.message, /more than 2 results for a batch of 2/)
  })

  it('do not call a generator function before its first result is wanted', async () => {
    const handler = test.pool.handler<number, string>(`
      seen = []
      def handle(batch):
          seen.append(len(batch))
          for item in batch:
              yield str(seen)
    `)
    assert.deepEqual(await handler.call([1]), ['[1]'])
    assert.deepEqual(await handler.call([1, 2]), ['[1, 2]', '[1, 2]'])
  })

  it('end with an error where a class cannot be one', async () => {
    const silent = { source: 'class Silent:\n  pass' }
    const error = await failsWith(test.pool.handler(silent).call([]), HandlerError, 'ERR_HANDLER_INIT')
    assert.match(error.message, /a class without __call__/)
    const needy = { source: 'class Needy:\n  def __init__(self, x): pass\n  def __call__(self, b): return b' }
    const missing = await failsWith(test.pool.handler(needy).call([]), HandlerError, 'ERR_HANDLER_INIT')
    assert.equal(missing.pythonType, 'TypeError')
    const failing = {
      source: 'class Bad:\n  def __init__(self): raise OSError("no disk")\n  def __call__(self, b): return b',
    }
    const raised = await failsWith(test.pool.handler(failing).call([]), HandlerError, 'ERR_HANDLER_INIT')
    assert.match(raised.message, /OSError: no disk/)
    assert.match(raised.pythonTraceback, /raise OSError\("no disk"\)/)
  })

  it('may change the batch that they are given, and return it', async () => {
    const handler = test.pool.handler<number, number>(`
      def handle(batch):
          batch.reverse()
          batch[0] = 99
          return batch
    `)
    assert.deepEqual(await handler.call([1, 2, 3]), [99, 2, 1])
    const emptied = test.pool.handler<Uint8Array, Uint8Array>(
      `
      def handle(batch):
          kept = [bytes(item) for item in batch]
          batch.clear()
          return kept
    `,
      { codec: 'buffer' },
    )
    assert.deepEqual(await emptied.call([Uint8Array.of(1), Uint8Array.of(2)]), [Uint8Array.of(1), Uint8Array.of(2)])
  })
})
