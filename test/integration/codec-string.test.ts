import assert from 'node:assert/strict'
import fc from 'fast-check'
import { EncodeError, PythonError, ResultError } from '../../lib/errors'
import { anyString } from '../fixtures/arbitraries'
import { failsWith } from '../fixtures/failures'
import { inEachMode, withPool } from '../fixtures/modes'
import { asciiOf } from '../fixtures/python-text'

const RUNS = 60

inEachMode('codec string', (test) => {
  const echo = () => test.pool.handler<string, string>('seen:handle', { codec: 'string' })

  it('brings any strings there and back', async () => {
    const handler = echo()
    await fc.assert(
      fc.asyncProperty(fc.array(anyString, { maxLength: 12 }), async (batch) => {
        assert.deepEqual(await handler.call(batch), batch)
      }),
      { numRuns: RUNS },
    )
  })

  it('shows Python the same characters', async () => {
    const handler = test.pool.handler<string, string>('seen:look', { codec: 'string' })
    await fc.assert(
      fc.asyncProperty(fc.array(anyString, { maxLength: 12 }), async (batch) => {
        assert.deepEqual(await handler.call(batch), batch.map(asciiOf))
      }),
      { numRuns: RUNS },
    )
  })

  it('keeps calls apart that cross together, whatever their widths', async () => {
    const handler = echo()
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(anyString, { maxLength: 4 }), { minLength: 2, maxLength: 12 }),
        async (batches) => {
          assert.deepEqual(await Promise.all(batches.map((batch) => handler.call(batch))), batches)
        },
      ),
      { numRuns: RUNS },
    )
  })

  it('keeps the items of any number apart', async () => {
    const handler = echo()
    for (const count of [0, 1, 2, 4096, 16_383, 16_384, 16_385, 70_000]) {
      const batch = Array.from({ length: count }, (_, i) =>
        i % 7 === 0 ? '' : `item ${i}${i % 1000 === 1 ? ' é€😀' : ''}`,
      )
      assert.deepEqual(await handler.call(batch), batch, `${count} items`)
    }
  })
})

