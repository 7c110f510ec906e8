import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { Batcher, type BatchLimits } from '../../lib/batch/batcher'
import { FakeClock } from './fakeClock'
import { settle } from './fakeHandler'

function batcher<I>(limits: Partial<BatchLimits>, sizeOf?: (item: I) => number) {
  const state = { ready: 0 }
  const made = new Batcher<I>(
    { maxItems: 4, maxBytes: Infinity, maxWait: 0, ...limits },
    () => {
      state.ready++
    },
    sizeOf,
  )
  return { made, state }
}

describe('Batcher', () => {
  it('lets a synchronous burst go as one batch, after its microtask', async () => {
    const { made, state } = batcher<number>({})
    made.push(1)
    made.push(2)
    assert.equal(made.take(), undefined)
    assert.equal(state.ready, 0)
    await Promise.resolve()
    assert.equal(state.ready, 1)
    assert.deepEqual(made.take(), [1, 2])
    assert.equal(made.waiting, 0)
  })

  it('lets a batch that nobody takes grow up to maxItems', async () => {
    const { made } = batcher<number>({})
    made.push(1)
    await settle(1)
    for (const item of [2, 3, 4, 5]) made.push(item)
    assert.equal(made.waiting, 5)
    assert.deepEqual(made.take(), [1, 2, 3, 4])
    assert.equal(made.take(), undefined)
    await settle(1)
    assert.deepEqual(made.take(), [5])
  })

  it('says at once that a batch is full', () => {
    const { made, state } = batcher<number>({ maxItems: 2 })
    made.push(1)
    made.push(2)
    assert.equal(state.ready, 1)
    assert.deepEqual(made.take(), [1, 2])
  })

  it('never makes a batch above maxBytes, except of a single item', async () => {
    const { made } = batcher<number>({ maxItems: 100, maxBytes: 10 }, (bytes) => bytes)
    for (const bytes of [4, 6, 1, 10, 25, 3, 3]) made.push(bytes)
    await settle(1)
    const batches: number[][] = []
    for (let batch = made.take(); batch; batch = made.take()) batches.push(batch)
    assert.deepEqual(batches, [[4, 6], [1], [10], [25], [3, 3]])
  })

  describe('with maxWait', () => {
    let clock: FakeClock
    beforeEach(() => {
      clock = new FakeClock()
      clock.install()
    })
    afterEach(() => clock.uninstall())

    it('holds a batch for that long after its first item', async () => {
      const { made, state } = batcher<number>({ maxWait: 30 })
      made.push(1)
      await clock.pass(12)
      made.push(2)
      await clock.pass(17)
      assert.equal(made.take(), undefined)
      await clock.pass(1)
      assert.equal(state.ready, 1)
      assert.deepEqual(made.take(), [1, 2])
    })

    it('counts anew for a batch that follows a full one', async () => {
      const { made } = batcher<number>({ maxItems: 2, maxWait: 40 })
      made.push(1)
      await clock.pass(25)
      made.push(2)
      made.push(3)
      assert.deepEqual(made.take(), [1, 2])
      await clock.pass(39)
      assert.equal(made.take(), undefined, 'the timer of the first batch must not let the second go')
      await clock.pass(1)
      assert.deepEqual(made.take(), [3])
    })

    it('lets a batch that is due grow until it is taken', async () => {
      const { made } = batcher<number>({ maxItems: 3, maxWait: 10 })
      made.push(1)
      await clock.pass(10)
      made.push(2)
      made.push(3)
      made.push(4)
      assert.deepEqual(made.take(), [1, 2, 3])
      assert.equal(made.take(), undefined)
      await clock.pass(10)
      assert.deepEqual(made.take(), [4])
    })

    it('lets everything go once it drains, also what comes later', () => {
      const { made } = batcher<number>({ maxWait: 10_000 })
      made.push(1)
      made.drain()
      assert.deepEqual(made.take(), [1])
      made.push(2)
      assert.deepEqual(made.take(), [2])
      assert.equal(clock.pending, 0)
    })

    it('has one timer at most, and leaves none behind', () => {
      const { made } = batcher<number>({ maxItems: 2, maxWait: 60_000 })
      for (const item of [1, 2, 3]) made.push(item)
      assert.equal(clock.pending, 1)
      assert.equal(made.clear(), 3)
      assert.equal(clock.pending, 0)
    })
  })

  it('drops the oldest across batches', () => {
    const { made } = batcher<number>({ maxItems: 2 })
    for (const item of [1, 2, 3, 4, 5]) made.push(item)
    made.dropOldest()
    assert.equal(made.waiting, 4)
    made.dropOldest()
    made.dropOldest()
    assert.deepEqual(made.take(), [4])
    made.dropOldest()
    assert.equal(made.waiting, 0)
    made.dropOldest()
    assert.equal(made.waiting, 0)
    made.push(6)
    made.push(7)
    assert.deepEqual(made.take(), [6, 7])
  })
})
