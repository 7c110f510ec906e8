import assert from 'node:assert/strict'
import fc from 'fast-check'
import { EncodeError, ResultError } from '../../lib/errors'
import type { TypedArray } from '../../lib/index'
import { failsWith } from '../fixtures/failures'
import { inEachMode, withPool } from '../fixtures/modes'

const bytes = (...values: number[]) => Uint8Array.from(values)

inEachMode('codec buffer', (test) => {
  it('brings any bytes there and back', async () => {
    const echo = test.pool.handler<Uint8Array, Uint8Array>('seen:handle', { codec: 'buffer' })
    const copy = test.pool.handler<Uint8Array, Uint8Array>('lambda batch: [bytes(item) for item in batch]', {
      codec: 'buffer',
    })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }), async (batch) => {
        assert.deepEqual(await echo.call(batch), batch)
        assert.deepEqual(await copy.call(batch), batch)
      }),
      { numRuns: 60 },
    )
  })

  it('keeps calls and large buffers apart', async () => {
    const handler = test.pool.handler<Uint8Array, Uint8Array>('lambda batch: [bytearray(item) for item in batch]', {
      codec: 'buffer',
    })
    const sizes = [0, 1, 8191, 8192, 65_535, 65_536, 65_537, 1 << 20]
    const batches = Array.from({ length: 6 }, (_, call) =>
      sizes.map((size, i) => new Uint8Array(size).fill(call * 10 + i)),
    )
    const answers = await Promise.all(batches.map((batch) => handler.call(batch)))
    for (const [i, answer] of answers.entries()) {
      assert.ok(answer.every((item, j) => Buffer.compare(item, batches[i]![j]!) === 0))
    }
  })

  it('lets both sides see and write allocated memory', async () => {
    const handler = test.pool.handler<Uint8Array, Uint8Array>(
      `
      def handle(batch):
          for item in batch:
              item[0] += 1
          return batch
      `,
      { codec: 'buffer' },
    )
    const frame = test.pool.allocate(Uint8Array, 100_000)
    frame[0] = 1
    const [back] = await handler.call([frame])
    assert.equal(frame[0], 2)
    assert.equal(back!.buffer, frame.buffer)
    frame[0] = 9
    assert.equal(back![0], 9)
  })
})

