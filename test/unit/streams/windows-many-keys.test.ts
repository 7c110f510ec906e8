import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { from } from 'rxjs'
import { type AnyAggregate, inWindows, keyBy, sliding, sum, timestampBy, toList, tumbling } from '../../../lib/streams'

interface Reading {
  key: number
  time: number
  value: number
}

const SIZE = 40
const SLIDE = 10

/** Bursts of many keys and stretches of few; keys come, go, and come again. */
const bursts = fc.array(
  fc.record({
    gap: fc.integer({ min: 0, max: 60 }),
    first: fc.integer({ min: 0, max: 150 }),
    keys: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 40, max: 90 })),
    value: fc.integer({ min: -50, max: 50 }),
  }),
  { minLength: 1, maxLength: 25 },
)

function readingsOf(all: { gap: number; first: number; keys: number; value: number }[]): Reading[] {
  let time = 0
  return all.flatMap(({ gap, first, keys, value }) => {
    time += gap
    return Array.from({ length: keys }, (_, i) => ({ key: first + i, time, value: value + i }))
  })
}

/** Each window of each key, from all readings. */
function expected(readings: readonly Reading[], size: number, slide: number, inOne: (list: Reading[]) => unknown) {
  const windows = new Map<string, Reading[]>()
  for (const reading of readings) {
    const last = Math.floor(reading.time / slide) * slide
    for (let start = last; start > reading.time - size; start -= slide) {
      const name = `${start} ${reading.key}`
      const list = windows.get(name)
      if (list === undefined) windows.set(name, [reading])
      else list.push(reading)
    }
  }
  return [...windows].map(([name, list]) => `${name} ${inOne(list)}`).sort()
}

function results(readings: readonly Reading[], slide: number, aggregate: AnyAggregate<Reading, unknown>): string[] {
  const found: string[] = []
  from(readings)
    .pipe(
      timestampBy((reading) => reading.time),
      keyBy((reading) => reading.key),
      inWindows(slide === SIZE ? tumbling(SIZE) : sliding(SIZE, slide), aggregate),
    )
    .subscribe((event) => {
      if (event.kind === 'item') found.push(`${event.value.start} ${event.key} ${event.value.value}`)
    })
  return found.sort()
}

describe('windows over many keys that come and go', () => {
  const total = (list: readonly Reading[]) => list.reduce((all, one) => all + one.value, 0)
  const cases: [string, AnyAggregate<Reading, unknown>, (list: Reading[]) => unknown][] = [
    ['sums of whole numbers', sum((one: Reading) => one.value), total],
    // Eighths: exact, and yet nothing that `deduct` takes back.
    ['sums of fractions', sum((one: Reading) => one.value / 8), (list) => total(list) / 8],
    [
      'lists',
      { ...toList<Reading>(), finish: (list: Reading[]) => list.map((one) => one.value).join() },
      (list) => list.map((one) => one.value).join(),
    ],
  ]
  for (const [name, aggregate, inOne] of cases) {
    for (const slide of [SLIDE, SIZE]) {
      it(`${name}, ${slide === SIZE ? 'tumbling' : 'sliding'}`, () => {
        fc.assert(
          fc.property(bursts, (all) => {
            const readings = readingsOf(all)
            assert.deepEqual(results(readings, slide, aggregate), expected(readings, SIZE, slide, inOne))
          }),
          { numRuns: 60 },
        )
      })
    }
  }
})
