import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { from, of } from 'rxjs'
import {
  type KeyedOptions,
  keyBy,
  mapKeyed,
  memoryState,
  type Rolled,
  rolling,
  sum,
  timestampBy,
  values,
} from '../../../lib/streams'
import { TestSink, VirtualClock } from '../../../lib/testing'

type Sale = readonly [key: string, at: number, price: number]

function rollingSums(sales: Sale[], options?: KeyedOptions<string, Rolled>): number[] {
  const sink = new TestSink<number>().drain(
    from(sales).pipe(
      timestampBy(([, at]) => at),
      keyBy(([key]) => key),
      rolling(
        sum(([, , price]) => price),
        options,
      ),
      values(),
    ),
  )
  if (sink.state !== 'completed') throw sink.error
  return sink.items
}

describe('keyed state in memory', () => {
  it('lives for its time after the last set', () => {
    const clock = new VirtualClock()
    const dropped: unknown[] = []
    const state = memoryState<string, number>({ ttl: 100, clock, onEvict: (key, value) => dropped.push([key, value]) })
    state.set('a', 1)
    clock.advanceSync(60)
    state.set('b', 2)
    state.set('a', 3)
    clock.advanceSync(99)
    assert.deepEqual(
      [...state.entries()],
      [
        ['b', 2],
        ['a', 3],
      ],
    )
    clock.advanceSync(1)
    assert.equal(state.get('a'), undefined)
    assert.equal(state.size, 0)
    assert.deepEqual(dropped, [
      ['b', 2],
      ['a', 3],
    ])
  })

  it('has at most maxKeys: an error, or the key set longest ago goes', () => {
    const full = memoryState<string, number>({ maxKeys: 1 })
    full.set('a', 1)
    full.set('a', 2)
    assert.throws(() => full.set('b', 1), { code: 'ERR_STATE_FULL' })
    assert.equal(full.delete('a'), true)
    full.set('b', 1)

    const state = memoryState<string, number>({ maxKeys: 2, overflow: 'evict' })
    for (const key of ['a', 'b', 'a', 'c']) state.set(key, 1)
    assert.deepEqual(
      [...state.entries()].map(([key]) => key),
      ['a', 'c'],
    )
  })

  it('is what a map with times would be (model)', () => {
    const command = fc.oneof(
      fc.record({ op: fc.constant('set' as const), key: fc.integer({ min: 0, max: 5 }), value: fc.integer() }),
      fc.record({ op: fc.constant('delete' as const), key: fc.integer({ min: 0, max: 5 }) }),
      fc.record({ op: fc.constant('wait' as const), time: fc.integer({ min: 0, max: 40 }) }),
    )
    fc.assert(
      fc.property(fc.array(command), (commands) => {
        const clock = new VirtualClock()
        const state = memoryState<number, number>({ ttl: 50, maxKeys: 3, overflow: 'evict', clock })
        let model: { key: number; value: number; since: number }[] = []
        for (const one of commands) {
          if (one.op === 'wait') clock.advanceSync(one.time)
          model = model.filter(({ since }) => clock.now() - since < 50)
          if (one.op === 'set') {
            state.set(one.key, one.value)
            model = [...model.filter(({ key }) => key !== one.key), { ...one, since: clock.now() }].slice(-3)
          } else if (one.op === 'delete') {
            assert.equal(
              state.delete(one.key),
              model.some(({ key }) => key === one.key),
            )
            model = model.filter(({ key }) => key !== one.key)
          }
          assert.deepEqual(
            [...state.entries()],
            model.map(({ key, value }) => [key, value]),
          )
        }
      }),
    )
  })
})

describe('operators with keyed state', () => {
  const sales: Sale[] = [
    ['a', 1, 10],
    ['b', 2, 1],
    ['a', 3, 5],
    ['a', 200, 7],
    ['b', 201, 1],
  ]

  it('rolling: a result for each item', () => {
    assert.deepEqual(rollingSums(sales), [10, 1, 15, 22, 2])
  })

  it('rolling forgets a key whose time is over by the watermark', () => {
    const sums = rollingSums([...sales, ['c', 299, 1], ['a', 300, 1], ['c', 400, 1], ['a', 401, 1]], { ttl: 100 })
    assert.deepEqual(sums, [10, 1, 15, 22, 1, 1, 23, 2, 1])
  })

  it('rolling in bounded memory', () => {
    assert.throws(() => rollingSums(sales, { maxKeys: 1 }), { code: 'ERR_STATE_FULL' })
    assert.deepEqual(rollingSums(sales, { maxKeys: 1, overflow: 'evict' }), [10, 1, 5, 12, 1])
  })

  it('mapKeyed: get, set and delete the state of the key at hand, in any store', () => {
    const store = memoryState<string, number>()
    const sink = new TestSink<string>().drain(
      of<Sale[]>(...sales).pipe(
        timestampBy(([, at]) => at),
        keyBy(([key]) => key),
        mapKeyed<Sale, string, number, string>(
          ([, , price], state, key, time) => {
            const before = state.get()
            if (price === 5) assert.equal(state.delete(), true)
            else state.set(price)
            return `${key}@${time}: ${before} → ${price}`
          },
          { store: () => store },
        ),
        values(),
      ),
    )
    assert.deepEqual(sink.items, [
      'a@1: undefined → 10',
      'b@2: undefined → 1',
      'a@3: 10 → 5',
      'a@200: undefined → 7',
      'b@201: 1 → 1',
    ])
    assert.deepEqual(
      [...store.entries()],
      [
        ['b', 1],
        ['a', 7],
      ],
    )
  })

  it('options are checked up front', () => {
    const wrong = { ttl: -1, maxKeys: 0, overflow: 'drop' } as unknown as KeyedOptions<string, Rolled>
    assert.throws(
      () => rolling(sum(), wrong),
      (error: { problems: string[] }) => error.problems.length === 3,
    )
    const both = { store: () => memoryState<undefined, unknown>(), ttl: 5 }
    assert.throws(() => mapKeyed(() => 1, both), /'ttl' goes to the store's own options/)
  })
})
