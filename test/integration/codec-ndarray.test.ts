import assert from 'node:assert/strict'
import fc from 'fast-check'
import { EncodeError, type PythonError, ResultError } from '../../lib/errors'
import { NdArray, type TypedArray } from '../../lib/index'
import { failsWith } from '../fixtures/failures'
import { inEachMode, withPool } from '../fixtures/modes'

/** The elements by their indices, as nested lists, and the shape of what is empty. */
function nested(array: NdArray, indices: number[] = []): unknown {
  if (indices.length === array.shape.length) return array.at(...indices)
  return Array.from({ length: array.shape[indices.length]! }, (_, i) => nested(array, [...indices, i]))
}

/** Any layout: a C-ordered block of which slices are taken, with any steps, and whose dimensions are reordered. */
const layouts = fc
  .array(fc.record({ length: fc.nat(4), step: fc.constantFrom(-2, -1, 0, 1, 1, 3) }), { maxLength: 4 })
  .chain((dimensions) =>
    fc.tuple(fc.constant(dimensions), fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }), fc.nat(3)),
  )
  .map(([dimensions, order, before]) => {
    const strides: number[] = new Array(dimensions.length)
    let reach = 1
    let offset = before
    for (const place of order) {
      const dimension = dimensions[place]
      if (dimension === undefined) continue
      strides[place] = dimension.step * reach
      const last = Math.max(0, dimension.length - 1) * strides[place]!
      if (last < 0) offset -= last
      reach += Math.abs(last)
    }
    const shape = dimensions.map(({ length }) => length)
    return { shape, strides, offset, size: reach + before + 2 }
  })

const CLASSES = [Uint8Array, Int16Array, Float32Array, Float64Array, BigInt64Array] as const

function filled(type: (typeof CLASSES)[number], size: number): TypedArray {
  const numbers = Array.from({ length: size }, (_, i) => i)
  return type === BigInt64Array ? BigInt64Array.from(numbers, BigInt) : new (type as typeof Float64Array)(numbers)
}

/** Results in which elements lie in every way that numpy knows, made of an array `a`. */
const VIEWS = ['a', 'a.T', 'a[::-1]', 'a[..., ::2]', 'a[1:]', 'numpy.flip(a)', 'a.copy()', 'numpy.asfortranarray(a)']

