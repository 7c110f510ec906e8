import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { type Observable, of, Subject } from 'rxjs'
import { TestScheduler } from 'rxjs/testing'
import {
  type Aggregate,
  aggregate,
  count,
  countWindow,
  type Item,
  inWindows,
  keyBy,
  session,
  sliding,
  sum,
  timestampBy,
  tumbling,
  values,
  type WindowDefinition,
  type WindowOptions,
  type WindowResult,
} from '../../../lib/streams'
import { TestSink, VirtualClock } from '../../../lib/testing'

type Pair = readonly [key: string, at: number]

function brief({ key, start, end, value, kind, replaces = [] }: WindowResult<unknown, unknown>): string {
  const before = replaces.map((one) => ` -${one.start}..${one.end}`).join('')
  return `${key} ${start}..${end} ${value}${kind === 'final' ? '' : ` ${kind}`}${before}`
}

function counts(
  source: Observable<Pair>,
  definition: WindowDefinition,
  options?: WindowOptions<Pair, string>,
  disorder = 0,
) {
  return source.pipe(
    timestampBy(([, at]) => at, { disorder }),
    keyBy(([key]) => key),
    inWindows(definition, count(), options),
    values(),
  )
}

function all(
  items: Pair[],
  definition: WindowDefinition,
  options?: WindowOptions<Pair, string>,
  disorder = 0,
): string[] {
  const sink = new TestSink<WindowResult<number, string>>().drain(counts(of(...items), definition, options, disorder))
  if (sink.state !== 'completed') throw sink.error
  return sink.items.map(brief)
}

describe('windows', () => {
  it('tumble, by key, from the offset on', () => {
    const items: Pair[] = [
      ['a', 1],
      ['b', 2],
      ['a', 9],
      ['a', 10],
      ['a', 12],
    ]
    assert.deepEqual(all(items, tumbling(10)), ['a 0..10 2', 'b 0..10 1', 'a 10..20 2'])
    const moved = all(items, tumbling(10, { offset: 2 }))
    // Within one end, keys come in any order.
    assert.deepEqual(
      [moved[0], ...moved.slice(1, 3).sort(), moved[3]],
      ['a -8..2 1', 'a 2..12 2', 'b 2..12 1', 'a 12..22 1'],
    )
  })

  it('slide; each item is in size / slide of them', () => {
    assert.deepEqual(all([['a', 12]], sliding(10, 5)), ['a 5..15 1', 'a 10..20 1'])
    assert.deepEqual(all([['a', 0]], sliding(10, 4)), ['a -8..2 1', 'a -4..6 1', 'a 0..10 1'])
  })

  it('of sessions grow, and merge where an item closes the gap', () => {
    const items: Pair[] = [
      ['a', 0],
      ['a', 15],
      ['b', 15],
      ['a', 8],
    ]
    assert.deepEqual(all(items, session(10), {}, 20), ['a 0..25 3', 'b 15..25 1'])
    assert.deepEqual(
      all(
        [
          ['a', 0],
          ['a', 10],
        ],
        session(10),
      ),
      ['a 0..10 1', 'a 10..20 1'],
      'a gap of exactly 10 is one',
    )
  })

  it('of counts need no time', () => {
    const items: Pair[] = [
      ['a', 5],
      ['a', 1],
      ['b', 1],
      ['a', 9],
      ['a', 2],
      ['a', 3],
    ]
    assert.deepEqual(all(items, countWindow(2)), ['a 0..2 2', 'a 2..4 2'])
    assert.deepEqual(all(items, countWindow(3, { slide: 2, partial: true })), ['a 0..3 3', 'a 2..5 3', 'b 0..1 1'])
  })

  it('come with the item that brings the watermark to their end (marbles)', () => {
    const scheduler = new TestScheduler((found, wanted) => assert.deepEqual(found, wanted))
    scheduler.run(({ hot, expectObservable }) => {
      const at = (time: number): Pair => ['a', time]
      const source = hot('-a-b-c-d-|', { a: at(1), b: at(5), c: at(10), d: at(31) })
      const results = { x: 'a 0..10 2', y: 'a 10..20 1', z: 'a 30..40 1' }
      const briefly = new Subject<string>()
      counts(source, tumbling(10)).subscribe({
        next: (one) => briefly.next(brief(one)),
        complete: () => briefly.complete(),
      })
      expectObservable(briefly).toBe('-----x-y-(z|)', results)
    })
  })

  it('skip time in which nothing happens', () => {
    const started = performance.now()
    assert.deepEqual(
      all(
        [
          ['a', 0],
          ['a', 1e12],
        ],
        sliding(10, 10),
      ),
      ['a 0..10 1', 'a 1000000000000..1000000000010 1'],
    )
    assert.ok(performance.now() - started < 1000)
  })

  it('of windows: a result has the time of its window', () => {
    const sink = new TestSink<WindowResult<number, undefined>>().drain(
      of(1, 5, 11, 25, 31, 42).pipe(
        timestampBy((n) => n),
        inWindows(tumbling(10), count()),
        inWindows(
          tumbling(20),
          sum((result) => result.value),
        ),
        values(),
      ),
    )
    assert.deepEqual(sink.items.map(brief), ['undefined 0..20 3', 'undefined 20..40 2', 'undefined 40..60 1'])
  })
})

