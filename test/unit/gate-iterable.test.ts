import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { config, lastValueFrom, type Subscription, take, toArray } from 'rxjs'
import { mapPython } from '../../lib/operators/mapPython'
import { fromIterable } from '../../lib/sources/fromIterable'
import { Gate, subscribeWithin } from '../../lib/sources/gate'
import { FakeHandler, Recorder, settle, sleep } from './fakeHandler'

function* count(to: number, log: string[] = []): Generator<number> {
  try {
    for (let i = 0; i < to; i++) yield i
    log.push('finished')
  } finally {
    log.push('closed')
  }
}

async function* countLater(to: number, log: string[] = []): AsyncGenerator<number> {
  try {
    for (let i = 0; i < to; i++) yield i
    log.push('finished')
  } finally {
    log.push('closed')
  }
}

function all<T>(input: Parameters<typeof fromIterable<T>>[0]): Promise<T[]> {
  return lastValueFrom(fromIterable(input).pipe(toArray()))
}

describe('fromIterable', () => {
  it('takes arrays, sets, texts, generators, async generators, and functions that make one', async () => {
    assert.deepEqual(await all([1, 2]), [1, 2])
    assert.deepEqual(await all(new Set([1, 2])), [1, 2])
    assert.deepEqual(await all('a😀'), ['a', '😀'])
    assert.deepEqual(await all(count(3)), [0, 1, 2])
    assert.deepEqual(await all(countLater(3)), [0, 1, 2])
    assert.deepEqual(await all(() => count(3)), [0, 1, 2])
    assert.deepEqual(await all(() => countLater(3)), [0, 1, 2])
    assert.deepEqual(await all([]), [])
  })

  it('starts after the subscription, so nothing comes while subscribing', async () => {
    const recorder = new Recorder<number>()
    fromIterable([1, 2]).subscribe(recorder.observer)
    assert.deepEqual(recorder.values, [])
    await recorder.ended
    assert.deepEqual(recorder.values, [1, 2])
  })

  it('runs a function for each subscription', async () => {
    const source = fromIterable(() => count(2))
    assert.deepEqual(await lastValueFrom(source.pipe(toArray())), [0, 1])
    assert.deepEqual(await lastValueFrom(source.pipe(toArray())), [0, 1])
  })

  for (const [name, make] of [
    ['generator', count],
    ['async generator', countLater],
  ] as const) {
    it(`closes a ${name} when the subscriber has enough`, async () => {
      const log: string[] = []
      const values = await lastValueFrom(fromIterable<number>(make(1e9, log)).pipe(take(3), toArray()))
      await settle()
      assert.deepEqual(values, [0, 1, 2])
      assert.deepEqual(log, ['closed'])
    })

    it(`does not close a ${name} that has ended`, async () => {
      const log: string[] = []
      await all<number>(make(2, log))
      assert.deepEqual(log, ['finished', 'closed'])
    })

    it(`closes a ${name} that a full stage has stopped`, async () => {
      const log: string[] = []
      const handler = new FakeHandler()
      const subscription = fromIterable<number>(make(1e9, log))
        .pipe(mapPython(handler.typed<number, number>(), { batch: 2 }))
        .subscribe()
      await settle()
      assert.equal(handler.calls.length, 2)
      subscription.unsubscribe()
      await settle()
      assert.deepEqual(log, ['closed'])
    })
  }

  it('passes on what next() throws, without asking such an iterator to return', async () => {
    let returned = 0
    const iterator = {
      i: 0,
      next(): IteratorResult<number> {
        if (this.i++ === 2) throw new Error('disk gone')
        return { done: false, value: this.i }
      },
      return(): IteratorResult<number> {
        returned++
        return { done: true, value: undefined }
      },
      [Symbol.iterator]() {
        return this
      },
    }
    const recorder = new Recorder<number>()
    fromIterable(iterator).subscribe(recorder.observer)
    await recorder.ended
    assert.deepEqual(recorder.values, [1, 2])
    assert.match(String(recorder.error), /disk gone/)
    assert.equal(returned, 0)
  })

  it('passes on what an async next() rejects with, and what the function throws', async () => {
    await assert.rejects(
      all(async function* () {
        yield 1
        throw new Error('cursor lost')
      }),
      /cursor lost/,
    )
    await assert.rejects(
      all(() => {
        throw new Error('no such file')
      }),
      /no such file/,
    )
  })

  it('survives being unsubscribed from within the generator', async () => {
    const log: string[] = []
    const seen: number[] = []
    let subscription: Subscription | undefined
    function* selfish() {
      try {
        yield 1
        subscription?.unsubscribe()
        yield 2
      } finally {
        log.push('closed')
      }
    }
    subscription = fromIterable(selfish()).subscribe((n) => seen.push(n))
    await settle()
    assert.deepEqual(seen, [1])
    assert.deepEqual(log, ['closed'])
  })

  it('asks an async iterator to return while it waits for an item', async () => {
    let returned = 0
    const iterable = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<IteratorResult<number>>(() => {}),
        return: async () => {
          returned++
          return { done: true as const, value: undefined }
        },
      }),
    }
    const subscription = fromIterable(iterable).subscribe()
    await settle()
    subscription.unsubscribe()
    subscription.unsubscribe()
    assert.equal(returned, 1)
  })

  it('reports a clean-up that fails after everybody has left', async () => {
    const reported: unknown[] = []
    config.onUnhandledError = (error) => reported.push(error)
    try {
      await lastValueFrom(
        fromIterable(
          (async function* () {
            try {
              yield 1
              yield 2
            } finally {
              // biome-ignore lint/correctness/noUnsafeFinally: what a broken source does
              throw new Error('cannot close')
            }
          })(),
        ).pipe(take(1)),
      )
      await settle()
    } finally {
      config.onUnhandledError = null
    }
    assert.match(String(reported[0]), /cannot close/)
    assert.equal(reported.length, 1)
  })

  for (const [name, make] of [
    ['endless iterable', () => count(Infinity)],
    ['endless async iterable', () => countLater(Infinity)],
  ] as const) {
    it(`lets timers run while it goes over an ${name}`, async () => {
      const subscription = fromIterable<number>(make).subscribe()
      let worst = 0
      for (let i = 0; i < 10; i++) {
        const before = performance.now()
        await sleep(1)
        worst = Math.max(worst, performance.now() - before)
      }
      subscription.unsubscribe()
      assert.ok(worst < 1000, `a 1 ms timer took ${worst} ms`)
    })
  }

  it('lets timers run although a stage opens and closes within microtasks for ever', async () => {
    const handler = new FakeHandler()
    handler.call = async (items) => [...items]
    const subscription = fromIterable(() => count(Infinity))
      .pipe(mapPython(handler.typed<number, number>(), { batch: 8 }))
      .subscribe()
    await sleep(5)
    subscription.unsubscribe()
  })

  it('goes on when a gate opens just as the loop over an async iterable has left off', async () => {
    const gate = new Gate()
    const recorder = new Recorder<number>()
    subscribeWithin(gate, () => {
      fromIterable<number>(() => countLater(3)).subscribe({
        ...recorder.observer,
        next: (n) => {
          recorder.next(n)
          queueMicrotask(() => gate.open())
          gate.close()
          gate.open()
          gate.close()
        },
      })
    })
    await settle(10)
    assert.deepEqual(recorder.values, [0, 1, 2])
    assert.equal(recorder.state, 'completed')
  })

  it('yields after each item where items take long', async () => {
    function* slow() {
      for (;;) {
        const until = performance.now() + 3
        while (performance.now() < until);
        yield 1
      }
    }
    const subscription = fromIterable(slow).subscribe()
    let turns = 0
    for (const until = performance.now() + 100; performance.now() < until; turns++) await settle(1)
    subscription.unsubscribe()
    assert.ok(turns >= 3, `${turns} turns of the event loop in 100 ms`)
  })
})