withPool('codec buffer', (test) => {
  const handler = (source: string) => test.pool.handler<unknown, Uint8Array>(source, { codec: 'buffer' })
  const echo = () => handler('seen:handle')

  it('gives Python a memoryview of bytes that can be written', async () => {
    const look = handler(`
      def handle(batch):
          return [repr((type(v).__name__, v.format, v.shape, v.readonly, v.contiguous)).encode() for v in batch]
    `)
    const [text] = await look.call([Float64Array.of(1, 2)])
    assert.equal(Buffer.from(text!).toString(), "('memoryview', 'B', (16,), False, True)")
  })

  const source = Uint8Array.from({ length: 64 }, (_, i) => i)
  const shared = new SharedArrayBuffer(64)
  new Uint8Array(shared).set(source)
  const items: [what: string, item: unknown, expected: Uint8Array][] = [
    ['a Uint8Array', source, source],
    ['a Buffer', Buffer.from('text'), bytes(116, 101, 120, 116)],
    ['a Buffer in the pool of Node', Buffer.from('pooled').subarray(1, 3), bytes(111, 111)],
    ['a subarray', source.subarray(3, 9), source.slice(3, 9)],
    ['an Int16Array', Int16Array.of(-1, 256), bytes(255, 255, 0, 1)],
    ['a Float32Array', Float32Array.of(1), bytes(0, 0, 128, 63)],
    ['a BigUint64Array', BigUint64Array.of(258n), bytes(2, 1, 0, 0, 0, 0, 0, 0)],
    ['a Uint8ClampedArray', Uint8ClampedArray.of(300, -1), bytes(255, 0)],
    ['an Int32Array with an offset', new Int32Array(source.buffer, 8, 2), source.slice(8, 16)],
    ['a DataView', new DataView(source.buffer, 5, 3), source.slice(5, 8)],
    ['an ArrayBuffer', source.slice(0, 5).buffer, source.slice(0, 5)],
    ['a SharedArrayBuffer', shared, source],
    ['a view of a SharedArrayBuffer', new Uint8Array(shared, 7, 5), source.slice(7, 12)],
    ['a DataView of a SharedArrayBuffer', new DataView(shared, 1, 2), source.slice(1, 3)],
    ['an empty one', new Uint8Array(0), bytes()],
    ['an empty subarray', source.subarray(5, 5), bytes()],
    ['an empty view of a SharedArrayBuffer', new Uint8Array(shared, 64), bytes()],
    ['an empty ArrayBuffer', new ArrayBuffer(0), bytes()],
  ]
  for (const [what, item, expected] of items) {
    it(`carries ${what}`, async () => {
      const [seen, back] = await handler('lambda batch: [bytes(batch[0]), batch[0]]').call([item, item])
      assert.deepEqual(seen, expected)
      assert.deepEqual(new Uint8Array(back!), expected)
    })
  }

  it('carries all of them in one batch', async () => {
    const back = await echo().call(items.map(([, item]) => item))
    assert.deepEqual(
      back.map((each) => Uint8Array.from(each)),
      items.map(([, , expected]) => expected),
    )
  })

  it('copies what JavaScript could take away, at the moment of the call', async () => {
    const slow = handler(`
      import time
      def handle(batch):
          time.sleep(0.03)
          for item in batch:
              item[0] = 7
          return [bytes(item) for item in batch]
    `)
    const first = bytes(1, 2)
    const opening = slow.call([first])
    first[1] = 99
    assert.deepEqual(await opening, [bytes(7, 2)], 'also before the handler has loaded')
    assert.deepEqual(first, bytes(1, 99), "Python's writes stay on its side")
    const second = new Uint8Array(100_000).fill(1)
    const running = slow.call([second])
    structuredClone(second.buffer, { transfer: [second.buffer] })
    assert.equal(second.length, 0)
    assert.deepEqual((await running)[0]!.slice(0, 2), bytes(7, 1))
  })

  it('shares a SharedArrayBuffer, and gives the same memory back', async () => {
    const memory = new Uint8Array(new SharedArrayBuffer(100_000), 10, 90_000)
    memory[0] = 1
    const [part] = await handler(`
      def handle(batch):
          batch[0][0] += 1
          return [batch[0][20:30]]
    `).call([memory])
    assert.equal(memory[0], 2)
    assert.equal(part!.buffer, memory.buffer)
    assert.deepEqual([part!.byteOffset, part!.byteLength], [30, 10])
    memory[20] = 5
    assert.equal(part![0], 5)
  })

  it('moves what it is told to transfer', async () => {
    const own = new Uint8Array(100_000).fill(3)
    const one = new Uint8Array(own.buffer, 0, 10)
    const two = Buffer.from(own.buffer, 50, 10)
    const answer = echo().call([one, two], { transfer: true })
    assert.equal(own.buffer.byteLength, 0)
    assert.equal(two.length, 0)
    const [first, second] = await answer
    assert.deepEqual([first!.length, second!.length, first![0], second![9]], [10, 10, 3, 3])
    assert.equal(first!.buffer, second!.buffer, 'one buffer before, one after')
    assert.deepEqual([first!.byteOffset, second!.byteOffset], [0, 50])
  })

  it('does not transfer memory that both sides hold anyhow', async () => {
    const frame = test.pool.allocate(Uint8Array, 10)
    const sharing = new Uint8Array(new SharedArrayBuffer(10))
    await echo().call([frame, sharing], { transfer: true })
    assert.deepEqual([frame.length, sharing.length], [10, 10])
  })

  it('never takes the memory that Node shares among small Buffers', async () => {
    const pooled = Buffer.from('small')
    const neighbour = Buffer.from('other')
    // An error from Node 21 on; a copy before.
    const back = await echo()
      .call([pooled], { transfer: true })
      .catch((error) => {
        assert.ok(error instanceof EncodeError, error)
        assert.match(error.message, /cannot be transferred/)
        return undefined
      })
    if (back !== undefined) assert.deepEqual(back, [Uint8Array.from(pooled)])
    assert.deepEqual([String(pooled), String(neighbour)], ['small', 'other'])
  })

  it('takes what was detached before as the empty view that it is', async () => {
    const gone = new Uint8Array(8)
    structuredClone(gone.buffer, { transfer: [gone.buffer] })
    assert.deepEqual(await echo().call([gone]), [bytes()])
    assert.deepEqual(await echo().call([gone], { transfer: true }), [bytes()])
  })

  it('survives memory of its own that is transferred elsewhere', async () => {
    const frame = test.pool.allocate(Uint8Array, 1000).fill(4)
    let moved: Uint8Array
    try {
      moved = new Uint8Array(structuredClone(frame.buffer, { transfer: [frame.buffer] }))
    } catch {
      moved = frame // this engine refuses, and nothing has changed
    }
    assert.deepEqual((await echo().call([moved]))[0]!.slice(0, 2), bytes(4, 4))
  })

  it("keeps a handler's view from reaching freed memory after the call", async () => {
    const keeping = handler(`
      kept = []
      def handle(batch):
          kept.extend(batch)
          try:
              return [bytes([kept[0][0]])]
          except ValueError as error:
              return [str(error).encode()]
    `)
    assert.deepEqual(await keeping.call([bytes(1)]), [bytes(1)])
    assert.match(Buffer.from((await keeping.call([bytes(2)]))[0]!).toString(), /released memoryview/)
  })

  const gone = new ArrayBuffer(8)
  const window = new DataView(gone)
  structuredClone(gone, { transfer: [gone] })
  const refused: [string, unknown, RegExp][] = [
    ['a DataView of a detached ArrayBuffer', window, /item 1: this DataView has lost its memory/],
    ['a detached ArrayBuffer', gone, /item 1: this ArrayBuffer has lost its memory/],
    ['a string', 'text', /got a string/],
    ['a list of numbers', [1, 2], /got a value of class Array/],
    ['null', null, /got null/],
    ['undefined', undefined, /got undefined/],
    ['a Blob', new Blob([]), /got a value of class Blob/],
  ]
  for (const [what, item, message] of refused) {
    it(`refuses ${what} and names the item`, async () => {
      const error = await failsWith(echo().call([bytes(1), item, bytes(2)]), EncodeError, 'ERR_ITEM_ENCODE')
      assert.equal(error.itemIndex, 1)
      assert.match(error.message, message)
    })
  }

  const results: [what: string, code: string, expected: Uint8Array][] = [
    ['bytes', 'b"ab"', bytes(97, 98)],
    ['bytearray', 'bytearray(b"ab")', bytes(97, 98)],
    ['memoryview', 'memoryview(b"abc")[1:]', bytes(98, 99)],
    ['empty bytes', 'b""', bytes()],
    ['an array of the module array', 'array.array("h", [1, -1])', bytes(1, 0, 255, 255)],
    ['a numpy array', 'numpy.array([1, 258], dtype="u2")', bytes(1, 0, 2, 1)],
    ['a numpy array of two dimensions', 'numpy.array([[1, 2], [3, 4]], dtype="u1")', bytes(1, 2, 3, 4)],
    ['a numpy scalar', 'numpy.uint16(258)', bytes(2, 1)],
    ['an empty numpy array', 'numpy.zeros(0)', bytes()],
    ['a read-only numpy array', 'numpy.frombuffer(b"abc", dtype="u1")', bytes(97, 98, 99)],
    ['a part of an input', 'batch[0][1:3]', bytes(2, 3)],
    ['a strided part of an input', 'batch[0][::2]', bytes(1, 3)],
    ['a strided numpy array', 'numpy.arange(10, dtype="u1")[::3]', bytes(0, 3, 6, 9)],
    ['a transposed numpy array', 'numpy.array([[1, 2], [3, 4]], dtype="u1").T', bytes(1, 3, 2, 4)],
    ['a field named O', 'numpy.array([(7,)], dtype=[("O", "u1")])', bytes(7)],
  ]
  for (const [what, code, expected] of results) {
    it(`takes ${what} as a result`, async () => {
      const [result] = await handler(`
        import array, numpy
        def handle(batch):
            return [${code}]
      `).call([bytes(1, 2, 3, 4)])
      assert.ok(result instanceof Uint8Array)
      assert.deepEqual(result, expected)
    })
  }

  it('takes an array of rows as one result for each', async () => {
    const rows = handler(`
      import numpy
      def handle(batch):
          return numpy.arange(len(batch) * 3, dtype="u1").reshape(len(batch), 3)
    `)
    assert.deepEqual(await rows.call([bytes(), bytes()]), [bytes(0, 1, 2), bytes(3, 4, 5)])
  })

  const bad: [code: string, message: RegExp][] = [
    ['"text"', /codec 'buffer'/],
    ['5', /codec 'buffer'/],
    ['None', /codec 'buffer'/],
    ['[1, 2]', /codec 'buffer'/],
    ['numpy.array([object()])', /a ndarray of Python objects has no bytes/],
    ['numpy.array([("x", 1)], dtype=[("a", "O"), ("b", "i4")])', /of Python objects has no bytes/],
    ['numpy.zeros(1, dtype="M8[s]")', /codec 'buffer' .*a ndarray: /],
  ]
  for (const [code, message] of bad) {
    it(`refuses the result ${code}`, async () => {
      const call = handler(`
        import numpy
        def handle(batch):
            return [b"", ${code}]
      `).call([bytes(1), bytes(2)])
      const error = await failsWith(call, ResultError, 'ERR_RESULT_ENCODE')
      assert.equal(error.itemIndex, 1)
      assert.match(error.message, message)
    })
  }

  it('carries 70,000 small buffers', async () => {
    const batch = Array.from({ length: 70_000 }, (_, i) => Uint8Array.of(i, i >> 8, i >> 16))
    const back = await handler('lambda batch: [bytes(item) for item in batch]').call(batch)
    assert.ok(back.length === batch.length && back.every((item, i) => Buffer.compare(item, batch[i]!) === 0))
  })

  it('gives an empty batch to the handler', async () => {
    assert.deepEqual(await echo().call([]), [])
  })

  it('keeps large results alive for as long as JavaScript has them', async () => {
    const make = handler('lambda batch: [bytearray(bytes([batch[0][0]])) * 200000]')
    const kept: Uint8Array[] = []
    for (let i = 0; i < 20; i++) kept.push((await make.call([bytes(i)]))[0]!)
    assert.ok(kept.every((result, i) => result.length === 200_000 && result[0] === i && result[199_999] === i))
    kept[3]![0] = 77
    assert.equal((await make.call([bytes(3)]))[0]![0], 3)
  })
})