describe('late items', () => {
  it('go to the side output when their last window is over', () => {
    const late: Item<Pair, string>[] = []
    const items: Pair[] = [
      ['a', 5],
      ['a', 20],
      ['a', 9],
      ['b', 12],
    ]
    assert.deepEqual(all(items, sliding(10, 5), { late: (item) => late.push(item) }), [
      'a 0..10 1',
      'a 5..15 1',
      'a 15..25 1',
      'a 20..30 1',
    ])
    assert.deepEqual(
      late.map(({ key, time }) => [key, time]),
      [
        ['a', 9],
        ['b', 12],
      ],
    )
  })

  it('within the lateness give the result once more', () => {
    const items: Pair[] = [
      ['a', 5],
      ['a', 12],
      ['a', 6],
      ['b', 7],
      ['a', 15],
      ['a', 8],
    ]
    const late = new TestSink<Item<Pair, string>>()
    assert.deepEqual(all(items, tumbling(10), { lateness: 5, late }), [
      'a 0..10 1',
      'a 0..10 2 late',
      'b 0..10 1 late',
      'a 10..20 2',
    ])
    assert.deepEqual(
      late.items.map(({ time }) => time),
      [8],
    )
  })

  it('that extend a session take its result back', () => {
    const items: Pair[] = [
      ['a', 0],
      ['a', 30],
      ['a', 12],
      ['a', 6],
    ]
    assert.deepEqual(all(items, session(10), { lateness: 50 }), [
      'a 0..10 1',
      'a 12..22 1 late',
      'a 0..22 3 late -0..10 -12..22',
      'a 30..40 1',
    ])
  })
})

describe('early results', () => {
  it('come by the clock, for what has changed, until the window closes', async () => {
    const clock = new VirtualClock()
    const source = new Subject<Pair>()
    const sink = new TestSink<WindowResult<number, string>>().drain(
      counts(source, sliding(10, 5), { early: 100, clock }),
    )
    const take = () => sink.items.splice(0).map(brief)
    source.next(['a', 1])
    source.next(['a', 2])
    await clock.advance(99)
    assert.deepEqual(take(), [])
    await clock.advance(1)
    assert.deepEqual(take(), ['a -5..5 2 early', 'a 0..10 2 early'])
    await clock.advance(1000)
    assert.deepEqual(take(), [], 'nothing has changed')
    source.next(['a', 7])
    assert.deepEqual(take(), ['a -5..5 2'])
    await clock.advance(100)
    assert.deepEqual(take(), ['a 0..10 3 early', 'a 5..15 1 early'])
    source.complete()
    assert.deepEqual(take(), ['a 0..10 3', 'a 5..15 1'])
    assert.equal(clock.pending, 0)
  })

  for (const [name, definition, expected] of [
    ['sessions', session(10), 'a 1..12 2 early'],
    ['count windows', countWindow(5), 'a 0..2 2 early'],
  ] as const) {
    it(`of ${name}`, () => {
      const clock = new VirtualClock()
      const source = new Subject<Pair>()
      const sink = new TestSink<WindowResult<number, string>>().drain(counts(source, definition, { early: 10, clock }))
      source.next(['a', 1])
      source.next(['a', 2])
      clock.advanceSync(30)
      assert.deepEqual(sink.items.map(brief), [expected])
    })
  }
})

