import assert from 'node:assert/strict'
import fc from 'fast-check'
import { EncodeError, ResultError } from '../../lib/errors'
import type { TypedArray } from '../../lib/index'
import { failsWith } from '../fixtures/failures'
import { inEachMode, withPool } from '../fixtures/modes'
import { program } from '../fixtures/program'

type ArrayClass = {
  new (length: number): TypedArray
  new (buffer: ArrayBufferLike, offset?: number, length?: number): TypedArray
  from(values: Iterable<number | bigint>): TypedArray
  readonly name: string
  readonly BYTES_PER_ELEMENT: number
}

/** Every class, numpy's name for its elements, and values at the borders. */
const CLASSES: [Class: ArrayClass, dtype: string, values: (number | bigint)[]][] = [
  [Int8Array, 'int8', [-128, 127, 0]],
  [Uint8Array, 'uint8', [0, 255]],
  [Uint8ClampedArray, 'uint8', [0, 255]],
  [Int16Array, 'int16', [-32768, 32767]],
  [Uint16Array, 'uint16', [0, 65535]],
  [Int32Array, 'int32', [-(2 ** 31), 2 ** 31 - 1]],
  [Uint32Array, 'uint32', [0, 2 ** 32 - 1]],
  [Float32Array, 'float32', [1.5, -0, NaN, Infinity, 3.4028234663852886e38]],
  [Float64Array, 'float64', [0.1, -0, NaN, -Infinity, Number.MAX_VALUE, 5e-324]],
  [BigInt64Array, 'int64', [-(2n ** 63n), 2n ** 63n - 1n]],
  [BigUint64Array, 'uint64', [0n, 2n ** 64n - 1n]],
] as unknown as [ArrayClass, string, (number | bigint)[]][]

