import assert from 'node:assert/strict'
import fc from 'fast-check'
import { TextReader, writeStrings } from '../../lib/codec/string'
import { EncodeError } from '../../lib/errors'
import { anyString } from '../fixtures/arbitraries'

describe('the string codec', () => {
  it('writes lengths in code units from where it is told, and the text behind what is there', () => {
    const numbers = new Int32Array(6).fill(-1)
    const pieces = ['before']
    assert.equal(writeStrings(['ab', '', '😀', 'é'], numbers, 1, pieces), 5)
    assert.deepEqual(Array.from(numbers), [-1, 2, 0, 2, 1, -1])
    assert.deepEqual(pieces, ['before', 'ab😀é'])
    assert.equal(writeStrings([], numbers, 0, pieces), 0)
    assert.equal(pieces.join(''), 'beforeab😀é')
  })

  it('refuses what is no string, with its index, and leaves nothing behind', () => {
    for (const item of [1, null, undefined, {}, Object('a'), Symbol('x'), 1n, ['a']]) {
      const pieces = ['before']
      const batch = [...new Array(3000).fill('a'), item]
      assert.throws(
        () => writeStrings(batch, new Int32Array(3001), 0, pieces),
        (error: EncodeError) => error instanceof EncodeError && error.itemIndex === 3000,
      )
      assert.deepEqual(pieces, ['before'])
    }
  })

  it('refuses more text than a string can hold, and leaves nothing behind', () => {
    const long = 'x'.repeat(2 ** 27)
    const pieces = ['before']
    assert.throws(() => writeStrings(new Array(5).fill(long), new Int32Array(5), 0, pieces), {
      code: 'ERR_ITEM_ENCODE',
      message: /longer than a JavaScript string can be/,
    })
    assert.deepEqual(pieces, ['before'])
  })

  it('writes what it can cut again', () => {
    const batches = fc.oneof(
      fc.array(anyString, { maxLength: 10 }),
      fc.array(fc.constantFrom('', 'a', '€', '\ud83d', '\ude00'), { minLength: 1000, maxLength: 4000, size: 'max' }),
    )
    fc.assert(
      fc.property(batches, (batch) => {
        const numbers = new Int32Array(batch.length)
        const pieces: string[] = []
        const text = batch.join('')
        assert.equal(writeStrings(batch, numbers, 0, pieces), text.length)
        assert.equal(pieces.join(''), text)
        // A piece that holds nothing is never sent.
        const sent = pieces.filter((piece) => piece !== '')
        for (const read of [sent, [text]]) {
          const strings = new TextReader(read.length === 0 ? [''] : read).cut(numbers, 0, batch.length)
          assert.deepEqual(strings, batch)
        }
      }),
      { numRuns: 60 },
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
        const reader = new TextReader(pieces.filter((piece) => piece !== ''))
        assert.equal(reader.read(3), 'one')
        assert.deepEqual(reader.cut(Int32Array.of(0, 3, 5), 0, 3), ['', 'two', 'three'])
        assert.equal(reader.read(0), '')
        assert.deepEqual(reader.cut(Int32Array.of(9, 0, 4, 0), 1, 3), ['', 'four', ''])
      }),
    )
  })

  it('has no text where one is too long for JavaScript', () => {
    assert.equal(new TextReader([null]).read(2 ** 30), null)
    assert.equal(new TextReader([null]).cut(Int32Array.of(2 ** 30), 0, 1), null)
    assert.equal(new TextReader(['ab', null]).cut(Int32Array.of(2, 2 ** 30), 0, 2), null)
  })
})
