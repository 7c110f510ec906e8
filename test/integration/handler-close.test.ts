import assert from 'node:assert/strict'
import { PoolClosedError } from '../../lib/errors'
import { failsWith } from '../fixtures/failures'
import { inEachMode, openHandlers, openPool, withPool } from '../fixtures/modes'

const slow = (result: string) => `
  import time
  def handle(batch):
      time.sleep(0.02)
      return ["${result}" for _ in batch]
`

inEachMode('closing a handler', (test) => {
  it('refuses calls from then on, and gives those before their results', async () => {
    const handler = test.pool.handler(slow('a result'))
    const calls = Array.from({ length: 8 }, () => handler.call([1]))
    const closing = handler.close()
    await failsWith(handler.call([1]), PoolClosedError, 'ERR_POOL_CLOSED')
    await closing
    assert.deepEqual(await Promise.all(calls), new Array(8).fill(['a result']))
    await failsWith(handler.call([1]), PoolClosedError, 'ERR_POOL_CLOSED')
    assert.equal(handler.close(), closing, 'closing twice is closing once')
  })

  it('never lets a later handler run the function of a closed one', async () => {
    for (let round = 0; round < 5; round++) {
      const before = test.pool.handler(slow(`before ${round}`))
      await before.call([])
      const calls = Array.from({ length: 6 }, () => before.call([1]))
      await before.close()
      const after = test.pool.handler(slow(`after ${round}`))
      const answers = await Promise.all(Array.from({ length: 6 }, () => after.call([1])))
      assert.deepEqual(answers, new Array(6).fill([`after ${round}`]))
      assert.deepEqual(await Promise.all(calls), new Array(6).fill([`before ${round}`]))
      await after.close()
    }
  })

  it('leaves other handlers of the same function alone', async () => {
    const [one, two] = [test.pool.handler('seen'), test.pool.handler('seen')]
    await Promise.all([one.call([1]), two.call([1])])
    await one.close()
    assert.deepEqual(await two.call([1]), [1])
  })

  it('is fast enough to do it hundreds of times', async () => {
    for (let i = 0; i < 200; i++) {
      const handler = test.pool.handler<number, number>(`lambda batch: [item + ${i} for item in batch]`)
      assert.deepEqual(await handler.call([1]), [1 + i])
      await handler.close()
    }
    const before = await openHandlers(test.pool)
    const many = Array.from({ length: 200 }, (_, i) =>
      test.pool.handler(`lambda batch: [item + ${i} for item in batch]`),
    )
    const answers = await Promise.all(many.map((handler) => handler.call([1])))
    assert.deepEqual(
      answers.flat(),
      many.map((_, i) => 1 + i),
    )
    assert.equal(await openHandlers(test.pool), before + 200)
    await Promise.all(many.map((handler) => handler.close()))
    assert.equal(await openHandlers(test.pool), before)
  })

  it('does not wait for a call that was cancelled', async () => {
    const handler = test.pool.handler(`
      import time
      def handle(batch):
          until = time.monotonic() + 20
          while time.monotonic() < until:
              pass
          return batch
    `)
    const controller = new AbortController()
    const call = handler.call([1], { signal: controller.signal })
    setTimeout(() => controller.abort(), 50)
    const start = performance.now()
    await assert.rejects(call, { code: 'ERR_ABORTED' })
    await handler.close()
    assert.ok(performance.now() - start < 5000)
  })
})

