import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { filter, from, map, mergeMap, of, Subject, take } from 'rxjs'
import { AsyncTimeoutError, fromIterable } from '../../../lib'
import { type AsyncCall, keyBy, mapAsync, type StreamEvent, throughItems, timestampBy } from '../../../lib/streams'
import { TestSink, TestSource, VirtualClock } from '../../../lib/testing'

/** A service whose answers come when the test says so. */
class Service {
  readonly calls: {
    value: number
    about: AsyncCall
    answer: (result: string) => void
    fail: (error: unknown) => void
  }[] = []

  readonly call = (value: number, about: AsyncCall): Promise<string> =>
    new Promise((answer, fail) => this.calls.push({ value, about, answer, fail }))
}

const settle = () => new Promise(setImmediate)

describe('mapAsync', () => {
  it('has at most `concurrency` calls under way, and results in order', async () => {
    const service = new Service()
    const sink = new TestSink<string>().drain(of(1, 2, 3, 4).pipe(mapAsync(service.call, { concurrency: 2 })))
    assert.equal(service.calls.length, 2)
    service.calls[1]!.answer('two')
    await settle()
    assert.deepEqual([sink.items, service.calls.length], [[], 3])
    service.calls[0]!.answer('one')
    await settle()
    assert.deepEqual([sink.items, service.calls.length], [['one', 'two'], 4])
    service.calls[3]!.answer('four')
    service.calls[2]!.answer('three')
    assert.deepEqual(await sink.all(), ['one', 'two', 'three', 'four'])
  })

  it('with ordered: false gives results as they come', async () => {
    const service = new Service()
    const sink = new TestSink<string>().drain(of(1, 2).pipe(mapAsync(service.call, { ordered: false })))
    service.calls[1]!.answer('two')
    await settle()
    service.calls[0]!.answer('one')
    assert.deepEqual(await sink.all(), ['two', 'one'])
  })

  it("holds a slow item's followers in bounded room", async () => {
    const service = new Service()
    new TestSink<string>().drain(of(...Array(100).keys()).pipe(mapAsync(service.call, { concurrency: 2 })))
    for (let i = 1; i < service.calls.length; i++) {
      service.calls[i]!.answer('later')
      await settle()
    }
    assert.equal(service.calls.length, 8)
  })

  it("takes plain values, and what is thrown is the stream's error", async () => {
    assert.deepEqual(await new TestSink<number>().drain(of(1, 2).pipe(mapAsync((n) => n * 2))).all(), [2, 4])
    const error = new Error('no')
    const failing = mapAsync(() => {
      throw error
    })
    await assert.rejects(new TestSink().drain(of(1).pipe(failing)).all(), error)
  })

  it('tries again, with growing delays, what `when` thinks worth it', async () => {
    const clock = new VirtualClock()
    const service = new Service()
    const when = (error: unknown) => (error as Error).message !== 'fatal'
    const retry = { count: 5, delay: 100, factor: 3, maxDelay: 500, when }
    const sink = new TestSink<string>().drain(of(7).pipe(mapAsync(service.call, { retry, clock })))
    const times: number[] = []
    for (let i = 0; i < 4; i++) {
      service.calls[i]!.fail(new Error('busy'))
      await settle()
      while (service.calls.length === i + 1) await clock.advance(1)
      times.push(clock.now())
    }
    assert.deepEqual(times, [100, 400, 900, 1400])
    assert.deepEqual(
      service.calls.map(({ about }) => about.attempt),
      [1, 2, 3, 4, 5],
    )
    service.calls[4]!.fail(new Error('fatal'))
    await assert.rejects(sink.all(), { message: 'fatal' })
  })

  it('counts an attempt without an answer in time as failed, and tells the call', async () => {
    const clock = new VirtualClock()
    const service = new Service()
    const options = {
      timeout: 50,
      retry: { count: 1, delay: 0 },
      clock,
      fallback: (error: unknown) => String((error as { code: string }).code),
    }
    const sink = new TestSink<string>().drain(of(1).pipe(mapAsync(service.call, options)))
    await clock.advance(50)
    assert.ok(service.calls[0]!.about.signal.reason instanceof AsyncTimeoutError)
    service.calls[0]!.answer('too late')
    await clock.advance(50)
    assert.equal(service.calls.length, 2)
    assert.deepEqual(await sink.all(), ['ERR_ASYNC_TIMEOUT'])
    assert.equal(clock.pending, 0)
  })

  it('aborts its calls when nobody wants the results', async () => {
    const service = new Service()
    new TestSink<string>().drain(of(1, 2).pipe(mapAsync(service.call, { ordered: false }), take(1)))
    service.calls[0]!.answer('enough')
    await settle()
    assert.deepEqual(
      service.calls.map(({ about }) => about.signal.aborted),
      [false, true],
    )
  })

  it('keeps a pull source from running ahead', async () => {
    let pulled = 0
    let done = 0
    let most = 0
    function* numbers() {
      for (let i = 0; i < 500; i++) {
        most = Math.max(most, ++pulled - done)
        yield i
      }
    }
    const slow = mapAsync(
      async (n: number) => {
        await settle()
        done++
        return n
      },
      { concurrency: 3 },
    )
    assert.equal((await new TestSink<number>().drain(fromIterable(numbers()).pipe(slow)).all()).length, 500)
    assert.ok(most <= 8, `${most}`)
  })

  it('ends where a source that cannot be stopped sends too much', async () => {
    const sink = new TestSink().drain(
      of(1, 2, 3, 4).pipe(mapAsync(new Service().call, { concurrency: 1, bufferSize: 2 })),
    )
    assert.equal((sink.error as { code: string }).code, 'ERR_OVERFLOW')
  })

  it('checks its options up front', () => {
    const wrong = { concurrency: 0, retry: { count: -1, factor: 0, again: 1 }, timeout: 0, fallback: 1 } as never
    assert.throws(
      () => mapAsync('fetch' as never, wrong),
      (e: { problems: string[] }) => e.problems.length === 7,
    )
  })
})

