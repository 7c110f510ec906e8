import assert from 'node:assert/strict'
import { join } from 'node:path'
import { MessageChannel } from 'node:worker_threads'
import { type ArrayHandler, PythonPool } from '../../lib/index'
import { collect } from '../fixtures/collect'
import { testPython } from '../fixtures/python'

const FOLDER = join(__dirname, '..', 'lifecycle')
/** More than is copied for being small. */
const BIG = 1 << 16

/** ArrayBuffers of a newer JavaScript. */
interface NewBuffer {
  transfer?(size?: number): ArrayBuffer
  resize?(size: number): void
  resizable?: boolean
}
type Resizable = new (size: number, options: { maxByteLength: number }) => ArrayBuffer
type Growable = new (
  size: number,
  options: { maxByteLength: number },
) => SharedArrayBuffer & { grow(size: number): void }

/** Everything that a program can do to take an ArrayBuffer's memory away. None of it may hurt; some of it throws. */
const ATTACKS: Record<string, (buffer: ArrayBuffer) => unknown> = {
  structuredClone: (buffer) => structuredClone(buffer, { transfer: [buffer] }),
  postMessage: (buffer) => {
    const { port1, port2 } = new MessageChannel()
    port1.postMessage(buffer, [buffer])
    port2.close()
  },
  transfer: (buffer) => (buffer as NewBuffer).transfer?.(),
  'transfer to nothing': (buffer) => (buffer as NewBuffer).transfer?.(0),
  resize: (buffer) => (buffer as NewBuffer).resizable && (buffer as NewBuffer).resize?.(0),
}

function attack(name: string, buffer: ArrayBuffer): void {
  try {
    ATTACKS[name]!(buffer)
  } catch (error) {
    assert.match(String(error), /DataCloneError|TypeError/)
  }
}

