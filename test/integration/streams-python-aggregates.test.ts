import assert from 'node:assert/strict'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { it } from 'mocha'
import { lastValueFrom, toArray } from 'rxjs'
import { fromIterable } from '../../lib'
import { HandlerError, OptionError, PythonError } from '../../lib/errors'
import {
  aggregate,
  countWindow,
  inWindows,
  keyBy,
  pythonAggregate,
  rolling,
  session,
  sliding,
  timestampBy,
  tumbling,
  values,
  type WindowDefinition,
} from '../../lib/streams'
import { failsWith } from '../fixtures/failures'
import { inEachMode, withPool } from '../fixtures/modes'

interface Reading {
  sensor: string
  at: number
  value: number
}

const readings: Reading[] = Array.from({ length: 4000 }, (_, i) => ({
  sensor: `s${(i * 5) % 7}`,
  // Out of order by up to 30, with gaps for sessions.
  at: i + ((i * 13) % 31) + Math.floor(i / 500) * 100,
  value: (i * 7) % 101,
}))

const medianHere = aggregate<Reading, number[], number>({
  create: () => [],
  accumulate: (list, one) => [...list, one.value],
  combine: (into, from) => [...into, ...from],
  finish(list) {
    const sorted = [...list].sort((a, b) => a - b)
    const middle = sorted.length >> 1
    return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
  },
})

const keyed = () =>
  fromIterable(readings).pipe(
    timestampBy((one: Reading) => one.at, { disorder: 30 }),
    keyBy((one) => one.sensor),
  )

const WINDOWS: Record<string, WindowDefinition> = {
  tumbling: tumbling(100),
  sliding: sliding(200, 50),
  sessions: session(60),
  'count windows': countWindow(20, { slide: 5 }),
}

inEachMode('aggregates in Python', (test) => {
  for (const [name, window] of Object.entries(WINDOWS)) {
    it(`${name}: the same as in JavaScript, in the same places`, async () => {
      const median = pythonAggregate<Reading, number>('aggregates:Median', { pool: test.pool })
      const options = window.type === 'count' ? {} : { lateness: 20 }
      const [there, here] = await Promise.all([
        lastValueFrom(keyed().pipe(inWindows(window, median, options), toArray())),
        lastValueFrom(keyed().pipe(inWindows(window, medianHere, options), toArray())),
      ])
      assert.ok(here.length > 30)
      assert.deepEqual(there, here)
    })
  }

  it('rolling: a result for each item', async () => {
    const mean = pythonAggregate<Reading, number>('aggregates:Mean', { pool: test.pool })
    const found = await lastValueFrom(keyed().pipe(rolling(mean), values<number>(), toArray()))
    const sums = new Map<string, [number, number]>()
    const expected = readings.map(({ sensor, value }) => {
      const [total, n] = sums.get(sensor) ?? [0, 0]
      sums.set(sensor, [total + value, n + 1])
      return (total + value) / (n + 1)
    })
    assert.deepEqual(found, expected)
  })
})

withPool('aggregates in Python', (test) => {
  it('several streams at once, each with accumulators of its own', async () => {
    const mean = pythonAggregate<Reading, number>('aggregates:Mean', { pool: test.pool })
    const run = () => lastValueFrom(keyed().pipe(inWindows(tumbling(500), mean), toArray()))
    const [one, two] = await Promise.all([run(), run()])
    assert.ok(one.length > 30)
    assert.deepEqual(one, two)
  })

  it('what is of no more use goes in Python as well', async function () {
    this.timeout(60_000)
    async function* slowly() {
      for (let at = 0; at < 30_000; at++) {
        if (at % 1000 === 0) await new Promise((resolve) => setImmediate(resolve))
        yield { sensor: '', at, value: at }
      }
    }
    const held = pythonAggregate<Reading, number>('aggregates:Held', { pool: test.pool })
    const stream = fromIterable(slowly).pipe(
      timestampBy((one: Reading) => one.at),
      inWindows(tumbling(10), held),
      values(),
    )
    const alive: number[] = []
    const seen = lastValueFrom(stream.pipe(toArray()))
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    // With the heap of all tests that ran before, a collection may take as long as the stream.
    let collector = setTimeout(function again() {
      const began = performance.now()
      collect()
      collector = setTimeout(again, Math.max(20, performance.now() - began))
    }, 20)
    for (const { value } of await seen) alive.push(value)
    clearTimeout(collector)
    assert.equal(alive.length, 3000)
    assert.ok(Math.max(...alive) < 2000, `${Math.max(...alive)} of 3000`)
  })

  it('what they raise, and a class that is not there, end the stream', async () => {
    const strict = pythonAggregate('aggregates:Strict', { pool: test.pool })
    const raised = await failsWith(
      lastValueFrom(keyed().pipe(inWindows(tumbling(100), strict))),
      PythonError,
      'ERR_PYTHON_EXCEPTION',
    )
    assert.equal(raised.pythonMessage, 'seven')
    const missing = pythonAggregate('aggregates:Medain', { pool: test.pool })
    await failsWith(lastValueFrom(keyed().pipe(rolling(missing))), HandlerError, 'ERR_HANDLER_NOT_FOUND')
  })

  it('are checked at once', () => {
    assert.throws(() => pythonAggregate(7 as never), OptionError)
    assert.throws(() => pythonAggregate('a:B', { poool: 1 } as never), OptionError)
    assert.throws(() => pythonAggregate('a:B', { pool: 1 as never }), OptionError)
  })
})