withPool('codec string', (test) => {
  const echo = () => test.pool.handler<string, string>('seen:handle', { codec: 'string' })
  const giving = (source: string) => test.pool.handler<string, string>(source, { codec: 'string' })

  it('does not join surrogates of neighbouring items', async () => {
    const batch = ['\ud83d', '\ude00', 'a\ud83d', '\ude00b', '\ud83d', '', '\ude00']
    assert.deepEqual(await echo().call(batch), batch)
    assert.deepEqual(await giving('lambda batch: [str(len(s)) for s in batch]').call(batch), '1 1 2 2 1 0 1'.split(' '))
  })

  it('gives Python one character for a pair, and takes one apart', async () => {
    const handler = giving('lambda batch: [s[::-1] + str(len(s)) for s in batch]')
    assert.deepEqual(await handler.call(['a😀b', '\u{10ffff}']), ['b😀a3', '\u{10ffff}1'])
  })

  it('takes surrogates that only Python had apart as the pair that they are in UTF-16', async () => {
    assert.deepEqual(await giving(String.raw`lambda batch: ['\ud83d' + '\ude00']`).call(['']), ['😀'])
  })

  it('carries very long strings', async () => {
    const narrow = 'abc\xe9'.repeat(1_000_000)
    const wide = '€😀'.repeat(500_000)
    const batch = [narrow, '', wide, 'x']
    const [one, two] = await Promise.all([echo().call(batch), echo().call([narrow])])
    assert.ok(one.every((item, i) => item === batch[i]))
    assert.ok(two.length === 1 && two[0] === narrow)
  })

  it('carries results much larger and much smaller than the items', async () => {
    const handler = giving('lambda batch: [s * 1000 for s in batch]')
    assert.deepEqual(await handler.call(['ab', '', '€']), ['ab'.repeat(1000), '', '€'.repeat(1000)])
    assert.deepEqual(await giving('lambda batch: [""] * len(batch)').call(['x'.repeat(1e6), 'y']), ['', ''])
  })

  it('widens a result whose wide character comes last', async () => {
    const handler = giving('lambda batch: ["a" * 100000, "ÿ", "€"]')
    assert.deepEqual(await handler.call(['', '', '']), ['a'.repeat(100_000), 'ÿ', '€'])
  })

  it('gives an empty batch to the handler, too', async () => {
    assert.deepEqual(await echo().call([]), [])
    await failsWith(giving('lambda batch: ["one"]').call([]), ResultError, 'ERR_RESULT_LENGTH')
  })

  const others: [string, unknown, RegExp][] = [
    ['a number', 5, /got a number/],
    ['null', null, /got null/],
    ['undefined', undefined, /got undefined/],
    ['a String object', Object('text'), /got a value of class String/],
    ['a symbol', Symbol('x'), /got a symbol/],
    ['an object that could be text', { toString: () => 'text', length: 4 }, /got a value of class Object/],
    ['a Buffer', Buffer.from('text'), /got a value of class Buffer/],
    ['a list', ['text'], /got a value of class Array/],
  ]
  for (const [what, value, message] of others) {
    it(`refuses ${what} and names the item`, async () => {
      const handler = echo()
      const mixed = handler.call(['fine', value as string, 'fine'])
      const good = handler.call(['after'])
      const error = await failsWith(mixed, EncodeError, 'ERR_ITEM_ENCODE')
      assert.equal(error.itemIndex, 1)
      assert.match(error.message, message)
      assert.deepEqual(await good, ['after'], 'a refused batch does not disturb its neighbours')
    })
  }

  it('refuses a hole in the batch', async () => {
    const batch = ['a', 'b', 'c']
    delete batch[1]
    assert.equal((await failsWith(echo().call(batch), EncodeError, 'ERR_ITEM_ENCODE')).itemIndex, 1)
  })

  it('refuses what is not a batch', async () => {
    for (const batch of ['text', undefined, null, 5, { length: 1, 0: 'a' }, new Set(['a'])]) {
      await failsWith(echo().call(batch as never), EncodeError, 'ERR_ITEM_ENCODE')
    }
  })

  const results: [string, RegExp][] = [
    ['5', /result 1 is of type int/],
    ['None', /result 1 is of type NoneType/],
    ['b"bytes"', /result 1 is of type bytes/],
    ['["text"]', /result 1 is of type list/],
    ['object()', /result 1 is of type object/],
  ]
  for (const [result, message] of results) {
    it(`refuses the result ${result} and names its index`, async () => {
      const handler = giving(`lambda batch: [batch[0], ${result}, batch[2]]`)
      const error = await failsWith(handler.call(['a', 'b', 'c']), ResultError, 'ERR_RESULT_ENCODE')
      assert.equal(error.itemIndex, 1)
      assert.equal(error.batchSize, 3)
      assert.match(error.message, message)
    })
  }

  it('takes subclasses of str by their characters', async () => {
    const handler = giving(`
      class Loud(str):
          def __str__(self):
              return "not this"
          def __len__(self):
              return 99
      def handle(batch):
          return [Loud(item) for item in batch]
    `)
    assert.deepEqual(await handler.call(['a', '€😀', '']), ['a', '€😀', ''])
  })

  it('is not upset by results that Python shares and keeps', async () => {
    const handler = giving(`
      kept = ["first", "€"]
      def handle(batch):
          return [kept[i % 2] for i in range(len(batch))]
    `)
    for (let i = 0; i < 3; i++) assert.deepEqual(await handler.call(['', '', '']), ['first', '€', 'first'])
  })

  it('fails a call whose results JavaScript could not hold, and no other', async () => {
    const handler = giving('lambda batch: ["x" * int(item) for item in batch]')
    const large = handler.call([String(2 ** 29)])
    const small = handler.call(['3'])
    const error = await large.then(
      () => assert.fail('it did not fail'),
      (error) => error,
    )
    assert.equal(error.code, 'ERR_RESULT_ENCODE')
    assert.match(error.message, /longer than a JavaScript string can be/)
    assert.ok(error instanceof PythonError, 'like every other result that cannot be taken')
    assert.deepEqual(await small, ['xxx'])
  })
})
