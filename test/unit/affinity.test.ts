import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { placeOf } from '../../lib/pool/affinity'

const KEYS = Array.from({ length: 20_000 }, (_, i) => `user-${i}`)
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i)

describe('the place of a key', () => {
  it('is always the same, whatever the order of the places', () => {
    for (const key of KEYS.slice(0, 500)) {
      const place = placeOf(key, [0, 1, 2, 3, 4])
      assert.equal(placeOf(key, [0, 1, 2, 3, 4]), place)
      assert.equal(placeOf(key, [3, 0, 4, 2, 1]), place)
    }
  })

  it('is one of those that are there', () => {
    assert.equal(placeOf('a', []), -1)
    assert.equal(placeOf('a', [7]), 7)
    assert.ok([2, 5].includes(placeOf('a', [2, 5])))
    assert.equal(placeOf(12, upTo(9)), placeOf('12', upTo(9)), 'a number stands for its digits')
  })

  for (const count of [2, 3, 8, 64]) {
    it(`is spread evenly over ${count}`, () => {
      const shares = new Array(count).fill(0)
      for (const key of KEYS) shares[placeOf(key, upTo(count))]++
      const fair = KEYS.length / count
      // Six standard deviations of a fair lottery.
      for (const share of shares) assert.ok(Math.abs(share - fair) < 6 * Math.sqrt(fair), `${share} of ${fair}`)
    })
  }

  it('tells keys apart that differ in one letter, in their order, or above U+00FF', () => {
    const places = upTo(256)
    const different = new Set(['ab', 'ba', 'a', 'b', 'aa', '', 'ａ', 'ｂ', 'Ā'].map((key) => placeOf(key, places)))
    assert.ok(different.size >= 7, `${different.size} places for 9 keys`)
  })

  it('changes for a fair share of the keys where a place is added, and only to the new one', () => {
    for (const count of [1, 2, 5, 16]) {
      let moved = 0
      for (const key of KEYS) {
        const after = placeOf(key, upTo(count + 1))
        if (after === placeOf(key, upTo(count))) continue
        assert.equal(after, count)
        moved++
      }
      const fair = KEYS.length / (count + 1)
      assert.ok(Math.abs(moved - fair) < 6 * Math.sqrt(fair), `${moved} of ${fair}`)
    }
  })

  it('changes for none but its own keys where a place is removed', () => {
    for (const key of KEYS) {
      const before = placeOf(key, upTo(5))
      const after = placeOf(key, [0, 1, 3, 4])
      if (before !== 2) assert.equal(after, before)
    }
  })
})
