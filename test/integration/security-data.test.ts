import assert from 'node:assert/strict'
import { constants } from 'node:buffer'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { EncodeError, ResultError } from '../../lib/index'
import { failsWith } from '../fixtures/failures'
import { inEachMode, openPool } from '../fixtures/modes'
import { temporaryFolder } from '../fixtures/temporary'

const PROTOTYPE = Object.getOwnPropertyNames(Object.prototype).sort()

function nested(levels: number): unknown {
  let value: unknown = []
  for (let level = 1; level < levels; level++) value = [value]
  return value
}

inEachMode('what reaches Python is data', (test) => {
  it('text that looks like code, a handler or a pickle arrives as that text', async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'made')
    const texts = [
      `__import__('os').system('touch ${file}')`,
      `cos\nsystem\n(S'touch ${file}'\ntR.`, // a pickle that runs a command
      `!!python/object/apply:os.system ['touch ${file}']`,
      '{"op":"open","id":0,"spec":{"kind":"module","module":"os","function":"system"}}',
      'os:system',
      '../../../../etc/passwd:handle',
      '"]}\n{"op":"close","id":0}',
    ]
    const strings = test.pool.handler<string, string>('security:echo', { codec: 'string' })
    const values = test.pool.handler('security:echo')
    const bytes = test.pool.handler<Uint8Array, Uint8Array>('security:echo', { codec: 'buffer' })
    assert.deepEqual(await strings.call(texts), texts)
    const items = texts.map((text) => ({ handler: text, __reduce__: text, spec: { source: text } }))
    assert.deepEqual(await values.call(items), items)
    const encoded = texts.map((text) => new TextEncoder().encode(text))
    assert.deepEqual(
      (await bytes.call(encoded)).map((one) => new TextDecoder().decode(one)),
      texts,
    )
    assert.equal(existsSync(file), false)
  })

  it('keys such as __proto__ are keys, and change no prototype on either side', async () => {
    const text = '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"toString":1}'
    const echo = test.pool.handler<unknown, Record<string, unknown>>('security:echo')
    const keys = test.pool.handler<unknown, string[]>('security:keys')
    // NaN and a BigInt take the way of values that JSON has no form for.
    for (const more of [{}, { odd: NaN, big: 1n }]) {
      const item = Object.defineProperty({ ...more }, '__proto__', {
        value: { ...(JSON.parse(text) as object), polluted: true, ...more },
        enumerable: true,
        configurable: true,
        writable: true,
      })
      const [answer] = await echo.call([item])
      assert.deepEqual(answer, item)
      assert.equal(Object.getPrototypeOf(answer), Object.prototype)
      assert.ok(Object.hasOwn(answer!, '__proto__'))
      assert.deepEqual((await keys.call([item]))[0], ['__proto__', ...Object.keys(more)].sort())
    }
    assert.equal(({} as { polluted?: boolean }).polluted, undefined)
    assert.deepEqual(Object.getOwnPropertyNames(Object.prototype).sort(), PROTOTYPE)
  })

  it('what is nested too deep is an error on either side', async () => {
    const echo = test.pool.handler('security:echo')
    const deep = test.pool.handler('security:deep')
    for (const levels of [600, 100_000]) {
      await failsWith(echo.call([nested(levels)]), EncodeError, 'ERR_ITEM_ENCODE')
      await failsWith(deep.call([levels]), ResultError, 'ERR_RESULT_ENCODE')
    }
    assert.deepEqual(await echo.call([nested(500)]), [nested(500)])
    assert.deepEqual(await deep.call([500]), [nested(500)])
  })

  it("numbers of any length cross, and Python's own limit on digits stays as it was", async () => {
    const digits = 20_000
    const began = performance.now()
    const [large] = await test.pool.handler<number, bigint>('security:large').call([digits])
    assert.equal(large, 10n ** BigInt(digits))
    assert.deepEqual(await test.pool.handler('security:echo').call([-large! - 1n]), [-large! - 1n])
    assert.ok(performance.now() - began < 5000, 'it took quadratic time')
    assert.deepEqual(await test.pool.handler('security:digits_limit').call([0]), [4300])
  })

  it('a batch of text longer than a string can be is an error', async () => {
    const half = 'x'.repeat(Math.ceil(constants.MAX_STRING_LENGTH / 2) + 1)
    const echo = test.pool.handler<string, string>('security:echo', { codec: 'string' })
    await failsWith(echo.call([half, half]), EncodeError, 'ERR_ITEM_ENCODE')
  })
})

describe('pickles', () => {
  it('are not even imported, whatever the codec of a batch', async () => {
    await using pool = await openPool({ isolation: 'process', size: 1 })
    await pool.handler('security:echo').call([{ a: [1n, NaN, 'é'] }])
    await pool.handler('security:echo', { codec: 'string' }).call(['€'])
    await pool.handler('security:echo', { codec: 'buffer' }).call([new Uint8Array(100_000)])
    assert.deepEqual(await pool.handler('security:modules').call(['pickle', '_pickle', 'shelve']), [
      false,
      false,
      false,
    ])
  })
})
