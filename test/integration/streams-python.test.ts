import assert from 'node:assert/strict'
import { it } from 'mocha'
import { fromIterable, mapPython } from '../../lib'
import {
  inWindows,
  keyBy,
  throughItems,
  timestampBy,
  toList,
  tumbling,
  values,
  type WindowResult,
} from '../../lib/streams'
import { TestSink } from '../../lib/testing'
import { withPool } from '../fixtures/modes'

interface Reading {
  sensor: string
  at: number
  value: number
}

const readings: Reading[] = Array.from({ length: 3000 }, (_, i) => ({
  sensor: `s${i % 3}`,
  at: i,
  value: (i * 7) % 11,
}))

withPool('Python in event streams', (test) => {
  it('a handler between two operators keeps times, keys and the place of watermarks', async () => {
    const source = 'def handle(batch):\n    return [dict(one, value=one["value"] * 2) for one in batch]'
    const stream = fromIterable(readings).pipe(
      timestampBy((one) => one.at),
      keyBy((one) => one.sensor),
      throughItems(mapPython<Reading, Reading>({ source }, { pool: test.pool, batch: 64 })),
      inWindows(tumbling(1000), toList<Reading>()),
      values(),
    )
    const results = await new TestSink<WindowResult<Reading[], string>>().drain(stream).all()
    const expected = [0, 1, 2].flatMap((window) =>
      ['s0', 's1', 's2'].map((sensor) => {
        const mine = readings.filter((one) => one.sensor === sensor && Math.floor(one.at / 1000) === window)
        return [sensor, window * 1000, mine.map((one) => one.value * 2)]
      }),
    )
    const found = results.map(({ key, start, value }) => [key, start, value.map((one) => one.value)])
    assert.deepEqual(found.sort(), expected.sort())
  })

  it('finishes windows: a list of them for each call', async () => {
    const source = [
      'from statistics import median',
      'def handle(windows):',
      '    return [dict(w, value=median(one["value"] for one in w["value"])) for w in windows]',
    ].join('\n')
    const stream = fromIterable(readings).pipe(
      timestampBy((one) => one.at),
      inWindows(tumbling(300), toList<Reading>()),
      throughItems(mapPython<WindowResult<Reading[]>, WindowResult<number>>({ source }, { pool: test.pool })),
      values(),
    )
    const results = await new TestSink<WindowResult<number>>().drain(stream).all()
    assert.equal(results.length, 10)
    for (const { start, end, value } of results) {
      const mine = readings.filter(({ at }) => at >= start && at < end).map((one) => one.value)
      mine.sort((a, b) => a - b)
      assert.equal(value, (mine[mine.length / 2 - 1]! + mine[mine.length / 2]!) / 2)
    }
  })

  it('keeps state by key in an interpreter', async () => {
    const source = [
      'from rxjs_python import KeyedState',
      'totals = KeyedState(ttl=600, max_keys=100)',
      'def handle(batch):',
      '    for one in batch:',
      '        totals.set(one["sensor"], totals.get(one["sensor"], 0) + one["value"])',
      '        yield totals.get(one["sensor"])',
    ].join('\n')
    const stream = fromIterable(readings).pipe(mapPython<Reading, number>({ source }, { pool: test.pool, batch: 100 }))
    const sums = new Map<string, number>()
    const expected = readings.map(({ sensor, value }) => {
      sums.set(sensor, (sums.get(sensor) ?? 0) + value)
      return sums.get(sensor)
    })
    assert.deepEqual(await new TestSink<number>().drain(stream).all(), expected)
  })
})
