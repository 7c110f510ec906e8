import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { lastValueFrom, tap, toArray } from 'rxjs'
import { filterPython, flatMapPython, fromIterable, mapPython } from '../../lib'
import {
  inWindows,
  keyBy,
  mapPythonKeyed,
  sum,
  timestampBy,
  tumbling,
  values,
  type WindowResult,
} from '../../lib/streams'
import { inEachMode, withPool } from '../fixtures/modes'

interface Reading {
  sensor: string
  at: number
  value: number
}

const readings: Reading[] = Array.from({ length: 4000 }, (_, i) => ({
  sensor: `s${(i * 7) % 23}`,
  at: i,
  value: (i * 7) % 11,
}))

/** What each reading's sensor has had so far. */
function runningTotals(items: readonly Reading[]): number[] {
  const totals = new Map<string, number>()
  return items.map(({ sensor, value }) => {
    totals.set(sensor, (totals.get(sensor) ?? 0) + value)
    return totals.get(sensor)!
  })
}

/** Totals by key; with each the interpreter that has it. */
const TOTALS = `
import os, threading
from rxjs_python import KeyedState

class Totals:
    def __init__(self, **limits):
        self.totals = KeyedState(**limits)

    def __call__(self, batch):
        who = f"{os.getpid()} {threading.get_ident()}"
        answers = []
        for one in batch:
            total = self.totals.get(one["sensor"], 0) + one["value"]
            self.totals.set(one["sensor"], total)
            answers.append({"total": total, "who": who, "keys": len(self.totals)})
        return answers

class Few(Totals):
    def __init__(self):
        super().__init__(max_keys=3, overflow="evict")

class Brief(Totals):
    def __init__(self):
        now = [0.0]
        super().__init__(ttl=300, clock=lambda: now[0])
        self.now = now

    def __call__(self, batch):
        answers = []
        for one in batch:
            self.now[0] = max(self.now[0], one["at"])
            answers.extend(super().__call__([one]))
        return answers
`

interface Answer {
  total: number
  who: string
  keys: number
}

inEachMode('Python stages by key', (test) => {
  const keyed = () =>
    fromIterable(readings).pipe(
      timestampBy((one) => one.at),
      keyBy((one) => one.sensor),
    )
  const totals = (name: string, batch = 100) =>
    mapPythonKeyed<Reading, Answer>({ source: TOTALS, function: name }, { pool: test.pool, batch })

  it('keep each key, and what is kept for it, on one interpreter, all of which have some', async () => {
    const answers = await lastValueFrom(keyed().pipe(totals('Totals'), values(), toArray()))
    assert.deepEqual(
      answers.map(({ total }) => total),
      runningTotals(readings),
    )
    const homes = new Map<string, Set<string>>()
    for (const [i, { who }] of answers.entries()) {
      const { sensor } = readings[i]!
      homes.set(sensor, (homes.get(sensor) ?? new Set()).add(who))
    }
    for (const [sensor, who] of homes) assert.equal(who.size, 1, sensor)
    assert.equal(new Set(answers.map(({ who }) => who)).size, test.mode.size)
  })

  it('keep times, keys and the places of watermarks', async () => {
    const changes = { source: 'def handle(batch):\n    return [one["value"] * 2 for one in batch]' }
    const stream = keyed().pipe(
      mapPythonKeyed<Reading, number>(changes, { pool: test.pool, batch: 64 }),
      inWindows(tumbling(1000), sum()),
      values(),
      toArray(),
    )
    const results: WindowResult<number, string>[] = await lastValueFrom(stream)
    const expected = new Map<string, number>()
    for (const { sensor, at, value } of readings) {
      const window = `${sensor} ${at - (at % 1000)}`
      expected.set(window, (expected.get(window) ?? 0) + value * 2)
    }
    assert.deepEqual(new Map(results.map(({ key, start, value }) => [`${key} ${start}`, value])), expected)
  })

  it('bound what they keep: the key that was set longest ago goes', async () => {
    const answers = await lastValueFrom(keyed().pipe(totals('Few'), values(), toArray()))
    assert.equal(Math.max(...answers.map(({ keys }) => keys)), 3)
  })

  it('let what they keep live for a time', async () => {
    // Sensors come every 23 readings; s0 rests from 1000 on, long enough to be forgotten.
    const rested = readings.filter(({ sensor, at }) => sensor !== 's0' || at < 1000 || at > 2000)
    const stream = fromIterable(rested).pipe(
      timestampBy((one) => one.at),
      keyBy((one) => one.sensor),
      totals('Brief', 10),
      values(),
      toArray(),
    )
    const answers = await lastValueFrom(stream)
    const again = rested.findIndex(({ sensor, at }) => sensor === 's0' && at > 2000)
    assert.equal(answers[again]!.total, rested[again]!.value)
    const other = rested.findIndex(({ sensor, at }) => sensor === 's1' && at > 2000)
    assert.equal(answers[other]!.total, runningTotals(rested)[other])
  })

  it('have a key for each item without event time, too', async () => {
    const key = (one: Reading) => one.sensor
    const run = mapPython<Reading, Answer>({ source: TOTALS, function: 'Totals' }, { pool: test.pool, batch: 33, key })
    const answers = await lastValueFrom(fromIterable(readings).pipe(run, toArray()))
    assert.deepEqual(
      answers.map(({ total }) => total),
      runningTotals(readings),
    )
    const even = 'def handle(batch):\n    return [one["value"] % 2 == 0 for one in batch]'
    const kept = fromIterable(readings).pipe(
      filterPython<Reading>({ source: even }, { pool: test.pool, key, batch: 50 }),
    )
    assert.deepEqual(
      await lastValueFrom(kept.pipe(toArray())),
      readings.filter(({ value }) => value % 2 === 0),
    )
  })
})

