import assert from 'node:assert/strict'
import { BatchTuner } from '../../lib/batch/tuner'
import { type Model, p99Of, rateOf, simulate } from '../fixtures/model'

const MOST = 16384
const SIZES = Array.from({ length: 15 }, (_, i) => 2 ** i)
/** Milliseconds within which a size has to be found. */
const SETTLED = 2000

/** Milliseconds of a batch: so much for itself, and so much for each item. */
function line(fixed: number, each: number): Model['cost'] {
  return (items) => fixed + each * items
}

/** A rate that is the highest of all sizes that take at most so long, from being pulled to their results. */
function best(model: Model, maxLatency = Number.POSITIVE_INFINITY): number {
  let most = 0
  for (const size of SIZES) {
    const batch = model.cost(size, 0)
    const lasts = Math.max(200 * batch, Math.min(2000, 2000 * batch))
    const samples = simulate({ ...model, lasts }, size)
    if (p99Of(samples, lasts / 10, lasts) <= maxLatency) most = Math.max(most, rateOf(samples, lasts / 10, lasts))
  }
  return most
}

describe('BatchTuner', () => {
  const costs: Record<string, Model['cost']> = {
    'a cheap batch': line(0.05, 0.001),
    'a dear batch': line(5, 0.005),
    'dear items': line(0.5, 0.5),
    'items alone': line(0, 0.02),
    'large batches that are slower': (items) => 0.5 + 0.002 * items * (1 + (items / 2000) ** 2),
  }
  for (const [name, cost] of Object.entries(costs)) {
    for (const interpreters of [1, 2]) {
      for (const noise of [0, 0.1]) {
        it(`finds the best size within two seconds: ${name}, ${interpreters} interpreters, noise ${noise}`, () => {
          const model = { cost, interpreters, noise, lasts: 8000 }
          const samples = simulate(model, new BatchTuner({ maxItems: MOST, maxLatency: undefined }))
          const share = rateOf(samples, SETTLED, model.lasts) / best(model)
          assert.ok(share >= 0.95, `${share.toFixed(3)} of the best fixed size`)
        })

        it(`as much as a time allows: ${name}, ${interpreters} interpreters, noise ${noise}`, () => {
          const model = { cost, interpreters, noise, lasts: 8000 }
          const samples = simulate(model, new BatchTuner({ maxItems: MOST, maxLatency: 50 }))
          const p99 = p99Of(samples, SETTLED, model.lasts)
          assert.ok(p99 <= 50, `${p99.toFixed(1)} ms`)
          const share = rateOf(samples, SETTLED, model.lasts) / best(model, 50)
          assert.ok(share >= 0.8, `${share.toFixed(3)} of the best fixed size that is quick enough`)
        })
      }
    }
  }

  for (const rate of [0.01, 1, 15]) {
    it(`holds the time at ${rate * 1000} items a second`, () => {
      const model = { cost: line(2, 0.02), load: () => rate, noise: 0.1, lasts: 20_000 }
      const samples = simulate(model, new BatchTuner({ maxItems: MOST, maxLatency: 20 }))
      const p99 = p99Of(samples, SETTLED, model.lasts)
      assert.ok(p99 <= 20, `${p99.toFixed(1)} ms`)
      const carried = rateOf(samples, SETTLED, model.lasts) / rate
      assert.ok(carried > 0.85, `${carried.toFixed(2)} of what came`)
    })
  }

  it('follows work that becomes dearer and cheaper again', () => {
    const cost: Model['cost'] = (items, now) => (now > 4000 && now < 8000 ? 4 + 0.05 * items : 0.1 + 0.01 * items)
    for (const maxLatency of [undefined, 60]) {
      const samples = simulate({ cost, noise: 0.05, lasts: 12_000 }, new BatchTuner({ maxItems: MOST, maxLatency }))
      const parts = [
        { from: 0, as: 0 },
        { from: 4000, as: 5000 },
        { from: 8000, as: 0 },
      ]
      for (const { from, as } of parts) {
        const fixed = best({ cost: (items) => cost(items, as), noise: 0.05, lasts: 0 }, maxLatency)
        const share = rateOf(samples, from + SETTLED, from + 4000) / fixed
        assert.ok(share >= (maxLatency === undefined ? 0.95 : 0.75), `from ${from}, ${maxLatency}: ${share.toFixed(3)}`)
        if (maxLatency === undefined) continue
        const p99 = p99Of(samples, from + SETTLED, from + 4000)
        assert.ok(p99 <= maxLatency, `from ${from}: ${p99.toFixed(1)} ms`)
      }
    }
  })

  it('follows a load that comes and goes', () => {
    const load = (now: number) => (now % 6000 < 3000 ? 0.1 : 30)
    const model = { cost: line(2, 0.02), load, noise: 0.05, lasts: 18_000 }
    const samples = simulate(model, new BatchTuner({ maxItems: MOST, maxLatency: 40 }))
    for (const from of [0, 3000, 6000, 9000, 12_000, 15_000]) {
      const p99 = p99Of(samples, from + SETTLED, from + 3000)
      assert.ok(p99 <= 40, `from ${from}: ${p99.toFixed(1)} ms`)
    }
  })

  it('looks after throughput where no size holds the time', () => {
    const model = { cost: line(30, 0.1), load: () => 4, lasts: 12_000 }
    const samples = simulate(model, new BatchTuner({ maxItems: MOST, maxLatency: 20 }))
    const carried = rateOf(samples, 4000, model.lasts) / 4
    assert.ok(carried > 0.9, `${carried.toFixed(2)} of what came`)
  })

  it('learns nothing where Python waits for items, and never exceeds what it may', () => {
    const tuner = new BatchTuner({ maxItems: 100, maxLatency: undefined })
    assert.equal(tuner.size, 100)
    for (let now = 0; now < 5000; now += 5) tuner.done(7, 1, now)
    assert.equal(tuner.size, 100)
    for (let now = 5000; now < 10_000; now += 5) {
      tuner.done(tuner.size, 1, now)
      assert.ok(tuner.size >= 1 && tuner.size <= 100)
    }
  })
})
