import assert from 'node:assert/strict'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { decodeJson, encodeJson } from '../../lib/codec/json'
import { writeExtended, writeSeed } from '../../lib/codec/json-extended'
import { EncodeError } from '../../lib/errors'
import { jsonValue } from '../fixtures/arbitraries'

/** What only JavaScript's side of the extended JSON is: numbers that a double holds roughly carry a point or an exponent. */
const TOKENS: [value: unknown, text: string][] = [
  [0, '0'],
  [-0, '-0.0'],
  [1.5, '1.5'],
  [NaN, 'NaN'],
  [Infinity, 'Infinity'],
  [-Infinity, '-Infinity'],
  [2 ** 53 - 1, '9007199254740991'],
  [2 ** 53, '9007199254740992.0'],
  [-(2 ** 53), '-9007199254740992.0'],
  [1e21, '1e+21'],
  [1e20, '100000000000000000000.0'],
  [12n, '12n'],
  [-(2n ** 64n), '-18446744073709551616n'],
  ['\ud800', '"\\ud800"'],
  ['\0', '"\\u0000"'],
]

describe('the JSON codec', () => {
  it('writes a token for each number that JSON has not', () => {
    for (const [value, text] of TOKENS) {
      assert.equal(encodeJson([value]), `[${text}]`)
      assert.equal(encodeJson([{ a: [value] }, NaN]), `[{"a":[${text}]},NaN]`)
    }
    assert.equal(encodeJson([]), '[]')
  })

  it('writes the same in the slow way as in the fast one', () => {
    const standard = jsonValue.filter((value) => {
      try {
        return JSON.stringify(JSON.parse(JSON.stringify(value))) === encodeJson([value]).slice(1, -1)
      } catch {
        return false // a BigInt
      }
    })
    fc.assert(
      fc.property(fc.array(standard, { maxLength: 5 }), (batch) => {
        assert.equal(encodeJson(batch), JSON.stringify(batch))
        assert.equal(writeExtended(batch), JSON.stringify(batch))
      }),
    )
  })

  it('marks only a BigInt of a seed with a capital E', () => {
    assert.equal(writeSeed([5n, 1e21, 1e-7, -0, NaN, '5E0']), '[5E0,1e+21,1e-7,-0.0,NaN,"5E0"]')
    assert.throws(() => writeSeed({ a: new Map() }), {
      code: 'ERR_ITEM_ENCODE',
      message: /^in the seed, at \.a: a Map/,
    })
    assert.throws(() => writeSeed(new Set()), { message: /^in the seed: a Set/ })
  })

  it('restores what Python marks', () => {
    const text = '["\\u0000N","\\u0000I","\\u0000J","\\u0000b-12","\\u0000\\u0000N","\\u0000\\u0000","N",-0.0]'
    assert.deepEqual(decodeJson(text, true), [NaN, Infinity, -Infinity, -12n, '\0N', '\0', 'N', -0])
    assert.deepEqual(decodeJson('"\\u0000N"', false), '\0N', 'but not where Python marked nothing')
    const proto = decodeJson('{"__proto__":"\\u0000N","a":{"__proto__":{"b":"\\u0000b1"}}}', true) as Record<
      string,
      unknown
    >
    assert.deepEqual(Object.entries(proto), [
      ['__proto__', NaN],
      ['a', JSON.parse('{"__proto__":{"b":0}}', (key, value) => (key === 'b' ? 1n : value))],
    ])
    assert.equal(Object.getPrototypeOf(proto), Object.prototype)
  })

  it('takes plain objects of another realm', () => {
    const foreign = runInNewContext('({ a: [1, {}], b: {}, c: Object.create(null) })')
    assert.equal(encodeJson([foreign]), '[{"a":[1,{}],"b":{},"c":{}}]')
    assert.equal(encodeJson([foreign, NaN]), '[{"a":[1,{}],"b":{},"c":{}},NaN]')
    for (const code of ['new Map()', 'new Set()', 'new Date(NaN)', '/x/', 'new Uint8Array(1)', 'new Error("no")']) {
      assert.throws(() => encodeJson([runInNewContext(code)]), EncodeError, code)
    }
  })

  it('takes 512 levels, and says where there are more', () => {
    const nested = (depth: number) => {
      let value: unknown = 0
      for (let i = 0; i < depth; i++) value = { a: value }
      return value
    }
    assert.equal(encodeJson([nested(512)]).length, 512 * 6 + 3)
    assert.throws(
      () => encodeJson([1, nested(513)]),
      (error: EncodeError) => {
        assert.equal(error.itemIndex, 1)
        assert.match(error.path, /^\.a\.a/)
        assert.ok(error.message.length < 250)
        return true
      },
    )
  })

  it('says that a batch is too long for a string', () => {
    const long = 'x'.repeat(2 ** 28)
    assert.throws(() => encodeJson([long, long, long]), {
      code: 'ERR_ITEM_ENCODE',
      message: /longer than a JavaScript/,
    })
  })

  it('reads keys with care', () => {
    assert.equal(encodeJson([JSON.parse('{"__proto__":1,"":2,"toString":3}')]), '[{"__proto__":1,"":2,"toString":3}]')
    const item = Object.create({ inherited: 1 }, { own: { value: 2, enumerable: true }, hidden: { value: 3 } })
    assert.equal(encodeJson([item]), '[{"own":2}]')
    assert.equal(encodeJson([Object.create({ inherited: 1n })]), '[{}]')
    assert.equal(encodeJson([{ [Symbol('s')]: 1, a: 1 }]), '[{"a":1}]')
  })
})
