import assert from 'node:assert/strict'
import fc from 'fast-check'
import { joinStrings, TextReader, writeLengths } from '../../lib/codec/string'
import { EncodeError } from '../../lib/errors'
import { anyString } from '../fixtures/arbitraries'

describe('the string codec', () => {
  it('writes lengths in code units from where it is told', () => {
    const numbers = new Int32Array(6).fill(-1)
    assert.equal(writeLengths(['ab', '', '😀', 'é'], numbers, 1), 5)
    assert.deepEqual(Array.from(numbers), [-1, 2, 0, 2, 1, -1])
    assert.equal(writeLengths([], numbers, 0), 0)
  })

  it('refuses what is no string, with its index', () => {
    for (const item of [1, null, undefined, {}, Object('a'), Symbol('x'), 1n, ['a']]) {
      assert.throws(
        () => writeLengths(['a', item], new Int32Array(4), 0),
        (error: EncodeError) => error instanceof EncodeError && error.itemIndex === 1,
      )
    }
  })

  it('joins what it can cut again', () => {
    fc.assert(
      fc.property(fc.array(anyString, { maxLength: 2500, size: 'max' }), (batch) => {
        const numbers = new Int32Array(batch.length)
        writeLengths(batch, numbers, 0)
        const pieces: string[] = []
        joinStrings(batch, pieces)
        assert.equal(pieces.join(''), batch.join(''))
        assert.deepEqual(new TextReader(pieces).cut(numbers, 0, batch.length), batch)
        assert.deepEqual(new TextReader([batch.join('')]).cut(numbers, 0, batch.length), batch)
      }),
      { numRuns: 30 },
    )
  })

  it('reads texts and strings that follow each other, in pieces cut anywhere between them', () => {
    const texts = ['one', '', 'two', 'three', '', '', 'four', '']
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }), (cuts) => {
        const pieces = ['']
        for (const [i, text] of texts.entries()) {
          if (cuts[i]) pieces.push('')
          pieces[pieces.length - 1] += text
        }
        // A piece that holds nothing is never sent.
        const reader = new TextReader(pieces.filter((piece) => piece !== ''))
        assert.equal(reader.read(3), 'one')
        assert.deepEqual(reader.cut(Int32Array.of(0, 3, 5), 0, 3), ['', 'two', 'three'])
        assert.equal(reader.read(0), '')
        assert.deepEqual(reader.cut(Int32Array.of(9, 0, 4, 0), 1, 3), ['', 'four', ''])
      }),
    )
  })
})