withPool('handlers and their pools', (test) => {
  it('may be closed before they have loaded', async () => {
    const handler = test.pool.handler('seen')
    await handler.close()
    const bad = test.pool.handler('no_such_module')
    await bad.close()
  })

  it('may be closed while their pool closes, and after', async () => {
    const pool = await openPool()
    const [one, two, three] = [pool.handler('seen'), pool.handler('seen'), pool.handler('seen')]
    const call = one.call([1])
    const closing = [one.close(), pool.close(), two.close()]
    await Promise.all(closing)
    assert.deepEqual(await call, [1])
    await three.close()
    await failsWith(three.call([1]), PoolClosedError, 'ERR_POOL_CLOSED')
    assert.throws(() => pool.handler('seen'), PoolClosedError)
  })

  it('are separate on several pools, with the same name', async () => {
    const pools = await Promise.all([openPool(), openPool({ isolation: 'namespace' })])
    const handlers = pools.map((pool) =>
      pool.handler<number, [string, number, number]>('setup', { init: 'setup:load' }),
    )
    assert.deepEqual((await Promise.all(handlers.map((handler) => handler.call([0])))).flat().map(String), [
      'set up,1,0',
      'set up,1,0',
    ])
    await pools[0]!.close()
    assert.equal((await handlers[1]!.call([0])).length, 1)
    await failsWith(handlers[0]!.call([0]), PoolClosedError, 'ERR_POOL_CLOSED')
    await pools[1]!.close()
  })

  it('know their name, codec, mode and pool', () => {
    const handler = test.pool.handler('pkg.inner:handle', { codec: 'string' })
    assert.deepEqual([handler.name, handler.codec, handler.mode], ['pkg.inner:handle', 'string', 'map'])
    assert.equal(handler.pool, test.pool)
    const variant = handler.variant('filter')
    assert.deepEqual([variant.name, variant.codec, variant.mode], ['pkg.inner:handle', 'string', 'filter'])
  })

  it('estimate the size of items without failing', () => {
    const handler = test.pool.handler('seen')
    const cycle: unknown[] = []
    cycle.push(cycle)
    for (const item of [1n, cycle, undefined, () => 1, Symbol('x')]) assert.equal(handler.sizeOf(item), 0)
    assert.equal(handler.sizeOf('four'), 4)
    assert.equal(handler.sizeOf(new Float64Array(2)), 16)
    assert.equal(handler.sizeOf(new SharedArrayBuffer(3)), 3)
    assert.ok(handler.sizeOf({ a: [1, 2, 3] }) > 5)
  })

  it('have modes of their own: filter, flatMap and scan', async () => {
    const even = test.pool.handler<number, unknown>('lambda batch: [item % 2 == 0 for item in batch]')
    assert.deepEqual(await even.variant('filter').call([1, 2, 3, 4]), [false, true, false, true])
    assert.deepEqual(await even.variant('filter').call([]), [])
    const repeat = test.pool.handler<number, unknown>('lambda batch: [[item] * item for item in batch]')
    assert.deepEqual(await repeat.variant('flatMap').call([0, 1, 3]), [1, 3, 3, 3])
    const sum = test.pool.handler<number, unknown>('lambda state, item: state + item').variant('scan', { seed: 10 })
    assert.deepEqual(await sum.call([1, 2]), [11, 13])
    assert.deepEqual(await sum.call([3]), [16])
    await sum.close()
  })

  it('take no number of their own where the seed cannot be carried', async () => {
    await using pool = await openPool()
    const numberOf = (seed: unknown) => (pool.handler('seen', { mode: 'scan', seed }) as unknown as { id: number }).id
    assert.equal(numberOf(1), 0)
    for (let i = 0; i < 3; i++) assert.throws(() => numberOf(new Map()), { code: 'ERR_ITEM_ENCODE' })
    assert.equal(numberOf(1), 1)
  })

  it('take any value that the codec json carries as the seed of a scan', async () => {
    const keep = (seed: unknown) => test.pool.handler('lambda state, item: state').variant('scan', { seed }).call([0])
    for (const seed of [
      NaN,
      Infinity,
      -Infinity,
      -0,
      5n,
      2n ** 80n,
      2 ** 60,
      { a: [NaN, 1n, '12n'], '\0': '\0N' },
      null,
    ]) {
      assert.deepEqual(await keep(seed), [seed])
    }
    for (const seed of [new Map(), () => 1, { a: Symbol('x') }, new Float64Array(1)]) {
      await assert.rejects(async () => keep(seed), { code: 'ERR_ITEM_ENCODE', message: /seed/ })
    }
  })
})
