import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { Subject } from 'rxjs'
import { fromIterable, mapPython, StageMetrics } from '../../lib/index'
import { FakeClock } from './fakeClock'
import { FakeHandler } from './fakeHandler'

/** Milliseconds that a batch takes. */
const cost = (items: number) => 2 + 0.02 * items

describe("batch: 'auto'", () => {
  let clock: FakeClock
  beforeEach(() => {
    clock = new FakeClock()
    clock.install()
  })
  afterEach(() => clock.uninstall())

  /** A handler of one interpreter, which runs one batch after the other. */
  function handler(): FakeHandler {
    const made = new FakeHandler()
    let free = 0
    made.call = (items) => {
      free = Math.max(free, performance.now()) + cost(items.length)
      return new Promise((resolve) => setTimeout(() => resolve([...items]), free - performance.now()))
    }
    return made
  }

  it('grows to where larger batches are no faster, and says how large they are', async () => {
    const metrics = new StageMetrics()
    const source = new Subject<number>()
    /** When items came, by the time at which they did. */
    const came = new Map<number, number>()
    const stream = source
      .pipe(mapPython(handler(), { batch: 'auto', metrics }))
      .subscribe(() => came.set(performance.now(), (came.get(performance.now()) ?? 0) + 1))
    for (let i = 0; i < 300_000; i++) source.next(i)
    await clock.pass(2000)
    came.clear()
    await clock.pass(2000)
    stream.unsubscribe()
    const [first, ...times] = [...came.keys()]
    const rate = times.reduce((sum, time) => sum + came.get(time)!, 0) / (times.at(-1)! - first!)
    const best = 16384 / cost(16384)
    assert.ok(rate >= 0.95 * best, `${rate / best} of the best`)
    assert.ok(metrics.batchLimit >= 1024, `${metrics.batchLimit}`)
    assert.ok(metrics.largestBatch <= 16384)
  })

  it('keeps the time from source to result below maxLatency', async () => {
    const metrics = new StageMetrics()
    const latencies: number[] = []
    const stream = fromIterable(
      (function* () {
        for (;;) yield performance.now()
      })(),
    )
      .pipe(mapPython<number, unknown>(handler(), { batch: 'auto', maxLatency: 40, metrics }))
      .subscribe((came) => latencies.push(performance.now() - (came as number)))
    await clock.pass(1000)
    latencies.length = 0
    await clock.pass(2000)
    stream.unsubscribe()
    latencies.sort((a, b) => a - b)
    const p99 = latencies[Math.floor(latencies.length * 0.99)]!
    assert.ok(p99 <= 40, `${p99} ms`)
    assert.ok(latencies.length / 2000 > 20, `${latencies.length / 2000} items a millisecond`)
  })

  it('cuts and joins what waits already, and loses nothing', async () => {
    const source = new Subject<number>()
    const results: number[] = []
    const sizes: number[] = []
    const made = handler()
    const { call } = made
    made.call = (items) => {
      sizes.push(items.length)
      return call(items)
    }
    const stream = source
      .pipe(mapPython<number, unknown>(made, { batch: 'auto' }))
      .subscribe((item) => results.push(item as number))
    const count = 200_000
    for (let i = 0; i < count; i++) source.next(i)
    await clock.pass(10_000)
    stream.unsubscribe()
    assert.equal(results.length, count)
    assert.ok(results.every((item, i) => item === i))
    assert.ok(Math.max(...sizes) >= 1024, `${Math.max(...sizes)}: what came at once was not joined`)
  })

  it('takes what is there while there is little', async () => {
    const source = new Subject<number>()
    const latencies: number[] = []
    const stream = source
      .pipe(mapPython<number, unknown>(handler(), { batch: 'auto', maxLatency: 20 }))
      .subscribe((came) => latencies.push(performance.now() - (came as number)))
    for (let i = 0; i < 50; i++) {
      source.next(performance.now())
      await clock.pass(0)
      await clock.pass(100)
    }
    stream.unsubscribe()
    assert.equal(latencies.length, 50)
    for (const latency of latencies) assert.ok(Math.abs(latency - cost(1)) < 1e-6, `${latency}`)
  })
})
