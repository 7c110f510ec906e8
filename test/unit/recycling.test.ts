import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { PoolClosedError } from '../../lib/errors'
import { Recycler } from '../../lib/pool/recycling'
import { settle } from './fakeHandler'

/** Seats without interpreters: the test says what they have done. */
class FakeSeats {
  readonly all = [0, 1]
  readonly done = new Map<number, number>()
  readonly bytes = new Map<number, number>()
  readonly pinned = new Set<number>()
  readonly replaced: number[] = []
  fresh = 0
  failure: Error | undefined
  private next = 2
  private wait: Promise<void> | undefined
  private go = () => {}

  mayGo(seat: number): boolean {
    return this.all.includes(seat) && !this.pinned.has(seat)
  }

  load(seat: number, numbers: Float64Array): void {
    numbers[0] = this.done.get(seat) ?? 0
  }

  memory(seat: number): number {
    return this.bytes.get(seat) ?? this.fresh
  }

  async replace(seat: number): Promise<boolean> {
    this.replaced.push(seat)
    await this.wait
    if (this.failure !== undefined) throw this.failure
    this.all[this.all.indexOf(seat)] = this.next++
    return true
  }

  hold(): void {
    this.wait = new Promise((resolve) => {
      this.go = resolve
    })
  }

  release(): void {
    this.go()
    this.wait = undefined
  }
}

describe('recycling', () => {
  let seats: FakeSeats
  let recycler: Recycler
  const warnings: string[] = []
  const emitWarning = process.emitWarning
  const start = (batches?: number, memory?: number) => {
    recycler = new Recycler(seats, seats, { batches, memory })
  }
  /** A batch comes back from that seat. */
  const batch = (seat: number, count = 1) => {
    for (let i = 0; i < count; i++) {
      seats.done.set(seat, (seats.done.get(seat) ?? 0) + 1)
      recycler.settled()
    }
  }

  beforeEach(() => {
    seats = new FakeSeats()
    warnings.length = 0
    process.emitWarning = ((message: string) => warnings.push(message)) as typeof process.emitWarning
  })
  afterEach(() => {
    recycler.close()
    process.emitWarning = emitWarning
  })

  it('replaces an interpreter after exactly so many batches, and no other', async () => {
    start(100)
    batch(0, 99)
    batch(1, 98)
    await settle()
    assert.deepEqual(seats.replaced, [])
    batch(0)
    assert.deepEqual(seats.replaced, [0])
    await settle()
    assert.deepEqual([seats.all, recycler.count], [[2, 1], 1])
    batch(1, 2)
    batch(2, 99)
    await settle()
    assert.deepEqual(seats.replaced, [0, 1])
    batch(2)
    assert.deepEqual(seats.replaced, [0, 1, 2])
  })

  it('replaces one after the other, also where both are due at once', async () => {
    start(10)
    seats.hold()
    batch(0, 10)
    batch(1, 10)
    await settle()
    assert.deepEqual(seats.replaced, [0])
    seats.release()
    await settle()
    assert.deepEqual(seats.replaced, [0, 1])
  })

  it('waits for an interpreter that has the state of a handler', async () => {
    start(10)
    seats.pinned.add(0)
    batch(0, 50)
    assert.deepEqual(seats.replaced, [])
    batch(1, 10)
    await settle()
    assert.deepEqual(seats.replaced, [1])
    seats.pinned.clear()
    batch(0, 64)
    assert.deepEqual(seats.replaced, [1, 0])
  })

  it('looks at the memory of those that have run something', async () => {
    start(undefined, 1000)
    seats.bytes.set(0, 2000)
    await new Promise((resolve) => setTimeout(resolve, 600))
    assert.deepEqual(seats.replaced, [])
    batch(0)
    batch(1)
    await new Promise((resolve) => setTimeout(resolve, 600))
    assert.deepEqual(seats.replaced, [0])
    assert.deepEqual(warnings, [])
  })

  it('gives up a limit of memory that a new interpreter is above', async () => {
    start(undefined, 1000)
    seats.fresh = 1500
    batch(0)
    batch(1)
    await new Promise((resolve) => setTimeout(resolve, 900))
    assert.deepEqual(seats.replaced, [0])
    assert.match(warnings.join(), /'recycleAfter.memory' is 1000 bytes, but a new interpreter has 1500 already/)
  })

  it('keeps the old one where a new one does not start, says so once, and tries again later', async () => {
    start(1)
    seats.failure = new Error('no room')
    batch(0)
    await settle()
    assert.deepEqual([seats.replaced, recycler.count], [[0], 0])
    batch(0, 500)
    await settle()
    assert.deepEqual(seats.replaced, [0], 'not for each batch')
    seats.failure = undefined
    await new Promise((resolve) => setTimeout(resolve, 1100))
    assert.deepEqual([seats.replaced, recycler.count], [[0, 0], 1])
    assert.deepEqual(warnings.length, 1)
    assert.match(warnings[0]!, /could not be replaced, so the old one stays: no room/)
  })

  it('ends with the pool', async () => {
    start(1)
    seats.failure = new PoolClosedError()
    batch(0)
    await settle()
    recycler.close()
    batch(1, 5)
    await settle()
    assert.deepEqual([seats.replaced, warnings], [[0], []])
  })
})