describe('windows in bounded memory', () => {
  it('end the stream where there are more keys than allowed', () => {
    const items: Pair[] = [
      ['a', 1],
      ['b', 1],
      ['c', 1],
    ]
    for (const definition of [tumbling(10), session(10), countWindow(3)]) {
      assert.throws(() => all(items, definition, { maxKeys: 2 }), { code: 'ERR_STATE_FULL' })
      assert.equal(all(items, definition, { maxKeys: 3 }).length, definition.type === 'count' ? 0 : 3)
    }
  })

  it('forget a key when its windows are over', () => {
    const items: Pair[] = Array.from({ length: 100 }, (_, i) => [`k${i}`, i * 10])
    for (const definition of [tumbling(10), sliding(10, 5), session(5)]) {
      assert.ok(all(items, definition, { maxKeys: 3 }).length >= 100)
    }
  })

  it('a sliding window accumulates each item once, and combines each slice a fixed number of times', () => {
    const calls = { accumulate: 0, combine: 0, deduct: 0 }
    const counting = (how: string): Aggregate<Pair, number, number> => ({
      create: () => 0,
      accumulate: (n) => ++calls.accumulate && n + 1,
      combine: (a, b) => ++calls.combine && a + b,
      finish: (n) => n,
      ...(how === 'none' ? {} : { deduct: (a: number, b: number) => deduct(a, b) }),
    })
    const deduct = (a: number, b: number) => (++calls.deduct > fails ? undefined : a - b)
    let fails = 0
    const items = Array.from({ length: 10_000 }, (_, at): Pair => ['a', at])
    for (const how of ['exact', 'failing', 'none']) {
      fails = how === 'exact' ? Number.POSITIVE_INFINITY : 5
      Object.assign(calls, { accumulate: 0, combine: 0, deduct: 0 })
      const results = new TestSink<WindowResult<number, string>>().drain(
        of(...items).pipe(
          timestampBy(([, at]) => at),
          keyBy(([key]) => key),
          inWindows(sliding(1000, 10), aggregate(counting(how))),
          values(),
        ),
      )
      assert.equal(results.items.length, 1099)
      assert.ok(results.items.slice(100, 900).every(({ value }) => value === 1000))
      assert.equal(calls.accumulate, 10_000)
      const slices = 1000
      if (how === 'exact')
        assert.ok(calls.combine <= 1.2 * slices && calls.deduct <= 1.1 * slices, JSON.stringify(calls))
      else assert.ok(calls.combine <= 6 * slices && calls.deduct <= 6, JSON.stringify(calls))
    }
  })
})

describe('options of windows', () => {
  const problems = (make: () => unknown): number => {
    try {
      make()
    } catch (error) {
      return (error as { problems?: string[] }).problems?.length ?? -1
    }
    return 0
  }

  it('are checked up front, all problems at once', () => {
    assert.equal(
      problems(() => tumbling(0, { offset: 0.5 })),
      2,
    )
    assert.equal(
      problems(() => sliding(5, 10)),
      1,
    )
    assert.equal(
      problems(() => session(undefined as never)),
      1,
    )
    assert.equal(
      problems(() => countWindow(2, { slide: 3, partial: 1 as never })),
      2,
    )
    assert.equal(
      problems(() =>
        inWindows('hour' as never, {} as never, { lateness: -1, early: 0, late: 1 as never, x: 1 } as never),
      ),
      6,
    )
    assert.equal(
      problems(() => inWindows(countWindow(2), count(), { lateness: 5 })),
      1,
    )
  })
})
