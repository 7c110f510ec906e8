import assert from 'node:assert/strict'
import fc from 'fast-check'
import { EncodeError, HandlerError } from '../../lib/errors'
import { jsonValue, objectOf } from '../fixtures/arbitraries'
import { failsWith } from '../fixtures/failures'
import { inEachMode, withPool } from '../fixtures/modes'
import { seenInPython } from '../fixtures/python-text'

const RUNS = 150

inEachMode('codec json', (test) => {
  it('brings any JSON value, and the numbers that JSON has not, there and back', async () => {
    const echo = test.pool.handler('seen:handle')
    await fc.assert(
      fc.asyncProperty(fc.array(jsonValue, { maxLength: 4 }), async (batch) => {
        assert.deepEqual(await echo.call(batch), batch)
      }),
      { numRuns: RUNS },
    )
  })

  it('shows Python what Python itself would write for these values', async () => {
    const look = test.pool.handler<unknown, string>('seen:look')
    await fc.assert(
      fc.asyncProperty(fc.array(jsonValue, { maxLength: 4 }), async (batch) => {
        assert.deepEqual(await look.call(batch), batch.map(seenInPython))
      }),
      { numRuns: RUNS },
    )
  })

  it('keeps calls apart that cross together', async () => {
    const echo = test.pool.handler('seen:handle')
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(jsonValue, { maxLength: 2 }), { minLength: 2, maxLength: 8 }),
        async (batches) => {
          assert.deepEqual(await Promise.all(batches.map((batch) => echo.call(batch))), batches)
        },
      ),
      { numRuns: RUNS / 3 },
    )
  })
})

