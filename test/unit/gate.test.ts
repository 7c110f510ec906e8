import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import {
  asapScheduler,
  concat,
  filter,
  type MonoTypeOperatorFunction,
  map,
  merge,
  mergeMap,
  type Observable,
  observeOn,
  repeat,
  Subject,
  share,
  tap,
  timer,
} from 'rxjs'
import { mapPython } from '../../lib/operators/mapPython'
import { fromIterable } from '../../lib/sources/fromIterable'
import { Gate, GateSet, subscribeWithin } from '../../lib/sources/gate'
import { FakeHandler, settle } from './fakeHandler'

const ITEMS = 50_000
/** What a stage with these options holds at most: 2 × concurrency × maxItems. */
const STAGE = { batch: 250, concurrency: 4 }
const ROOM = 2000

/** Counts what is between the source and the end of the stream. */
class Meter {
  pulled = 0
  delivered = 0
  most = 0

  delivers<T>(): MonoTypeOperatorFunction<T> {
    return tap(() => {
      this.delivered++
    })
  }

  *numbers(count = ITEMS): Generator<number> {
    for (let i = 0; i < count; i++) {
      this.pulled++
      this.most = Math.max(this.most, this.pulled - this.delivered)
      yield i
    }
  }
}

function python(): MonoTypeOperatorFunction<number> {
  return mapPython(new FakeHandler({ answer: (items) => items }).typed<number, number>(), STAGE)
}

function run<T>(stream: Observable<T>): Promise<T[]> {
  return new Promise((resolve, reject) => {
    const values: T[] = []
    stream.subscribe({ next: (value) => values.push(value), error: reject, complete: () => resolve(values) })
  })
}

