import assert from 'node:assert/strict'
import fc from 'fast-check'
import { ResultError } from '../../lib/errors'
import { failsWith } from '../fixtures/failures'
import { withPool } from '../fixtures/modes'

withPool('codec json, results', (test) => {
  const values = () => test.pool.handler<string, unknown>('values:handle')
  const nested = (depth: number) => {
    let value: unknown = 1
    for (let i = 0; i < depth; i++) value = [value]
    return value
  }

  const carried: [name: string, value: unknown][] = [
    ['none', null],
    ['true', true],
    ['small', -5],
    ['safe', 2 ** 53 - 1],
    ['unsafe', 2n ** 53n],
    ['negative unsafe', -(2n ** 53n)],
    ['2**64', 2n ** 64n],
    ['huge', 7n ** 9001n],
    ['bigint', 5n],
    ['sum of bigints', 11],
    ['whole float', 1],
    ['-0.0', -0],
    ['-0', 0],
    ['nan', NaN],
    ['-inf', -Infinity],
    ['1e300', 1e300],
    ['unsafe float', 2 ** 60],
    ['tuple', [1, [2, 'x']]],
    ['namedtuple', [1, 2]],
    ['list subclass', [1, 2]],
    ['ordered', { b: 1, a: 2 }],
    ['defaultdict', { a: 1 }],
    ['counter', { a: 2, b: 1 }],
    ['view', { a: 2, b: 1 }],
    ['str subclass', 'loud'],
    ['key of a str subclass', { key: 1 }],
    ['float subclass', 1.5],
    ['int enum', 1],
    ['str enum', 'ada'],
    ['datetime', '2024-02-29T12:30:01.000005+00:00'],
    ['naive', '2024-02-29T00:00:00'],
    ['date', '2024-02-29'],
    ['time', '12:30:00'],
    ['dataclass', { lead: { name: 'Ada', tags: ['x'] }, when: '1843-01-01' }],
    ['surrogate', '\ud83d'],
    ['nul', '\0N'],
    ['proto', JSON.parse('{"__proto__": {"a": 0}, "constructor": 1}', (key, value) => (key === 'a' ? NaN : value))],
    ['500 deep', nested(500)],
  ]
  for (const [name, value] of carried) {
    it(`carries ${name}`, async () => {
      assert.deepEqual(await values().call([name]), [value])
    })
  }

  it('carries all of them at once, in their order', async () => {
    const answer = await values().call(carried.map(([name]) => name))
    assert.deepEqual(
      answer,
      carried.map(([, value]) => value),
    )
    const keys = ([name]: [string, unknown]) => name === 'ordered' || name === 'view'
    const orders = answer.filter((_, i) => keys(carried[i]!)).map((value) => Object.keys(value as object))
    assert.deepEqual(orders, [
      ['b', 'a'],
      ['a', 'b'],
    ])
  })

  const refused: [name: string, message: RegExp][] = [
    ['set', /result 1: JSON has no form for a set; use sorted/],
    ['frozenset', /a frozenset; use sorted/],
    ['bytes', /bytes; use codec 'buffer'/],
    ['bytearray', /bytearray; use codec 'buffer'/],
    ['memoryview', /memoryview; use codec 'buffer'/],
    ['decimal', /decimal\.Decimal; use float\(...\) or str/],
    ['fraction', /Fraction; use float/],
    ['complex', /complex; use \[value.real/],
    ['timedelta', /timedelta; use value.total_seconds/],
    ['enum', /values\.Color; use value\.value/],
    ['object', /a values\.Plain; turn it into/],
    ['class', /a type/],
    ['function', /a function; is a pair of parentheses missing/],
    ['generator', /a generator; use list/],
    ['range', /a range; use list/],
    ['deque', /deque; use list/],
    ['keys', /dict_keys; use list/],
    ['int key', /result 1, at \.a: .*key 1 .*int/],
    ['none key', /key None .*NoneType/],
    ['tuple key', /key .*tuple/],
    ['bool key', /key True .*bool/],
    ['cyclic list', /at \[1\]\.again\[1\].*nested more than 512 levels deep, or contains itself/],
    ['cyclic dict', /at \.self\.self.*contains itself/],
    ['600 deep', /nested more than 512/],
    ['inside', /result 1, at \.a\[1\]\["b c"\]\[1\]: JSON has no form for a set/],
    ['growing', /changed its size while it was being encoded/],
  ]
  for (const [name, message] of refused) {
    it(`refuses ${name}, and says which result and where`, async () => {
      const handler = values()
      const bad = handler.call(['none', name, 'small'])
      const good = handler.call(['small'])
      const error = await failsWith(bad, ResultError, 'ERR_RESULT_ENCODE')
      assert.equal(error.itemIndex, 1)
      assert.equal(error.batchSize, 3)
      assert.equal(error.handler, 'values:handle')
      assert.equal(error.pythonType, 'rxjs_python.ResultEncodeError')
      assert.match(error.message, message)
      assert.deepEqual(await good, [-5])
    })
  }

  it('rejects with the exception that a value raises while it is written', async () => {
    const handler = test.pool.handler(`
      from dataclasses import dataclass
      @dataclass
      class Lazy:
          x: int = 1
          def __getattribute__(self, name):
              if name == "x":
                  raise RuntimeError("cannot be read")
              return object.__getattribute__(self, name)
      def handle(batch):
          return [1, Lazy.__new__(Lazy)]
    `)
    await assert.rejects(handler.call([1, 2]), {
      code: 'ERR_PYTHON_EXCEPTION',
      pythonType: 'RuntimeError',
      itemIndex: 1,
    })
  })

  it('reads every float that Python writes as the same double', async () => {
    const handler = test.pool.handler<string, number>('lambda batch: [float.fromhex(text) for text in batch]')
    const hex = (value: number) => {
      const bits = new BigUint64Array(Float64Array.of(Math.abs(value)).buffer)[0]!
      const exponent = Number(bits >> 52n)
      const lead = exponent === 0 ? '0' : '1'
      const digits = (bits & (2n ** 52n - 1n)).toString(16).padStart(13, '0')
      return `${value < 0 ? '-' : ''}0x${lead}.${digits}p${(exponent || 1) - 1023}`
    }
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { maxLength: 50 }),
        async (batch) => {
          const expected = batch.map((value) => (value === 0 ? 0 : value))
          assert.deepEqual(await handler.call(expected.map(hex)), expected)
        },
      ),
      { numRuns: 100 },
    )
  })

  it('reads every int that Python writes as the same integer', async () => {
    const handler = test.pool.handler<string, number | bigint>('lambda batch: [int(text, 16) for text in batch]')
    const hex = (value: bigint) => (value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`)
    const safe = (value: bigint) => Number.isSafeInteger(Number(value)) && BigInt(Number(value)) === value
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.bigInt({ min: -(2n ** 66n), max: 2n ** 66n }), { maxLength: 20 }),
        fc.array(fc.bigInt({ min: 2n ** 53n - 3n, max: 2n ** 53n + 3n }), { maxLength: 20 }),
        async (any, border) => {
          const batch = [...any, ...border]
          const expected = batch.map((value) => (safe(value) ? Number(value) : value))
          assert.deepEqual(await handler.call(batch.map(hex)), expected)
        },
      ),
      { numRuns: 100 },
    )
  })
})

withPool('codec json, results of numpy', (test) => {
  const arrays = () => test.pool.handler<string, unknown>('values:arrays')

  const carried: [name: string, value: unknown][] = [
    ['float32', 1.5],
    ['float64', 0.1],
    ['float16', 0.5],
    ['int8', -3],
    ['int64', 2n ** 53n],
    ['uint64', 2n ** 64n - 1n],
    ['bool', true],
    ['nan', NaN],
    ['str', 'text'],
    ['1d', [0, 1, 2]],
    [
      '2d',
      [
        [1.5, Infinity],
        [-0, 2],
      ],
    ],
    ['0d', 7],
    ['bools', [true, false]],
    ['strings', ['a', 'bc']],
    ['objects', [1, 'a', null]],
    ['masked', [1, null]],
    ['datetime64', '2024-02-29T12:00'],
    ['nat', null],
    ['void', [0]],
    ['in a dict', { probability: 0.5, rows: [[0, 1]] }],
  ]
  for (const [name, value] of carried) {
    it(`carries ${name}`, async () => {
      assert.deepEqual(await arrays().call([name]), [value])
    })
  }

  for (const name of ['complex', 'complexes', 'timedelta64', 'bytes', 'objects inside']) {
    it(`refuses ${name}`, async () => {
      const error = await failsWith(arrays().call([name]), ResultError, 'ERR_RESULT_ENCODE')
      assert.equal(error.itemIndex, 0)
    })
  }

  it('takes an array as the list of results', async () => {
    const handler = test.pool.handler<number, number>(`
      import numpy
      def handle(batch):
          return numpy.asarray(batch) * 2
    `)
    assert.deepEqual(await handler.call([1, 2.5, 2 ** 40]), [2, 5, 2 ** 41])
    assert.deepEqual(await handler.call([]), [])
  })
})
