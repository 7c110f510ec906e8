import assert from 'node:assert/strict'
import { filter, from, lastValueFrom, toArray } from 'rxjs'
import { flatMapPython, type PythonPool, RxjsPythonError } from '../../lib/index'
import { openPool } from '../fixtures/modes'
import { program } from '../fixtures/program'

/** Calls in flight, and how often each is made. */
const LANES = 6
const CALLS = 25
const SAME = { source: 'lambda batch: batch' }

describe('results that other interpreters are changing', () => {
  let pool: PythonPool
  before(async function () {
    this.timeout(300_000)
    pool = await openPool({ isolation: 'shared', size: 3 })
  })
  after(() => pool?.close())

  /** Makes the calls of a handler beside the ones that change what it returns: each ends as one of ours. */
  async function rivals(name: string, codec: 'string' | 'json' | 'buffer', batch: unknown[]): Promise<number> {
    const churn = pool.handler('rivals:churn', { codec: 'string' })
    const give = pool.handler(`rivals:${name}`, { codec })
    let good = 0
    const lane = async (index: number) => {
      for (let i = 0; i < CALLS; i++) {
        if (index % 2 === 0) {
          await churn.call(['x'])
          continue
        }
        try {
          await give.call(batch)
          good++
        } catch (error) {
          assert(error instanceof RxjsPythonError, String(error))
          assert.match(error.code, /^ERR_RESULT_(LENGTH|ENCODE|TYPE)$/, error.message)
        }
      }
    }
    await Promise.all(Array.from({ length: LANES }, (_, index) => lane(index)))
    assert.deepEqual(await churn.call(['still', 'there']), ['still', 'there'])
    return good
  }

  for (const [name, codec] of [
    ['give_strings', 'string'],
    ['give_records', 'json'],
    ['give_buffers', 'buffer'],
  ] as const) {
    it(`codec ${codec}: a list that is changed meanwhile is a result or an error`, () =>
      rivals(
        name,
        codec,
        Array.from({ length: 64 }, () => (codec === 'buffer' ? new Uint8Array(1) : 'x')),
      ))
  }

  it('codec json: lists and dicts inside of results', async () => {
    assert((await rivals('give_nested', 'json', [1])) > 0)
  })

  it('batches that are changed while others end', async () => {
    const keep = pool.handler('rivals:keep_inputs', { codec: 'buffer' })
    await Promise.allSettled(Array.from({ length: 60 }, () => keep.call([new Uint8Array(3), new Uint8Array(70_000)])))
    const same = pool.handler(SAME, { codec: 'buffer' })
    assert.deepEqual([...((await same.call([Uint8Array.of(1, 2)])) as Uint8Array[])[0]!], [1, 2])
  })

  it('lines of output come whole, and all of them before the results', async () => {
    const lines: string[] = []
    const take = (text: string) => lines.push(text)
    pool.on('stdout', take)
    const print = pool.handler('rivals:printing', { codec: 'string' })
    await Promise.all(Array.from({ length: 60 }, (_, index) => print.call([`${index}`, `${index}`])))
    pool.off('stdout', take)
    const expected = Array.from({ length: 120 }, (_, index) => `one ${index >> 1} and two\n`)
    assert.deepEqual(lines.join('').split('\n').sort(), expected.join('').split('\n').sort())
  })

  it('pools that open and close at once', async () => {
    const others = await Promise.all(Array.from({ length: 4 }, () => openPool({ isolation: 'shared', size: 2 })))
    const texts = await Promise.all(
      others.map((other, index) => other.handler(SAME, { codec: 'string' }).call([`${index}`])),
    )
    assert.deepEqual(texts, [['0'], ['1'], ['2'], ['3']])
    await Promise.all(others.map((other) => other.close()))
  })

  it('each interpreter counts its own items', async () => {
    const numbers = Array.from({ length: 5000 }, (_, index) => index)
    const seen = await lastValueFrom(
      from(numbers).pipe(
        flatMapPython<number, number>(
          { source: 'lambda batch: [[item, -item] for item in batch]' },
          { pool, batch: 50 },
        ),
        filter((value) => value >= 0),
        toArray(),
      ),
    )
    assert.deepEqual(
      seen.map(Math.abs).filter((value) => value > 0),
      numbers.slice(1),
    )
  })

  it('handlers load at once in all interpreters of two pools', async () => {
    const { status, stderr, stdout } = await program(`
      const pools = await Promise.all([1, 2].map(() => py.PythonPool.open({ python, path, isolation: 'shared', size: 3 })))
      const handlers = pools.flatMap((pool) => ['flow:double', 'shapes:function', 'shapes:a_tuple'].map((name) =>
        pool.handler(name, { codec: 'string' })))
      const answers = await Promise.allSettled(handlers.flatMap((handler) => [1, 2, 3].map(() => handler.call(['x']))))
      console.log(answers.map(({ status, reason }) => reason?.code ?? status).join(' '))
      await Promise.all(pools.map((pool) => pool.close()))
    `)
    assert.equal(status, 0, stderr)
    assert.deepEqual([...new Set(stdout.trim().split(' '))], ['fulfilled'], stderr)
  })
})