describe('gates keep a pull source within the room of a stage', () => {
  const numbers = Array.from({ length: ITEMS }, (_, i) => i)

  it('directly', async () => {
    const meter = new Meter()
    const values = await run(fromIterable(meter.numbers()).pipe(python(), meter.delivers()))
    assert.deepEqual(values, numbers)
    assert.ok(meter.most <= ROOM && meter.most > ROOM / 4, `${meter.most} items`)
  })

  it('through map and filter', async () => {
    const meter = new Meter()
    const stream = fromIterable(meter.numbers()).pipe(
      map((n) => n * 2),
      filter((n) => n >= 0),
      python(),
      meter.delivers(),
    )
    assert.equal((await run(stream)).length, ITEMS)
    assert.ok(meter.most <= ROOM, `${meter.most} items`)
  })

  it('through merge, all sources getting their share', async () => {
    const meter = new Meter()
    const done: number[] = []
    const sources = [0, 1, 2].map((k) =>
      fromIterable(meter.numbers(ITEMS / 4)).pipe(
        map(() => k),
        tap({ complete: () => done.push(meter.delivered) }),
      ),
    )
    const values = await run(merge(...sources).pipe(python(), meter.delivers()))
    assert.equal(values.length, (ITEMS / 4) * 3)
    assert.ok(meter.most <= ROOM, `${meter.most} items`)
    for (const k of [0, 1, 2]) {
      const early = values.slice(0, ITEMS / 4).filter((value) => value === k).length
      assert.ok(early > ITEMS / 24, `source ${k} had ${early} of the first ${ITEMS / 4} items`)
    }
  })

  it('through mergeMap, whose inner sources start while items flow', async () => {
    const meter = new Meter()
    const stream = fromIterable([0, 1, 2, 3]).pipe(
      mergeMap(() => fromIterable(meter.numbers(ITEMS / 4))),
      python(),
      meter.delivers(),
    )
    assert.equal((await run(stream)).length, ITEMS)
    assert.ok(meter.most <= ROOM, `${meter.most} items`)
  })

  it('through concat and repeat, where the next source starts when the one before ends', async () => {
    const meter = new Meter()
    const source = fromIterable(() => meter.numbers(ITEMS / 8)).pipe(repeat(2))
    assert.equal((await run(concat(source, source).pipe(python(), meter.delivers()))).length, ITEMS / 2)
    assert.ok(meter.most <= ROOM, `${meter.most} items`)
  })

  it('in a source that is subscribed by a timer, out of any scope', async () => {
    const meter = new Meter()
    const stream = timer(1).pipe(
      mergeMap(() => fromIterable(meter.numbers())),
      python(),
      meter.delivers(),
    )
    assert.equal((await run(stream)).length, ITEMS)
    assert.ok(meter.most <= ROOM, `${meter.most} items`)
  })

  /** Answers its calls one by one, a millisecond apart. */
  function slow(): { handler: FakeHandler; stop: () => void } {
    const handler = new FakeHandler()
    let answered = 0
    const timer = setInterval(() => {
      const call = handler.calls[answered]
      if (call === undefined) return
      answered++
      call.resolve(call.items)
    }, 1)
    return { handler, stop: () => clearInterval(timer) }
  }

  for (const [name, between, room] of [
    ['a source', (source: Observable<number>) => source, ROOM],
    ['a stage', (source: Observable<number>) => source.pipe(python()), 2 * ROOM],
  ] as const) {
    it(`through share after ${name}, for the slowest of the stages behind it`, async () => {
      const meter = new Meter()
      const shared = between(fromIterable(meter.numbers(ITEMS / 5))).pipe(share())
      const { handler, stop } = slow()
      // The fast stage subscribes first: what is shared is subscribed within its scope, and not again for the slow one.
      const fast = shared.pipe(python())
      const late = shared.pipe(mapPython(handler.typed<number, number>(), STAGE), meter.delivers())
      const values = await run(merge(fast, late))
      stop()
      assert.equal(values.length, (ITEMS / 5) * 2)
      assert.ok(meter.most <= room, `${meter.most} items`)
    })
  }

  it('also where batches fail and are taken apart', async () => {
    const meter = new Meter()
    const handler = new FakeHandler({
      answer: (items) => {
        if (items.some((n) => (n as number) % 500 === 0)) throw new Error('no')
        return items
      },
    })
    const stream = fromIterable(meter.numbers()).pipe(
      mapPython(handler.typed<number, number>(), { ...STAGE, isolateErrors: true, onError: (_, items) => items }),
      meter.delivers(),
    )
    assert.deepEqual(await run(stream), numbers)
    assert.ok(meter.most <= ROOM, `${meter.most} items`)
  })

  it('and a stage sends nothing more to Python while the stage behind it is full', async () => {
    const first = new FakeHandler({ answer: (items) => items })
    const second = new FakeHandler()
    // Full batches only: a busy machine must not cut them sooner, by time.
    const batch = { maxItems: 10, maxWait: 60_000 }
    const subscription = fromIterable(numbers)
      .pipe(
        mapPython(first.typed<number, number>(), { batch, concurrency: 1 }),
        mapPython(second.typed<number, number>(), { batch, concurrency: 1 }),
      )
      .subscribe()
    await settle(30)
    // The second holds 20; the first has at most one batch that came back too late to go on.
    assert.equal(first.calls.length, 2)
    subscription.unsubscribe()
  })

  it('through a Subject that connects two streams', async () => {
    const meter = new Meter()
    const subject = new Subject<number>()
    const result = run(subject.pipe(python(), meter.delivers()))
    fromIterable(meter.numbers()).subscribe(subject)
    assert.equal((await result).length, ITEMS)
    assert.ok(meter.most <= ROOM, `${meter.most} items`)
  })

  it('in two stages in a row, of which the second is slow and expands nothing beyond its room', async () => {
    const meter = new Meter()
    const stream = fromIterable(meter.numbers()).pipe(python(), python(), meter.delivers())
    assert.deepEqual(await run(stream), numbers)
    assert.ok(meter.most <= 2 * ROOM, `${meter.most} items`)
  })

  it('never overflows a small second stage, although the first gives large batches', async () => {
    const first = new FakeHandler({ answer: (items) => items })
    const second = new FakeHandler({ answer: (items) => items })
    const stream = fromIterable(numbers.slice(0, 5000)).pipe(
      mapPython(first.typed<number, number>(), { batch: 1000 }),
      mapPython(second.typed<number, number>(), { batch: 16, bufferSize: 20 }),
    )
    assert.deepEqual(await run(stream), numbers.slice(0, 5000))
  })

  it('and nothing is lost or stuck where an operator passes items on later', async () => {
    const meter = new Meter()
    const stream = fromIterable(meter.numbers(10_000)).pipe(observeOn(asapScheduler), python(), meter.delivers())
    assert.equal((await run(stream)).length, 10_000)
  })

  it('does not wait for itself where stages form a circle', async () => {
    const again = new Subject<number>()
    const seen: number[] = []
    const handler = new FakeHandler({ answer: (items) => items })
    const options = { batch: 2, concurrency: 1, bufferSize: 1000 }
    await new Promise<void>((resolve, reject) => {
      merge(fromIterable([5, 5, 5, 5, 5, 5, 5, 5]), again)
        .pipe(mapPython(handler.typed<number, number>(), options), mapPython(handler.typed<number, number>(), options))
        .subscribe({
          next: (n) => {
            seen.push(n)
            if (n > 0) again.next(n - 1)
            if (seen.length === 48) resolve()
          },
          error: reject,
        })
    })
    assert.equal(seen.filter((n) => n === 0).length, 8)
  })
})