for (const isolation of ['shared', 'namespace', 'process'] as const) {
  describe(`memory that both sides hold (${isolation})`, function () {
    this.timeout(300_000)
    let pool: PythonPool
    const array = (name: string) => pool.handler<Float64Array, Float64Array>(`memory:${name}`, { codec: 'array' })
    const json = (name: string) => pool.handler<number, number>(`memory:${name}`)
    const call = (handler: ArrayHandler<Float64Array, Float64Array>, items: Float64Array, transfer = false) =>
      handler.call(items, { transfer })

    before(async () => {
      pool = await PythonPool.open({ python: await testPython(), isolation, path: FOLDER })
    })
    afterEach(() => json('forget').call([1]))
    after(() => pool?.close())

    it('a write on one side shows on the other: memory of the pool, and a SharedArrayBuffer', async () => {
      const both: Float64Array[] = [pool.allocate(Float64Array, BIG)]
      // Worker processes map what the pool allocated; of a SharedArrayBuffer they get a copy.
      if (isolation !== 'process') both.push(new Float64Array(new SharedArrayBuffer(8 * BIG)))
      for (const items of both) {
        items.fill(1)
        const result = await call(array('keep'), items)
        assert.equal(result.buffer, items.buffer, 'the same memory comes back as the same buffer')
        assert.equal(items[0], 42)
        assert.deepEqual(await call(array('kept_sum'), items), Float64Array.of(BIG - 1 + 42))
        items.fill(2)
        assert.deepEqual(await call(array('kept_sum'), items), Float64Array.of(2 * BIG))
        await json('write_kept').call([3])
        assert.ok(items.every((item) => item === 3))
      }
    })

    it('an ordinary array is copied when the call is made: what comes later is not seen', async () => {
      const slow = array('slow_sum')
      const items = new Float64Array(BIG).fill(1)
      await slow.call(new Float64Array(1)) // loaded
      const first = slow.call(items)
      const second = slow.call(items) // waits in the queue
      items.fill(5)
      attack('structuredClone', items.buffer)
      assert.deepEqual([await first, await second], [Float64Array.of(BIG), Float64Array.of(BIG)])
    })

    it('an ordinary array may be called with before its handler has loaded', async () => {
      const items = new Float64Array(BIG).fill(1)
      const first = array('slow_sum').call(items)
      items.fill(5)
      attack('structuredClone', items.buffer)
      assert.deepEqual(await first, Float64Array.of(BIG))
    })

    it('a transferred array is detached, and its memory comes back in the result', async () => {
      const items = new Float64Array(BIG).fill(1)
      const { buffer } = items
      const result = await call(array('same'), items, true)
      assert.equal(buffer.byteLength, 0)
      assert.deepEqual([result.length, result[0], result[BIG - 1]], [BIG, 2, 2])
    })

    it('transferred memory that Python kept stays its own, whatever becomes of the result', async () => {
      for (const name of ['keep', 'keep_part']) {
        for (const way of Object.keys(ATTACKS)) {
          const result = await call(array(name), new Float64Array(BIG).fill(1), true)
          await json('write_kept').call([8])
          assert.equal(result[1], 1, 'Python kept the memory, so the result has its own')
          attack(way, result.buffer as ArrayBuffer)
        }
        await collect()
        const [sum] = await json('write_kept').call([9])
        assert.equal(sum, 9 * (name === 'keep' ? BIG : BIG / 2))
      }
    })

    it('a buffer of another realm is transferred like any other', async () => {
      const { runInNewContext } = await import('node:vm')
      const items = runInNewContext(`new Float64Array(${BIG}).fill(1)`) as Float64Array
      const { buffer } = items
      await call(array('keep'), items, true)
      assert.equal(buffer.byteLength, 0)
      await collect()
      assert.deepEqual(await json('write_kept').call([2]), [2 * BIG])
    })

    for (const way of Object.keys(ATTACKS)) {
      it(`memory of the pool survives ${way} in the middle of a call`, async () => {
        const items = pool.allocate(Float64Array, BIG)
        const running = call(array('slow_write'), items)
        const waiting = call(array('slow_write'), items)
        const answers = Promise.allSettled([running, waiting])
        await new Promise((resolve) => setTimeout(resolve, 50))
        attack(way, items.buffer as ArrayBuffer)
        await collect()
        for (const answer of await answers) {
          if (answer.status === 'fulfilled') assert.equal(answer.value[BIG - 1], 7)
          else assert.equal(answer.reason.code, 'ERR_RESULT_ENCODE', answer.reason)
        }
        const again = await call(array('same'), new Float64Array([1]))
        assert.deepEqual(again, Float64Array.of(2), 'the pool goes on')
      })
    }

    it('buffers that can be resized are safe too', async () => {
      const buffer = new (ArrayBuffer as unknown as Resizable)(8 * BIG, { maxByteLength: 16 * BIG })
      const items = new Float64Array(buffer, 0, BIG).fill(1)
      const copied = array('slow_sum').call(items)
      attack('resize', buffer)
      assert.deepEqual(await copied, Float64Array.of(BIG))
      ;(buffer as NewBuffer).resize?.(8 * BIG)
      const result = await call(array('keep'), new Float64Array(buffer, 0, BIG), true)
      attack('resize', result.buffer as ArrayBuffer)
      await collect()
      assert.deepEqual(await json('write_kept').call([2]), [2 * BIG])

      const shared = new (SharedArrayBuffer as unknown as Growable)(8 * BIG, { maxByteLength: 16 * BIG })
      const growing = array('slow_write').call(new Float64Array(shared, 0, BIG))
      shared.grow(16 * BIG)
      assert.equal((await growing)[BIG - 1], 7)
    })

    it('a memoryview that a handler kept raises after the call', async () => {
      const keep = pool.handler<Uint8Array, Uint8Array>('memory:keep_views', { codec: 'buffer' })
      const memory = pool.allocate(Uint8Array, BIG).fill(3)
      const answer = await keep.call([memory, Uint8Array.of(1, 2)])
      assert.deepEqual(answer[1], Uint8Array.of(1, 2))
      const tries = await pool.handler<number, string>('memory:try_views').call([1])
      // The third view was made by the handler itself and keeps the memory alive, so it may be read.
      assert.match(tries[0]!, /^.*released memoryview.* \| .*released memoryview.* \| (read 3|.*released.*)$/)
    })

    it('memory that numpy kept lives on when JavaScript has dropped it', async () => {
      await call(array('keep'), pool.allocate(Float64Array, BIG))
      await call(array('keep'), new Float64Array(new SharedArrayBuffer(8 * BIG)))
      await call(array('keep'), new Float64Array(BIG), true)
      await call(array('keep'), new Float64Array(BIG))
      await collect()
      const filler = Array.from({ length: 20 }, () => new Float64Array(BIG).fill(1))
      assert.deepEqual(await json('write_kept').call([6]), [6 * BIG])
      assert.ok(filler.every((one) => one.every((item) => item === 1)))
    })

    // A worker process copies its results into shared memory, once, and keeps nothing.
    const here = isolation === 'process' ? () => {} : it

    here('one numpy array may be the result of many calls', async () => {
      const handler = array('one_for_all')
      const first = await handler.call(Float64Array.of(1))
      const second = await handler.call(Float64Array.of(1))
      assert.deepEqual([first[0], second[0]], [second[0], first[0]])
      second[5] = 9
      assert.equal(first[5], 9)
      await collect()
    })

    it('results outlive the call, the handler and the pool', async () => {
      const other = await PythonPool.open({ python: await testPython(), isolation, path: FOLDER })
      const handler = other.handler<Float64Array, Float64Array>('memory:make', { codec: 'array' })
      const results = await Promise.all([1, 2, 3].map((value) => handler.call(Float64Array.of(BIG, value))))
      await handler.close()
      await other.close()
      await collect()
      for (const [index, result] of results.entries()) assert.ok(result.every((item) => item === index + 1))
    })

    here('Python gets its arrays back when JavaScript has dropped them', async () => {
      const handler = array('make')
      await collect()
      await handler.call(Float64Array.of(1, 1))
      await collect()
      assert.deepEqual(await json('count_alive').call([0]), [0], 'nothing is left of earlier tests')
      let results = await Promise.all(Array.from({ length: 20 }, () => handler.call(Float64Array.of(BIG, 1))))
      assert.deepEqual(await json('count_alive').call([0]), [20])
      results = results.slice(0, 5)
      await collect()
      assert.deepEqual(await json('count_alive').call([0]), [5], 'what is held stays, the rest goes')
      assert.equal(results[4]?.[0], 1)
      results = []
      // An interpreter that waits is woken for it, without a call.
      await collect()
      await new Promise((resolve) => setTimeout(resolve, 50))
      assert.deepEqual(await json('count_alive').call([0]), [0])
    })

    it('memory stays flat over many large calls in and out', async () => {
      const handler = array('make')
      const size = 1 << 20 // 8 MiB
      const round = async (count: number) => {
        for (let i = 0; i < count; i++) {
          await handler.call(Float64Array.of(size, i))
          await call(array('same'), pool.allocate(Float64Array, size).fill(1))
          await call(array('same'), new Float64Array(size), true)
          if (i % 4 === 0) await collect()
        }
        await collect()
      }
      await round(8)
      const before = process.memoryUsage.rss()
      await round(24)
      const growth = (process.memoryUsage.rss() - before) / 2 ** 20
      assert.ok(growth < 100, `${growth} MiB more after 576 MiB went through`)
    })
  })
}
