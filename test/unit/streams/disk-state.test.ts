import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { from, lastValueFrom, toArray } from 'rxjs'
import {
  count,
  distinct,
  keyBy,
  mapKeyed,
  memoryState,
  rolling,
  type StateStore,
  timestampBy,
  values,
} from '../../../lib/streams'
import { diskState } from '../../../lib/streams/diskState'
import { temporaryFolder } from '../../fixtures/temporary'

type Action = { do: 'set' | 'get' | 'delete'; key: number; wait: number }

const action: fc.Arbitrary<Action> = fc.record({
  do: fc.constantFrom('set', 'set', 'get', 'delete'),
  key: fc.nat(40),
  wait: fc.nat(3),
})

const limits = fc.constantFrom<{ ttl?: number; maxKeys?: number; overflow?: 'evict' }>(
  {},
  { ttl: 40 },
  { maxKeys: 12, overflow: 'evict' },
  { ttl: 60, maxKeys: 20, overflow: 'evict' },
)

const sorted = (store: StateStore<number, unknown>) => [...store.entries()].sort(([a], [b]) => a - b)

describe('keyed state on the disk', () => {
  it('is as that in memory, whatever is done to it, and however little stays in memory', () => {
    fc.assert(
      fc.property(
        fc.array(action, { maxLength: 300 }),
        limits,
        fc.integer({ min: 1, max: 16 }),
        (actions, some, memory) => {
          let now = 0
          const clock = { now: () => now }
          const evicted: [string, number, unknown][] = []
          const options = (where: string) => ({
            ...some,
            clock,
            onEvict: (key: number, value: unknown) => evicted.push([where, key, value]),
          })
          const disk = diskState<number, { n: number }>({ ...options('disk'), memory })
          const naive = memoryState<number, { n: number }>(options('memory'))
          for (const [n, { do: what, key, wait }] of actions.entries()) {
            now += wait
            if (what === 'set') for (const store of [disk, naive]) store.set(key, { n })
            else if (what === 'get') assert.deepEqual(disk.get(key), naive.get(key))
            else assert.equal(disk.delete(key), naive.delete(key))
            assert.equal(disk.size, naive.size)
          }
          assert.deepEqual(sorted(disk), sorted(naive))
          const of = (where: string) => evicted.filter(([one]) => one === where).map(([, ...rest]) => rest)
          assert.deepEqual(of('disk'), of('memory'))
          disk.clear()
          assert.deepEqual([disk.size, [...disk.entries()]], [0, []])
          disk.close?.()
        },
      ),
      { numRuns: 60 },
    )
  })

  it('tells keys of all kinds apart, however long or odd', () => {
    const keys = [
      '1',
      1,
      true,
      'true',
      1n,
      null,
      'null',
      undefined,
      'a\ud800',
      'a\udfff',
      'a\0',
      'x'.repeat(5000),
      `${'x'.repeat(5000)}y`,
      '',
    ]
    const store = diskState<unknown, Uint8Array>({ memory: 1 })
    keys.forEach((key, i) => void store.set(key, Uint8Array.of(i, 7)))
    for (const [i, key] of keys.entries()) assert.deepEqual(store.get(key), Uint8Array.of(i, 7))
    assert.equal(store.size, keys.length)
    assert.throws(() => store.set({}, Uint8Array.of(1)), { code: 'ERR_OPTION', message: /keys must be texts, numbers/ })
    store.close?.()
  })

  it('is an error beyond maxKeys where it is not to evict', () => {
    const store = diskState<number, number>({ memory: 1, maxKeys: 2 })
    store.set(1, 1)
    store.set(2, 1)
    store.set(1, 2)
    assert.throws(() => store.set(3, 1), { code: 'ERR_STATE_FULL' })
    store.close?.()
  })

  it('has a file without a name, so nothing is left behind however the process ends', async () => {
    await using folder = await temporaryFolder()
    const store = diskState<number, number>({ memory: 1, folder: folder.path })
    for (let key = 0; key < 100; key++) store.set(key, key)
    assert.deepEqual(readdirSync(folder.path), [])
    assert.equal(store.get(50), 50)
    store.close?.()
  })

  it('holds what operators keep for more keys than memory has room for', async () => {
    const numbers = Array.from({ length: 5_000 }, (_, i) => (i * 7) % 1_000)
    const keyed = from(numbers).pipe(
      timestampBy(() => 0),
      keyBy((n) => n),
    )
    const store = () => diskState<number, never>({ memory: 100 })
    const counts = await lastValueFrom(keyed.pipe(rolling(count(), { store }), values(), toArray()))
    assert.deepEqual(
      counts,
      numbers.map((_, i) => Math.floor(i / 1_000) + 1),
    )
    const kept = mapKeyed<number, number, number, number>(
      (value, state) => {
        state.set((state.get() ?? 0) + value)
        return state.get()!
      },
      { store },
    )
    const sums = await lastValueFrom(keyed.pipe(kept, values(), toArray()))
    assert.deepEqual(
      sums,
      numbers.map((n, i) => n * (Math.floor(i / 1_000) + 1)),
    )
  })

  it('holds accumulators that are more than data', async () => {
    const numbers = Array.from({ length: 1_200 }, (_, i) => i)
    const keyed = from(numbers).pipe(
      timestampBy(() => 0),
      keyBy((n) => n % 20),
    )
    const different = distinct<number>((n) => n % 900, { exact: 8 })
    const onDisk = keyed.pipe(rolling(different, { store: () => diskState({ memory: 3 }) }), values(), toArray())
    assert.deepEqual(
      await lastValueFrom(onDisk),
      await lastValueFrom(keyed.pipe(rolling(different), values(), toArray())),
    )
  })

  it('has options that are checked', () => {
    assert.throws(() => diskState({ memory: 0, ttl: -1 }), { code: 'ERR_OPTION', message: /2 options are wrong/ })
  })
})