inEachMode('codec array with shapes', (test) => {
  const handler = (source: string) => test.pool.handler<NdArray>(source, { codec: 'array' })

  it('shows Python every layout, and brings back every layout', async () => {
    const seen = handler(`
      import json, numpy
      def handle(a):
          assert type(a) is numpy.ndarray
          text = json.dumps([a.shape, a.tolist(), [s // a.itemsize for s in a.strides]]).encode()
          return numpy.frombuffer(text, "u1")
    `)
    const views = VIEWS.map((code) =>
      handler(`
        import numpy
        def handle(a):
            return ${code.includes('a[') ? `(${code}) if a.ndim else a` : code}
      `),
    )
    const expected = VIEWS.map((code) =>
      handler(`
        import json, numpy
        def handle(a):
            b = ${code.includes('a[') ? `(${code}) if a.ndim else a` : code}
            return numpy.frombuffer(json.dumps([b.shape, b.tolist()]).encode(), "u1")
      `),
    )
    const read = (array: NdArray): unknown => JSON.parse(Buffer.from(array.flat() as Uint8Array).toString())
    await fc.assert(
      fc.asyncProperty(
        layouts,
        fc.constantFrom(...CLASSES),
        fc.constantFrom('own', 'shared', 'pool'),
        fc.nat(VIEWS.length - 1),
        async ({ shape, strides, offset, size }, type, memory, view) => {
          let data = filled(type, size)
          if (memory !== 'own') {
            const bytes = new Uint8Array(data.buffer)
            const target =
              memory === 'pool'
                ? test.pool.allocate(type as never, size)
                : new (type as typeof Float64Array)(new SharedArrayBuffer(bytes.length))
            new Uint8Array((target as TypedArray).buffer).set(bytes)
            data = target as TypedArray
          }
          const array = new NdArray(data, shape, strides, offset)
          const plain = (value: unknown) =>
            JSON.parse(JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? Number(one) : one)))
          const [shapeSeen, valuesSeen, stridesSeen] = read(await seen.call(array)) as [number[], unknown, number[]]
          assert.deepEqual([shapeSeen, valuesSeen], [shape, plain(nested(array))])
          if (!shape.includes(0)) assert.deepEqual(stridesSeen, strides)
          const back = await views[view]!.call(array)
          assert.ok(back instanceof NdArray)
          const [shapeExpected, valuesExpected] = read(await expected[view]!.call(array)) as [number[], unknown]
          assert.equal(back.data.constructor, type)
          assert.deepEqual([[...back.shape], plain(nested(back))], [shapeExpected, valuesExpected])
          assert.deepEqual(plain([...back.flat()]), [plain(nested(back))].flat(9))
        },
      ),
      { numRuns: 80 },
    )
  })

  it('gives views of the same memory back, however they lie', async () => {
    const frames: Float32Array[] = [test.pool.allocate(Float32Array, 12)]
    if (test.mode.isolation !== 'process') frames.push(new Float32Array(new SharedArrayBuffer(48)))
    for (const frame of frames) {
      frame.set(Array.from({ length: 12 }, (_, i) => i))
      const back = await handler(`
        def handle(a):
            a[0, 1] = 99
            return a.T[::-1, ::2]
      `).call(new NdArray(frame, [3, 4]))
      assert.equal(back.data.buffer, frame.buffer)
      assert.equal(frame[1], 99)
      assert.deepEqual(
        [back.shape, back.strides],
        [
          [4, 2],
          [-1, 8],
        ],
      )
      assert.deepEqual(nested(back), [
        [3, 11],
        [2, 10],
        [99, 9],
        [0, 8],
      ])
      frame[3] = -5
      assert.equal(back.at(0, 0), -5)
    }
  })

  it('takes large results of every layout', async () => {
    const large = handler(`
      import numpy
      def handle(a):
          b = numpy.arange(300_000, dtype="f8").reshape(300, 1000)
          return [b, b.T, b[::-3, 5::7], b[:, 10]][int(a[0])]
    `)
    for (let which = 0; which < 4; which++) {
      const back = await large.call(new NdArray(Float64Array.of(which)))
      const [rows, columns] = [
        [300, 1000],
        [1000, 300],
        [100, 143],
        [300, 1],
      ][which] as [number, number]
      assert.deepEqual(back.shape, which === 3 ? [300] : [rows, columns])
      const at = (i: number, j: number) =>
        [i * 1000 + j, j * 1000 + i, (299 - 3 * i) * 1000 + 5 + 7 * j, i * 1000 + 10][which]
      for (const [i, j] of [
        [0, 0],
        [rows - 1, columns - 1],
        [17, columns > 1 ? 42 : 0],
      ] as const) {
        assert.equal(which === 3 ? back.at(i) : back.at(i, j), at(i, j))
      }
    }
  })
})