inEachMode('codec array', (test) => {
  const handler = (source: string) => test.pool.handler(source, { codec: 'array' })

  it('brings the elements of every class there and back', async () => {
    const look = handler(`
      import numpy
      def handle(a):
          assert type(a) is numpy.ndarray and a.ndim == 1 and a.flags.c_contiguous and a.flags.writeable
          return numpy.frombuffer((str(a.dtype) + " " + a.tobytes().hex()).encode(), dtype="u1")
    `)
    const echo = handler('lambda a: a')
    const copy = handler('lambda a: a.copy()')
    for (const [Class, dtype, values] of CLASSES) {
      const array = Class.from(values)
      const seen = Buffer.from((await look.call(array)) as Uint8Array).toString()
      assert.equal(seen, `${dtype} ${Buffer.from(array.buffer).toString('hex')}`)
      const expected = Class === (Uint8ClampedArray as unknown) ? Uint8Array.from(array as Uint8ClampedArray) : array
      assert.deepEqual(await copy.call(array), expected)
      assert.deepEqual(await echo.call(array), expected)
    }
  })

  it('keeps arrays of any size and start apart', async () => {
    const handlers = [handler('lambda a: a * 2'), handler('lambda a: a[::-1]'), handler('lambda a: a')]
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.float32Array({ maxLength: 30, max: 2 ** 100, min: -(2 ** 100) }), fc.nat(5), fc.nat(2)), {
          maxLength: 8,
        }),
        async (inputs) => {
          const arrays = inputs.map(([array, from]) => array.subarray(Math.min(from, array.length)))
          const expected = arrays.map((array, i) => {
            const which = inputs[i]![2]
            return which === 0 ? array.map((value) => value * 2) : which === 1 ? array.slice().reverse() : array.slice()
          })
          assert.deepEqual(await Promise.all(arrays.map((array, i) => handlers[inputs[i]![2]]!.call(array))), expected)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('gives the same memory back that both sides hold', async () => {
    const bump = handler(`
      def handle(a):
          a += 1
          return a
    `)
    const frames: Float64Array[] = [test.pool.allocate(Float64Array, 10_000)]
    // A worker process maps what the pool allocated, and nothing else of JavaScript's.
    if (test.mode.isolation !== 'process') frames.push(new Float64Array(new SharedArrayBuffer(80_000)))
    for (const frame of frames) {
      frame.fill(1)
      const back = await bump.call(frame)
      assert.equal(back.buffer, frame.buffer)
      assert.equal(frame[9_999], 2)
      frame[5] = 7
      assert.equal(back[5], 7)
      const part = await handler('lambda a: a[10:20]').call(frame.subarray(100))
      assert.deepEqual([part.buffer, part.byteOffset, part.length], [frame.buffer, 880, 10])
    }
  })
})

withPool('codec array', (test) => {
  const handler = (source: string) => test.pool.handler(source, { codec: 'array' })
  const returning = (code: string) =>
    handler(`
      import array, numpy
      def handle(a):
          return ${code}
    `)
  const input = Float64Array.of(1, 2, 3, 4)

  const results: [code: string, expected: TypedArray][] = [
    ['numpy.arange(3, dtype="int8")', Int8Array.of(0, 1, 2)],
    ['numpy.arange(3, dtype="float32")', Float32Array.of(0, 1, 2)],
    ['numpy.arange(3, dtype="uint64")', BigUint64Array.of(0n, 1n, 2n)],
    ['numpy.arange(3, dtype="int64")', BigInt64Array.of(0n, 1n, 2n)],
    ['numpy.arange(2, dtype="longlong")', BigInt64Array.of(0n, 1n)],
    ['numpy.zeros(0, dtype="int16")', Int16Array.of()],
    ['a[:0]', Float64Array.of()],
    ['numpy.array(5.0)', Float64Array.of(5)],
    ['numpy.float32(5)', Float32Array.of(5)],
    ['a.sum()', Float64Array.of(10)],
    ['7', BigInt64Array.of(7n)],
    ['2.5', Float64Array.of(2.5)],
    ['True', Uint8Array.of(1)],
    ['a > 2', Uint8Array.of(0, 0, 1, 1)],
    ['numpy.array(True)', Uint8Array.of(1)],
    ['a[::2]', Float64Array.of(1, 3)],
    ['a[::-1]', Float64Array.of(4, 3, 2, 1)],
    ['a.reshape(2, 2)', Float64Array.of(1, 2, 3, 4)],
    ['a.reshape(2, 2).T', Float64Array.of(1, 3, 2, 4)],
    ['numpy.asfortranarray(a.reshape(2, 2))', Float64Array.of(1, 2, 3, 4)],
    ['a.astype(">f8")', Float64Array.of(1, 2, 3, 4)],
    ['a.astype(">i4")[::2]', Int32Array.of(1, 3)],
    ['numpy.frombuffer(b"\\x01\\x02", dtype="u1")', Uint8Array.of(1, 2)],
    ['numpy.broadcast_to(numpy.float64(3), (2,))', Float64Array.of(3, 3)],
    ['a.view("u1")[1:9]', Uint8Array.of(0, 0, 0, 0, 0, 240, 63, 0)],
    ['numpy.frombuffer(b"\\0" + a.tobytes(), dtype="f8", offset=1)', Float64Array.of(1, 2, 3, 4)],
    ['b"ab"', Uint8Array.of(97, 98)],
    ['bytearray(b"ab")', Uint8Array.of(97, 98)],
    ['memoryview(b"abcd").cast("H")', Uint16Array.of(0x6261, 0x6463)],
    ['array.array("f", [1.5])', Float32Array.of(1.5)],
    ['numpy.matrix([[1.0, 2.0]])', Float64Array.of(1, 2)],
  ]
  for (const [code, expected] of results) {
    it(`takes ${code}`, async () => {
      const result = await returning(code).call(input)
      assert.equal(result.constructor.name, expected.constructor.name)
      assert.deepEqual(result, expected)
    })
  }

  const refused: [code: string, errorCode: string, message: RegExp][] = [
    ['a.astype("f2")', 'ERR_RESULT_ENCODE', /dtype float16, .*astype\('float32'\)/],
    ['a.astype("g")', 'ERR_RESULT_ENCODE', /astype\('float64'\)/],
    ['a.astype("complex128")', 'ERR_RESULT_ENCODE', /dtype complex128, .*real/],
    ['a.astype(object)', 'ERR_RESULT_ENCODE', /dtype object, /],
    ['a.astype("M8[s]")', 'ERR_RESULT_ENCODE', /dtype datetime64\[s\], .*int64/],
    ['a.astype("m8[s]")', 'ERR_RESULT_ENCODE', /dtype timedelta64\[s\], .*int64/],
    ['numpy.array(["a"])', 'ERR_RESULT_ENCODE', /codec 'string'/],
    ['numpy.array([b"a"])', 'ERR_RESULT_ENCODE', /codec 'buffer'/],
    ['numpy.zeros(2, dtype=[("x", "f8")])', 'ERR_RESULT_ENCODE', /each field/],
    ['numpy.ma.array([1.0, 2.0], mask=[False, True])', 'ERR_RESULT_ENCODE', /masked array/],
    ['[1, 2]', 'ERR_RESULT_TYPE', /numpy\.asarray/],
    ['(1, 2)', 'ERR_RESULT_TYPE', /numpy\.asarray/],
    ['None', 'ERR_RESULT_TYPE', /not None; is a `return` missing/],
    ['"text"', 'ERR_RESULT_TYPE', /not a str/],
    ['{"a": a}', 'ERR_RESULT_TYPE', /not a dict/],
    ['2 ** 70', 'ERR_RESULT_ENCODE', /dtype object/],
  ]
  for (const [code, errorCode, message] of refused) {
    it(`refuses ${code}`, async () => {
      const error = await failsWith(returning(code).call(input), ResultError, errorCode)
      assert.match(error.message, message)
      assert.equal(error.itemIndex, undefined, 'an array has no items')
    })
  }

  const buffer = Float64Array.from({ length: 16 }, (_, i) => i).buffer
  const shared = new SharedArrayBuffer(128)
  new Float64Array(shared).set(new Float64Array(buffer))
  const inputs: [what: string, array: TypedArray][] = [
    ['one in the middle of its buffer', new Float64Array(buffer, 24, 3)],
    ['one that starts where no double may', new Uint8Array(buffer, 3, 5)],
    ['an empty one', new Float64Array(0)],
    ['an empty one at the end of its buffer', new Float64Array(buffer, 128)],
    ['a view of a SharedArrayBuffer', new Float32Array(shared, 20, 7)],
    ['an empty view of a SharedArrayBuffer', new Float64Array(shared, 128)],
  ]
  for (const [what, array] of inputs) {
    it(`carries ${what}`, async () => {
      const expected = array.slice()
      assert.deepEqual(await handler('lambda a: a').call(array), expected)
      assert.deepEqual(await handler('lambda a: a.copy()').call(array), expected)
    })
  }

  it('copies a result that starts where no typed array may', async () => {
    const bytes = new Uint8Array(new SharedArrayBuffer(17))
    bytes.set(new Uint8Array(Float64Array.of(1.5, 2.5).buffer), 1)
    assert.deepEqual(await handler('lambda a: a[1:].view("f8")').call(bytes), Float64Array.of(1.5, 2.5))
  })

  it("keeps Python's writes on its side where memory is not shared", async () => {
    const own = Float64Array.of(1, 2)
    const back = await handler(`
      def handle(a):
          a[0] = 99
          return a
    `).call(own)
    assert.deepEqual([own[0], back[0]], [1, 99])
  })

  it('reads the array at the moment of the call, also before the handler has loaded', async () => {
    const own = Float64Array.of(1, 2)
    const answer = handler('lambda a: a.copy()').call(own)
    own[0] = 5
    assert.deepEqual(await answer, Float64Array.of(1, 2))
  })

  it('moves an array that is transferred', async () => {
    const own = new Float32Array(50_000).fill(2)
    const answer = handler('lambda a: a * 2').call(own, { transfer: true })
    assert.equal(own.length, 0)
    const result = await answer
    assert.deepEqual([result.length, result[49_999]], [50_000, 4])
  })

  it('holds numpy results for as long as JavaScript does, and writes through to them', async () => {
    const keep = handler(`
      import numpy
      kept = numpy.zeros(20000)
      def handle(a):
          kept[0] += len(a)
          return kept
    `)
    const first = await keep.call(Float64Array.of(1))
    first[0] = 10
    const second = await keep.call(Float64Array.of(1, 2))
    assert.deepEqual([first[0], second[0]], [12, 12])
  })

  it('takes a list of one array, and then gives one', async () => {
    const back: TypedArray[] = await handler('lambda a: a').call([input])
    assert.deepEqual(back, [input])
  })

  it('refuses what is not one typed array', async () => {
    const bad: [unknown, RegExp][] = [
      [[1, 2, 3], /one typed array a call, got 3/],
      [[], /one typed array a call, got 0/],
      [[input, input], /one typed array a call, got 2/],
      [[1], /typed arrays, .*got a number/],
      ['text', /typed arrays, .*got a string/],
      [undefined, /typed arrays, .*got undefined/],
      [null, /typed arrays, .*got null/],
      [{ length: 1 }, /typed arrays, .*got a value of class Object/],
      [{ data: input, shape: [2, 2] }, /typed arrays, .*got a value of class Object/],
    ]
    for (const [value, message] of bad) {
      const error = await failsWith(handler('lambda a: a').call(value as never), EncodeError, 'ERR_ITEM_ENCODE')
      assert.match(error.message, message)
    }
  })

  it('awaits async handlers, and refuses generators', async () => {
    const asynchronous = handler(`
      import asyncio
      async def handle(a):
          await asyncio.sleep(0)
          return a + 1
    `)
    assert.deepEqual(
      await asynchronous.call(input),
      input.map((value) => value + 1),
    )
    const generator = handler(`
      def handle(a):
          yield a
    `)
    await failsWith(generator.call(input), ResultError, 'ERR_RESULT_TYPE')
  })

  it('says how to get numpy where it is missing', async () => {
    // Not in the interpreters of the other tests, which remember it.
    const { stdout, stderr } = await program(`
      const pool = await py.PythonPool.open({ python, size: 1 })
      const without = pool.handler('import sys\\nsys.modules["numpy"] = None\\ndef handle(a): return a', { codec: 'array' })
      const error = await without.call(new Float64Array(3)).catch((error) => error)
      console.log(error.code, error instanceof py.HandlerError, error.message)
      await pool.handler('import sys\\ndef handle(batch): return [sys.modules.pop("numpy")]').call([1])
      console.log(await pool.handler('lambda a: a', { codec: 'array' }).call(new Float64Array([1, 2])))
      await pool.close()
    `)
    // A HandlerError, because no later call can do better.
    assert.match(stdout, /^ERR_CODEC true .*codec 'array' needs numpy.*pip install numpy/, stderr)
    assert.match(stdout, /\nFloat64Array\(2\) \[ 1, 2 ]\n$/, stderr)
  })

  it('refuses modes that go item by item', () => {
    for (const mode of ['filter', 'flatMap', 'scan'] as const) {
      assert.throws(() => test.pool.handler('seen:handle', { codec: 'array', mode }), { code: 'ERR_OPTION' })
    }
  })
})