describe('throughItems', () => {
  const brief = (events: readonly StreamEvent<unknown, unknown>[]) =>
    events
      .map((e) => (e.kind === 'item' ? `${e.key}${e.time}:${e.value}` : e.kind === 'watermark' ? `w${e.time}` : 'b'))
      .join(' ')

  it('keeps times, keys, and the place of watermarks among items that are on their way', async () => {
    const service = new Service()
    const source = new Subject<number>()
    const sink = new TestSink<StreamEvent<string, string>>().drain(
      source.pipe(
        timestampBy((n) => n),
        keyBy((n) => (n % 2 ? 'odd' : 'even')),
        throughItems(mapAsync(service.call)),
      ),
    )
    for (const n of [1, 2, 3]) source.next(n)
    service.calls[1]!.answer('two')
    await settle()
    assert.equal(brief(sink.items), '')
    service.calls[0]!.answer('one')
    await settle()
    assert.equal(brief(sink.items), 'odd1:one w1 even2:two w2')
    source.complete()
    service.calls[2]!.answer('three')
    await sink.all()
    assert.equal(brief(sink.items), 'odd1:one w1 even2:two w2 odd3:three w3 wInfinity')
  })

  for (const [name, operator] of [
    ['fewer', filter((n: number) => n > 1)],
    ['more', mergeMap((n: number) => [n, n])],
  ] as const) {
    it(`an operator that gives ${name} results than items is an error`, () => {
      const sink = new TestSink().drain(
        from([1, 2]).pipe(
          timestampBy((n) => n),
          throughItems(operator),
        ),
      )
      assert.equal((sink.error as { code: string }).code, 'ERR_ITEM_COUNT')
    })
  }

  it('works with plain operators', () => {
    const sink = new TestSink<StreamEvent<number>>().drain(
      from([1, 2]).pipe(
        timestampBy((n) => n),
        throughItems(map((n) => n * 2)),
      ),
    )
    assert.equal(brief(sink.items), 'undefined1:2 w1 undefined2:4 w2 wInfinity')
  })
})

describe('testing', () => {
  it('TestSource plays its script, and goes on behind an abort', async () => {
    const clock = new VirtualClock()
    const ran: number[] = []
    const source = new TestSource<string>(
      [
        { items: ['a', 'b'] },
        { pause: 100 },
        { run: () => ran.push(clock.now()) },
        { abort: new Error('cut') },
        { items: ['c'] },
      ],
      clock,
    )
    const first = new TestSink<string>().drain(source)
    assert.deepEqual(await first.take(2), ['a', 'b'])
    await clock.advance(100)
    await assert.rejects(first.all(), { message: 'cut' })
    assert.deepEqual(ran, [100])
    assert.deepEqual(await new TestSink<string>().drain(source).all(), ['c'])
    assert.deepEqual([source.subscriptions, source.unsubscriptions], [2, 2])
  })

  it('TestSink tells what it waited for in vain, and fails as told', async () => {
    await assert.rejects(new TestSink().drain(of(1)).take(2), /completed with 1 items, before 2 items/)
    const sink = new TestSink<number>((n) => {
      if (n === 2) throw new Error('disk full')
    })
    await assert.rejects(sink.drain(of(1, 2, 3)).all(), { message: 'disk full' })
    assert.deepEqual(sink.items, [1])
  })

  it('VirtualClock runs timers in their order, also those set meanwhile', async () => {
    const clock = new VirtualClock(1000)
    const ran: string[] = []
    clock.setTimeout(() => ran.push(`b${clock.now()}`), 20)
    clock.setTimeout(() => {
      ran.push(`a${clock.now()}`)
      clock.setTimeout(() => ran.push(`c${clock.now()}`), 15)
    }, 10)
    clock.clearTimeout(clock.setTimeout(() => ran.push('never'), 5))
    await clock.advance(30)
    assert.deepEqual(ran, ['a1010', 'b1020', 'c1025'])
    assert.equal(clock.now(), 1030)
  })
})