withPool('codec array with shapes', (test) => {
  const handler = <I extends NdArray | TypedArray = NdArray>(source: string) =>
    test.pool.handler<I>(source, { codec: 'array' })
  const returning = (code: string) =>
    handler(`
      import numpy
      def handle(a):
          return ${code}
    `)
  const input = new NdArray(Float64Array.of(1, 2, 3, 4), [2, 2])

  it('passes no copy of what lies in gaps of other elements', async () => {
    const kept = handler(`
      import numpy
      kept = numpy.zeros((400, 100))
      def handle(a):
          kept[0, 0] += 1
          return kept[:, ::2].T
    `)
    const [first, second] = [await kept.call(input), await kept.call(input)]
    assert.deepEqual([first.shape, first.strides, first.data.length], [[50, 400], [2, 100], 39_999])
    assert.deepEqual([first.at(0, 0), second.at(0, 0)], [2, 2])
    first.data[first.offset] = 40
    assert.equal((await kept.call(input)).at(0, 0), 41)
  })

  const results: [code: string, shape: number[], values: unknown, type: string][] = [
    ['numpy.float32(5)', [], 5, 'Float32Array'],
    ['7', [], 7n, 'BigInt64Array'],
    [
      'a > 2',
      [2, 2],
      [
        [0, 0],
        [1, 1],
      ],
      'Uint8Array',
    ],
    ['numpy.zeros((2, 0, 3))', [2, 0, 3], [[], []], 'Float64Array'],
    [
      'numpy.broadcast_to(a[0], (2, 2))',
      [2, 2],
      [
        [1, 2],
        [1, 2],
      ],
      'Float64Array',
    ],
    [
      'numpy.lib.stride_tricks.as_strided(a, (3, 2), (0, 8))',
      [3, 2],
      [
        [1, 2],
        [1, 2],
        [1, 2],
      ],
      'Float64Array',
    ],
    [
      'a.astype(">i4").T',
      [2, 2],
      [
        [1, 3],
        [2, 4],
      ],
      'Int32Array',
    ],
    ['numpy.array([(1, 2.5), (3, 4.5)], dtype="u1, f8")["f1"]', [2], [2.5, 4.5], 'Float64Array'],
    ['numpy.array([(1, 2.5), (3, 4.5)], dtype="f4, f8")["f1"]', [2], [2.5, 4.5], 'Float64Array'],
    ['numpy.frombuffer(bytes(17), "u1")[1:].view("f8").reshape(2, 1)', [2, 1], [[0], [0]], 'Float64Array'],
    ['numpy.frombuffer(bytearray(17), "u1")[1:].view("f8")', [2], [0, 0], 'Float64Array'],
    ['b"ab"', [2], [97, 98], 'Uint8Array'],
    ['numpy.matrix([[1.0, 2.0]])', [1, 2], [[1, 2]], 'Float64Array'],
    ['numpy.zeros((1,) * 32)[..., 0]', new Array(31).fill(1), undefined, 'Float64Array'],
  ]
  for (const [code, shape, values, type] of results) {
    it(`takes ${code}`, async () => {
      const result = await returning(code).call(input)
      assert.deepEqual([result.shape, result.data.constructor.name], [shape, type])
      if (values !== undefined) assert.deepEqual(nested(result), values)
    })
  }

  for (const [code, message] of [
    ['a.astype("f2")', /dtype float16/],
    ['a.astype("complex64")', /dtype complex64/],
    ['a.astype("M8[D]")', /dtype datetime64/],
    ['a.astype(object)', /dtype object/],
  ] as const) {
    it(`refuses ${code}`, async () => {
      assert.match((await failsWith(returning(code).call(input), ResultError, 'ERR_RESULT_ENCODE')).message, message)
    })
  }

  it('takes bytes by whatever view there is of them', async () => {
    const look = test.pool.handler('lambda a: a[::-1]', { codec: 'array' })
    const bytes = Uint8Array.of(1, 2, 3, 4, 5)
    const shared = new SharedArrayBuffer(3)
    new Uint8Array(shared).set([7, 8, 9])
    const views: [unknown, number[]][] = [
      [new DataView(bytes.buffer, 1, 3), [4, 3, 2]],
      [Buffer.from([1, 2]), [2, 1]],
      [bytes.buffer, [5, 4, 3, 2, 1]],
      [shared, [9, 8, 7]],
      [new DataView(shared, 2), [9]],
    ]
    for (const [view, expected] of views) assert.deepEqual([...(await look.call(view as never))], expected)
    const shaped = await handler('lambda a: a.T').call(new NdArray(Buffer.from([1, 2, 3, 4]), [2, 2]))
    assert.deepEqual(nested(shaped), [
      [1, 3],
      [2, 4],
    ])
  })

  it('sends no more of the data than the elements lie in', async () => {
    const data = Float64Array.from({ length: 1000 }, (_, i) => i)
    const size = returning('numpy.array(memoryview(a.base).nbytes)')
    const result = await size.call(new NdArray(data, [2, 3], [10, 1], 500))
    assert.equal(Number(result.at()), 13 * 8)
  })

  it('moves the data where it is transferred', async () => {
    const own = new NdArray(new Float32Array(60_000).fill(2), [200, 300])
    const back = await handler('lambda a: a * 2').call(own, { transfer: true })
    assert.deepEqual([own.data.length, back.shape, back.at(199, 299)], [0, [200, 300], 4])
    // What is left of it holds no elements any more.
    await failsWith(handler('lambda a: a').call(own), EncodeError, 'ERR_ITEM_ENCODE')
  })

  it('reads the array at the moment of the call, also before the handler has loaded', async () => {
    const own = new NdArray(Float64Array.of(1, 2, 3, 4), [2, 2], [1, 2])
    const answer = handler('lambda a: a.copy()').call(own)
    own.data[1] = 50
    assert.deepEqual(nested(await answer), [
      [1, 3],
      [2, 4],
    ])
  })

  it('answers a list with a list, and a typed array with all elements in a row', async () => {
    const turn = test.pool.handler<NdArray | TypedArray, NdArray | TypedArray>('lambda a: a.T', { codec: 'array' })
    const [one] = await turn.call([input])
    assert.deepEqual(nested(one as NdArray), [
      [1, 3],
      [2, 4],
    ])
    assert.deepEqual(await turn.call(input.data), input.data)
  })

  it('says what is wrong with a shape before Python sees it', async () => {
    const data = new Float64Array(6)
    const wrong: [() => unknown, { name: string; message: RegExp }][] = [
      [() => new NdArray([1] as never), { name: 'TypeError', message: /typed array, got a value of class Array/ }],
      [() => new NdArray(new DataView(data.buffer) as never), { name: 'TypeError', message: /class DataView/ }],
      [() => new NdArray(data, [2, 4]), { name: 'RangeError', message: /\[2, 4\].*6 elements of data/ }],
      [() => new NdArray(data, [2.5]), { name: 'TypeError', message: /whole numbers/ }],
      [() => new NdArray(data, [-1]), { name: 'RangeError', message: /negative/ }],
      [() => new NdArray(data, [2, 3], [1]), { name: 'RangeError', message: /each of the 2 dimensions/ }],
      [() => new NdArray(data, [3], [-1]), { name: 'RangeError', message: /strides \[-1\] from 0 on/ }],
      [() => new NdArray(data, [3], [1], 4), { name: 'RangeError', message: /from 4 on/ }],
      [() => new NdArray(data, [3], [1], -1), { name: 'RangeError', message: /offset/ }],
      [() => new NdArray(data, new Array(33).fill(1)), { name: 'RangeError', message: /33 dimensions/ }],
      [() => new NdArray(data, [2 ** 30, 2 ** 30], [0, 0]), { name: 'RangeError', message: /can be counted/ }],
      [() => new NdArray(data, [2, 3]).at(1), { name: 'RangeError', message: /2 indices/ }],
      [() => new NdArray(data, [2, 3]).at(1, 3), { name: 'RangeError', message: /index 3 .* dimension 1/ }],
    ]
    for (const [make, error] of wrong) assert.throws(make, error)
  })

  it('refuses more dimensions than there can be', async () => {
    // An older numpy has no more of them itself.
    const call = returning('numpy.zeros((1,) * 33)').call(input)
    const error = await call.then(
      () => assert.fail('33 dimensions came back'),
      (reason: PythonError) => reason,
    )
    assert.match(error.message, error.code === 'ERR_RESULT_ENCODE' ? /33 dimensions; at most 32/ : /maximum/)
  })
})