withPool('Python stages by key', (test) => {
  const source = 'def handle(batch):\n    return [10 // one for one in batch]'
  const stream = (numbers: readonly number[], options: object) =>
    fromIterable(numbers).pipe(
      timestampBy(() => 0),
      keyBy((n) => n % 3),
      mapPythonKeyed<number, number, number>({ source }, { pool: test.pool, batch: 4, ...options }),
      values(),
    )

  it('end with the error of a batch, after what comes before it', async () => {
    const seen: number[] = []
    const failing = stream([1, 2, 5, 10, 1, 0, 2, 5], {}).pipe(tap((one) => seen.push(one)))
    await assert.rejects(lastValueFrom(failing), { code: 'ERR_PYTHON_EXCEPTION', pythonType: 'ZeroDivisionError' })
    assert.deepEqual(seen, [10, 5, 2, 1])
  })

  it('go on with what onError gives for the items of a batch', async () => {
    const answers = stream([1, 2, 5, 10, 1, 0, 2, 5], { onError: (_: unknown, items: number[]) => items.map(() => -1) })
    assert.deepEqual(await lastValueFrom(answers.pipe(toArray())), [10, 5, 2, 1, -1, -1, -1, -1])
  })

  it('want one result for each item of each part', async () => {
    const short = fromIterable([1, 2, 3, 4]).pipe(
      mapPython<number, number>('def handle(batch): return batch[1:]', { pool: test.pool, key: (n) => n }),
    )
    await assert.rejects(lastValueFrom(short), { code: 'ERR_RESULT_LENGTH' })
  })

  it('want keys that are texts or numbers', async () => {
    for (const key of [undefined, null, Number.NaN, { id: 1 }]) {
      const wrong = fromIterable([1, 2]).pipe(
        timestampBy((n) => n),
        keyBy(() => key as unknown as string),
        mapPythonKeyed<number, number>({ source }, { pool: test.pool }),
      )
      await assert.rejects(lastValueFrom(wrong), { code: 'ERR_OPTION', message: /key of an item must be a text or a/ })
    }
  })
})

describe('a key for each item', () => {
  it('is checked with the other options', () => {
    const key = (n: unknown) => String(n)
    assert.throws(
      () => mapPython('m:f', { key, isolateErrors: true }),
      /'isolateErrors' is not for a 'key' for each item/,
    )
    assert.throws(() => flatMapPython('m:f', { key }), /'key' for each item is not for flatMapPython/)
    assert.throws(() => mapPython('m:f', { key: true as unknown as string }), /'key' must be/)
    const wrong = { onError: 'skip', ordered: false } as unknown as { onError: 'error' }
    assert.throws(() => mapPythonKeyed('m:f', wrong), { code: 'ERR_OPTION', message: /2 options are wrong/ })
  })
})

describe('the parts of a batch', () => {
  it('move with the places of the pool', async () => {
    const { openPool } = await import('../fixtures/modes')
    await using pool = await openPool({ isolation: 'shared', size: 1 })
    let count = 0
    const items = fromIterable(readings).pipe(
      mapPython<Reading, number>('def handle(batch): return [one["at"] for one in batch]', {
        pool,
        batch: 20,
        key: (one) => one.sensor,
      }),
      tap(() => {
        if (++count % 1000 === 500) void pool.calls.seats.add()
      }),
      toArray(),
    )
    assert.deepEqual(
      await lastValueFrom(items),
      readings.map(({ at }) => at),
    )
    assert.ok(pool.size > 1)
  })
})
