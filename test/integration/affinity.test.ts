import assert from 'node:assert/strict'
import { from, groupBy, lastValueFrom, mergeMap, toArray } from 'rxjs'
import { OptionError } from '../../lib/errors'
import { mapPython } from '../../lib/index'
import { failsWith } from '../fixtures/failures'
import { inEachMode, openPool } from '../fixtures/modes'

const WHO = `
  import os, threading
  def handle(batch):
      return [f"{os.getpid()} {threading.get_ident()}" for _ in batch]
`
const KEYS = Array.from({ length: 24 }, (_, i) => `key ${i}`)

inEachMode('calls with a key', (test) => {
  it('are run by the same interpreter, and all interpreters have some', async () => {
    const handler = test.pool.handler<number, string>(WHO)
    const seen = new Map<string, Set<string>>(KEYS.map((key) => [key, new Set()]))
    for (let round = 0; round < 5; round++) {
      const answers = await Promise.all(KEYS.map((key) => handler.call([1], { key })))
      for (const [i, key] of KEYS.entries()) seen.get(key)!.add(answers[i]![0]!)
    }
    for (const [key, who] of seen) assert.equal(who.size, 1, key)
    assert.equal(new Set([...seen.values()].flatMap((who) => [...who])).size, test.mode.size)
    const places = new Map(KEYS.map((key) => [test.pool.placeOf(key), [...seen.get(key)!][0]]))
    for (const key of KEYS)
      assert.equal(places.get(test.pool.placeOf(key)), [...seen.get(key)!][0], 'a place is one interpreter')
    await handler.close()
  })

  it('come in their order, also those made before the handler was ready', async () => {
    const handler = test.pool.handler<number, number>(`
      seen = []
      def handle(batch):
          seen.extend(batch)
          return [len(seen)] * len(batch)
    `)
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => handler.call([i], { key: 7 })))
    assert.deepEqual(
      answers.flat(),
      Array.from({ length: 20 }, (_, i) => i + 1),
    )
  })

  it('keep together what groupBy tells apart', async () => {
    const counting = test.pool.handler<string, [string, number]>(`
      counts = {}
      def handle(batch):
          answers = []
          for item in batch:
              counts[item] = counts.get(item, 0) + 1
              answers.append([item, counts[item]])
          return answers
    `)
    const items = Array.from({ length: 200 }, (_, i) => KEYS[(i * 7) % KEYS.length]!)
    const results = from(items).pipe(
      groupBy((item) => item),
      mergeMap((group) => group.pipe(mapPython(counting, { key: group.key, batch: 3 }))),
      toArray(),
    )
    const counts = new Map<string, number>()
    for (const [item, count] of await lastValueFrom(results)) {
      assert.equal(count, (counts.get(item) ?? 0) + 1, item)
      counts.set(item, count)
    }
    assert.equal(
      [...counts.values()].reduce((a, b) => a + b),
      items.length,
    )
  })

  it('stay where they are when interpreters are replaced, move little when one is added', async () => {
    const { seats } = test.pool.calls
    const place = () => KEYS.map((key) => test.pool.placeOf(key))
    const before = place()
    for (const seat of [...seats.all]) await seats.replace(seat)
    assert.deepEqual(place(), before)
    await seats.add()
    const after = place()
    const moved = after.filter((now, i) => now !== before[i])
    assert.ok(moved.length > 0 && moved.length < KEYS.length, `${moved.length} moved`)
    assert.equal(new Set(moved).size, 1, 'only to the new one')
    seats.remove()
    assert.deepEqual(place(), before)
  })

  it('are none for a scan, which has its interpreter', async () => {
    const scan = test.pool.handler('lambda state, item: item').variant('scan')
    const error = await failsWith(scan.call([1], { key: 'a' }), OptionError, 'ERR_OPTION')
    assert.match(error.message, /'key' is not for mode 'scan'/)
    await scan.close()
  })
})

describe('a key whose worker process crashed', () => {
  it('goes to the one that takes its place, and other calls with it are run', async () => {
    await using pool = await openPool({ isolation: 'process', size: 2 })
    const handler = pool.handler<number, number>(`
      import os
      def handle(batch):
          if batch == [13]:
              os.kill(os.getpid(), 9)
          return batch
    `)
    const [before, crash, ...rest] = await Promise.allSettled(
      [1, 13, 2, 3].map((item) => handler.call([item], { key: 'the same' })),
    )
    assert.equal(before?.status, 'fulfilled')
    assert.equal((crash as PromiseRejectedResult).reason.code, 'ERR_PYTHON_CRASH')
    assert.deepEqual(
      rest.map((one) => (one as PromiseFulfilledResult<number[]>).value),
      [[2], [3]],
    )
    assert.deepEqual(await handler.call([4], { key: 'the same' }), [4])
  })
})