withPool('codec json, items', (test) => {
  const echo = () => test.pool.handler('seen:handle')
  const look = () => test.pool.handler<unknown, string>('seen:look')

  const numbers: [unknown, string][] = [
    [0, '0'],
    [-0, '-0.0'],
    [1.5, '1.5'],
    [100, '100'],
    [NaN, 'nan'],
    [Infinity, 'inf'],
    [-Infinity, '-inf'],
    [2 ** 53 - 1, '9007199254740991'],
    [2 ** 53, '9007199254740992.0'],
    [-(2 ** 53), '-9007199254740992.0'],
    [2 ** 53 + 2, '9007199254740994.0'],
    [2 ** 64, '1.8446744073709552e+19'],
    [1e21, '1e+21'],
    [-1e300, '-1e+300'],
    [5e-324, '5e-324'],
    [1e-7, '1e-07'],
    [0n, 'BigInt(0)'],
    [-7n, 'BigInt(-7)'],
    [2n ** 53n, 'BigInt(9007199254740992)'],
    [-(2n ** 200n), `BigInt(${-(2n ** 200n)})`],
  ]
  it('carries each kind of number as what it is', async () => {
    const values = numbers.map(([value]) => value)
    assert.deepEqual(
      await look().call(values),
      numbers.map(([, text]) => text),
    )
    assert.deepEqual(await echo().call(values), values)
    assert.deepEqual(await echo().call([values]), [values])
  })

  it('carries a BigInt of thousands of digits', async () => {
    const large = 7n ** 9001n
    assert.deepEqual(await echo().call([large, -large]), [large, -large])
  })

  it('carries texts that look like its own marks', async () => {
    const texts = ['\0', '\0N', '\0I', '\0J', '\0b12', '\0\0b12', '12n', 'NaN', '\\u0000N']
    assert.deepEqual(await echo().call([...texts, NaN, 1n]), [...texts, NaN, 1n])
    assert.deepEqual(await look().call(texts), texts.map(seenInPython))
  })

  it('carries any key', async () => {
    const keys = [
      '__proto__',
      '',
      '\0',
      '\0N',
      'constructor',
      'toString',
      'hasOwnProperty',
      '\ud800',
      '0',
      '-1',
      'é€😀',
    ]
    const item = objectOf(keys.map((key) => [key, { [key]: NaN }]))
    const [back] = (await echo().call([item])) as [Record<string, unknown>]
    assert.deepEqual(back, item)
    assert.ok(Object.hasOwn(back, '__proto__'))
    assert.equal(Object.getPrototypeOf(back), Object.prototype)
  })

  it('carries what is nested 500 deep', async () => {
    let list: unknown = 1
    let record: unknown = NaN
    for (let i = 0; i < 500; i++) {
      list = [list]
      record = { a: record }
    }
    assert.deepEqual(await echo().call([list, record]), [list, record])
  })

  it('leaves out properties that are undefined, and nothing else', async () => {
    assert.deepEqual(await look().call([{ a: undefined, b: 1, c: null, d: [{ e: undefined }] }]), [
      "{'b': 1, 'c': None, 'd': [{}]}",
    ])
    // The same in a batch that goes the slow way.
    assert.deepEqual(await look().call([{ a: undefined, b: NaN, c: null, d: [{ e: undefined }] }]), [
      "{'b': nan, 'c': None, 'd': [{}]}",
    ])
  })

  it('writes dates, boxed values, and what has a toJSON, as JSON.stringify does', async () => {
    const date = new Date(0)
    class Point {
      constructor(
        readonly x: number,
        readonly y: number,
      ) {}
      toJSON() {
        return [this.x, this.y]
      }
    }
    class Labels extends Array<string> {
      toJSON() {
        return this.join('+')
      }
    }
    const items = [
      date,
      { at: date },
      new Point(1, 2),
      { toJSON: () => ({ nested: date }) },
      Labels.from(['a', 'b']),
      { boxed: [Object(5), Object('five'), Object(true), Object(5n)] },
      new URL('https://example.org/a'),
    ]
    const expected = [
      "'1970-01-01T00:00:00.000Z'",
      "{'at': '1970-01-01T00:00:00.000Z'}",
      '[1, 2]',
      "{'nested': '1970-01-01T00:00:00.000Z'}",
      "'a+b'",
      "{'boxed': [5, 'five', True, BigInt(5)]}",
      "'https://example.org/a'",
    ]
    assert.deepEqual(await look().call(items), expected)
    // Each by itself, and each in a batch that needs the slow way.
    for (const [i, item] of items.entries()) {
      assert.deepEqual(await look().call([item]), [expected[i]])
      assert.deepEqual(await look().call([item, NaN]), [expected[i], 'nan'])
    }
  })

  it('takes objects of any class by their own properties', async () => {
    class Base {
      a = 1
    }
    class Record extends Base {
      b = [2]
      #hidden = 3
      get sum() {
        return this.a + this.#hidden
      }
    }
    const bare = Object.assign(Object.create(null), { c: 3 })
    const getter = {
      get d() {
        return 4
      },
    }
    const frozen = Object.freeze({ e: 5 })
    const expected = ["{'a': 1, 'b': [2]}", "{'c': 3}", "{'d': 4}", "{'e': 5}"]
    assert.deepEqual(await look().call([new Record(), bare, getter, frozen]), expected)
    assert.deepEqual(await look().call([new Record(), bare, getter, frozen, -0]), [...expected, '-0.0'])
  })

  const cycle: { self?: unknown; list: unknown[] } = { list: [] }
  cycle.list.push({ cycle })
  const deep = () => {
    let value: unknown = 0
    for (let i = 0; i < 600; i++) value = [value]
    return value
  }
  const sparse = [1, 2, 3]
  delete sparse[1]
  class Tags extends Set<string> {}

  const refused: [what: string, value: unknown, path: string, message: RegExp][] = [
    ['undefined', undefined, '', /undefined cannot go to Python as JSON: use null/],
    ['undefined in a list', [1, undefined], '[1]', /undefined/],
    ['a hole in a list', sparse, '[1]', /undefined/],
    ['a function', { run: () => 1 }, '.run', /a function/],
    ['a class', class {}, '', /a function/],
    ['a symbol', { a: [Symbol('x')] }, '.a[0]', /a symbol/],
    ['a boxed symbol', Object(Symbol('x')), '', /a symbol/],
    ['a Map', { map: new Map([[1, 2]]) }, '.map', /a Map .*Object\.fromEntries/],
    ['a Set', new Set([1]), '', /a Set .*\[\.\.\.set\]/],
    ['a subclass of Set', new Tags(['a']), '', /a Set/],
    ['a WeakMap', new WeakMap(), '', /a weak collection/],
    ['a WeakRef', new WeakRef({}), '', /class WeakRef/],
    ['an invalid Date', { at: new Date(NaN) }, '.at', /an invalid Date/],
    ['a typed array', { data: new Float64Array(2) }, '.data', /binary data/],
    ['a Buffer', Buffer.from('a'), '', /binary data/],
    ['an ArrayBuffer', new ArrayBuffer(1), '', /binary data/],
    ['a DataView', new DataView(new ArrayBuffer(1)), '', /binary data/],
    ['a promise', { answer: Promise.resolve(1) }, '.answer', /a Promise .*await/],
    ['an Error', new TypeError('no'), '', /an Error/],
    ['a RegExp', [/x/], '[0]', /a RegExp/],
    ['a generator', (function* () {})(), '', /\[\.\.\.value\]/],
    ['an iterator', [1, 2][Symbol.iterator](), '', /\[\.\.\.value\]/],
    ['an iterable without properties', new URLSearchParams('a=1'), '', /\[\.\.\.value\]/],
    ['what contains itself', cycle, '.list[0].cycle.list[0]', /in a circle/],
    ['what is nested too deep', deep(), '[0][0]', /deeper than 512/],
    ['a value behind a strange key', { 'a b': { '': Symbol('x') } }, '["a b"][""]', /a symbol/],
    ['what a toJSON gives', { toJSON: () => new Map() }, '', /a Map/],
    ['a toJSON that gives nothing', [{ toJSON() {} }], '[0]', /undefined/],
  ]
  for (const [what, value, path, message] of refused) {
    it(`refuses ${what}, and says where it is`, async () => {
      const handler = echo()
      const bad = handler.call([{ fine: 1 }, value, null])
      const good = handler.call([1])
      const error = await failsWith(bad, EncodeError, 'ERR_ITEM_ENCODE')
      assert.equal(error.itemIndex, 1)
      assert.ok(error.path.startsWith(path) && (path !== '' || error.path === ''), error.path)
      assert.match(error.message, message)
      assert.deepEqual(await good, [1])
    })
  }

  it('refuses a hole in the batch', async () => {
    // biome-ignore lint/suspicious/noSparseArray: that is what is tested
    assert.equal((await failsWith(echo().call([1, , 3]), EncodeError, 'ERR_ITEM_ENCODE')).itemIndex, 1)
  })

  it('rejects with what a getter or a toJSON throws', async () => {
    const bad = {
      get value() {
        throw new RangeError('not today')
      },
    }
    await assert.rejects(echo().call([bad]), { name: 'RangeError', message: 'not today' })
    const worse = {
      toJSON() {
        throw new RangeError('nor tomorrow')
      },
    }
    await assert.rejects(echo().call([worse]), { message: 'nor tomorrow' })
    assert.deepEqual(await echo().call([1]), [1])
  })

  it('does not mind what the batch becomes after the call was made', async () => {
    const batch = [{ a: 1 }, { a: 2 }]
    const answer = echo().call(batch)
    batch[0]!.a = 99
    batch.pop()
    assert.deepEqual(await answer, [{ a: 1 }, { a: 2 }])
  })

  it('carries 70,000 items', async () => {
    const batch = Array.from({ length: 70_000 }, (_, i) => ({ i, half: i / 2, name: `n${i}` }))
    assert.deepEqual(await echo().call(batch), batch)
  })

  it('says what a batch is that is none', async () => {
    for (const batch of [{ a: 1 }, 'text', undefined, null, new Set()]) {
      const error = await failsWith(echo().call(batch as never), EncodeError, 'ERR_ITEM_ENCODE')
      assert.match(error.message, /array of items/)
    }
  })

  it('gives the handler objects of its own in every call', async () => {
    const handler = test.pool.handler('lambda batch: [item.pop("a", "gone") for item in batch]')
    assert.deepEqual(await handler.call([{ a: 1 }]), [1])
    assert.deepEqual(await handler.call([{ a: 1 }]), [1])
  })

  it('is the codec where none is named, and refuses one that is not known', async () => {
    assert.equal(echo().codec, 'json')
    assert.throws(() => test.pool.handler('seen:handle', { codec: 'xml' as never }), { code: 'ERR_OPTION' })
    await failsWith(test.pool.handler('seen:nothing').call([]), HandlerError, 'ERR_HANDLER_NOT_FOUND')
  })
})