describe('allocate', () => {
  withPool('memory of both sides', (test) => {
    it('is aligned, zeroed, and of the asked type', () => {
      const types = [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array]
      for (const Type of [...types, Float32Array, Float64Array, BigInt64Array, BigUint64Array]) {
        const frame: TypedArray = test.pool.allocate(Type as never, 3)
        assert.ok(frame instanceof Type)
        assert.deepEqual([frame.length, frame.byteOffset], [3, 0])
        assert.deepEqual(Array.from(new Uint8Array(frame.buffer)), new Array(3 * Type.BYTES_PER_ELEMENT).fill(0))
      }
      assert.equal(test.pool.allocate(Float64Array, 0).length, 0)
    })

    it('refuses what is no length, no type, or too much', () => {
      for (const length of [-1, 1.5, NaN, Infinity, '3', undefined]) {
        assert.throws(() => test.pool.allocate(Uint8Array, length as number), RangeError, String(length))
      }
      for (const type of [Array, DataView, ArrayBuffer, 'Uint8Array', undefined, class extends Uint8Array {}]) {
        assert.throws(() => test.pool.allocate(type as never, 1), TypeError)
      }
      assert.throws(() => test.pool.allocate(Uint8Array, 2 ** 52), RangeError)
      assert.throws(() => test.pool.allocate(Float64Array, 2 ** 51), RangeError)
    })
  })
})