describe('Gate and GateSet', () => {
  function within(gates: Gate[], onOpen: () => void = () => {}): GateSet {
    const set = new GateSet(onOpen)
    for (const gate of gates) set.add(gate)
    return set
  }

  it('opens when the last of several gates does, once, in a microtask', async () => {
    const [a, b] = [new Gate(), new Gate()]
    let opened = 0
    const set = within([a, b], () => opened++)
    a.close()
    b.close()
    b.close()
    assert.equal(set.closed, 2)
    a.open()
    assert.equal(set.closed, 1)
    b.open()
    b.open()
    assert.equal(opened, 0)
    await Promise.resolve()
    assert.equal(opened, 1)
  })

  it('does not wake who has been stopped again meanwhile, and does later', async () => {
    const gate = new Gate()
    let opened = 0
    within([gate], () => opened++)
    gate.close()
    gate.open()
    gate.close()
    await Promise.resolve()
    assert.equal(opened, 0)
    gate.open()
    await Promise.resolve()
    assert.equal(opened, 1)
  })

  it('lets everybody go when its stage ends', async () => {
    const gate = new Gate()
    let opened = 0
    const set = within([gate], () => opened++)
    gate.close()
    gate.dispose()
    assert.equal(set.closed, 0)
    await Promise.resolve()
    assert.equal(opened, 1)
    gate.close()
    assert.equal(set.closed, 0)
    assert.equal(within([gate]).closed, 0)
  })

  it('forgets who is gone', async () => {
    const gate = new Gate()
    let opened = 0
    const set = within([gate], () => opened++)
    gate.close()
    set.dispose()
    gate.open()
    await Promise.resolve()
    assert.equal(opened, 0)
    assert.equal(set.closed, 0)
  })

  it('is in scope for what is subscribed, and no longer', () => {
    const gate = new Gate()
    gate.close()
    let inside: GateSet | undefined
    assert.throws(
      () =>
        subscribeWithin(gate, () => {
          inside = new GateSet(() => {})
          throw new Error('a source that cannot be subscribed')
        }),
      /cannot be subscribed/,
    )
    assert.equal(inside?.closed, 1)
    assert.equal(new GateSet(() => {}).closed, 0)
  })
})
