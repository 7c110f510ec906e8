import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { concat, from, map, NEVER, of, Subject, tap } from 'rxjs'
import { fromIterable } from '../../../lib'
import {
  Barrier,
  coGroup,
  type EventStream,
  filterItems,
  flatMapItems,
  hashJoin,
  Item,
  type JoinKind,
  keyBy,
  mapItems,
  mergeEvents,
  type StreamEvent,
  session,
  sliding,
  streamJoin,
  type TableChange,
  timestampBy,
  tumbling,
  values,
  Watermark,
} from '../../../lib/streams'
import { TestSink } from '../../../lib/testing'

interface Event {
  key: string
  time: number
  id: string
}

const keyed = (events: readonly Event[], disorder = 0) =>
  from(events).pipe(
    timestampBy((event) => event.time, { disorder }),
    keyBy((event) => event.key),
  )

const events = (prefix: string) =>
  fc
    .array(fc.record({ key: fc.constantFrom('a', 'b'), time: fc.integer({ min: 0, max: 50 }) }), { maxLength: 15 })
    .map((list) => list.map((event, index) => ({ ...event, id: `${prefix}${index}` })))

/** Every pair, looked for among all. */
function expectedPairs(left: Event[], right: Event[], size: number, kind: JoinKind): string[] {
  const together = (a: Event, b: Event) => a.key === b.key && Math.floor(a.time / size) === Math.floor(b.time / size)
  const pairs = left.flatMap((a) => right.filter((b) => together(a, b)).map((b) => `${a.id} ${b.id}`))
  const alone = (list: Event[], others: Event[]) => list.filter((a) => !others.some((b) => together(a, b)))
  if (kind === 'left' || kind === 'outer') pairs.push(...alone(left, right).map(({ id }) => `${id} -`))
  if (kind === 'right' || kind === 'outer') pairs.push(...alone(right, left).map(({ id }) => `- ${id}`))
  return pairs.sort()
}

describe('streamJoin', () => {
  for (const kind of ['inner', 'left', 'right', 'outer'] as const) {
    it(`${kind}: the pairs that a search finds, whatever the disorder`, () => {
      fc.assert(
        fc.property(events('l'), events('r'), (left, right) => {
          const select = (a?: Event, b?: Event) => `${a?.id ?? '-'} ${b?.id ?? '-'}`
          const joined = keyed(left, 50).pipe(streamJoin(keyed(right, 50), tumbling(10), { kind, select }), values())
          const sink = new TestSink<string>().drain(joined)
          assert.equal(sink.state, 'completed')
          assert.deepEqual(sink.items.sort(), expectedPairs(left, right, 10, kind))
        }),
      )
    })
  }

  it('waits for the slower of the two, and tells what was late', () => {
    const [left, right] = [new Subject<Event>(), new Subject<Event>()]
    const stamp = (source: Subject<Event>): EventStream<Event, string> =>
      source.pipe(
        timestampBy((event) => event.time),
        keyBy((event) => event.key),
      )
    const late: unknown[] = []
    const sink = new TestSink<{ left?: Event; right?: Event }>().drain(
      stamp(left).pipe(
        streamJoin(stamp(right), session(10), { kind: 'outer', late: ({ value }) => late.push(value) }),
        values(),
      ),
    )
    left.next({ key: 'a', time: 1, id: 'l' })
    left.next({ key: 'a', time: 100, id: 'l2' })
    assert.equal(sink.items.length, 0, 'the right side may still send')
    right.next({ key: 'a', time: 5, id: 'r' })
    right.next({ key: 'a', time: 60, id: 'r2' })
    assert.deepEqual(
      sink.items.map((pair) => [pair.left?.id, pair.right?.id]),
      [['l', 'r']],
    )
    right.next({ key: 'a', time: 2, id: 'r3' })
    assert.deepEqual(late, [{ side: 'right', value: { key: 'a', time: 2, id: 'r3' } }])
  })

  it('checks its options', () => {
    const wrong = { kind: 'full', lateness: 5 } as never
    assert.throws(
      () => streamJoin({} as never, sliding(10, 5), wrong),
      (e: { problems: string[] }) => e.problems.length === 4,
    )
  })
})

describe('coGroup', () => {
  it('gives both lists of each key and window', () => {
    const left: Event[] = [
      { key: 'a', time: 1, id: 'l1' },
      { key: 'a', time: 12, id: 'l2' },
    ]
    const right: Event[] = [
      { key: 'a', time: 2, id: 'r1' },
      { key: 'b', time: 3, id: 'r2' },
    ]
    const ids = (list: Event[]) => list.map(({ id }) => id).join()
    const grouped = keyed(left).pipe(
      coGroup(keyed(right), tumbling(10), (l: Event[], r: Event[], key) => `${key}: ${ids(l)} | ${ids(r)}`),
      values(),
    )
    const sink = new TestSink<{ value: string; end: number }>().drain(grouped)
    assert.deepEqual(
      sink.items.map(({ value, end }) => [end, value]),
      [
        [10, 'a: l1 | r1'],
        [10, 'b:  | r2'],
        [20, 'a: l2 | '],
      ],
    )
  })
})

describe('hashJoin', () => {
  const people = () =>
    from([
      { id: 1, time: 1 },
      { id: 2, time: 2 },
      { id: 3, time: 3 },
    ]).pipe(timestampBy(({ time }) => time))
  const names = new Map([
    [1, 'Ada'],
    [2, 'Bob'],
  ])
  const row = (value: { id: number }, name: string | undefined) => `${value.id} ${name}`

  it('enriches from a map: left keeps what has no row, inner drops it', () => {
    const on = (value: { id: number }) => value.id
    const left = new TestSink<string>().drain(people().pipe(hashJoin(names, { on, select: row }), values()))
    assert.deepEqual(left.items, ['1 Ada', '2 Bob', '3 undefined'])
    const inner = new TestSink<unknown>().drain(people().pipe(hashJoin(names, { on, kind: 'inner' }), values()))
    assert.deepEqual(inner.items, [
      { value: { id: 1, time: 1 }, row: 'Ada' },
      { value: { id: 2, time: 2 }, row: 'Bob' },
    ])
  })

  it('waits for a table that is still coming; a pull source is not pulled meanwhile', async () => {
    const table = new Subject<TableChange<number, string>>()
    let pulled = 0
    const source = fromIterable([1, 2, 3]).pipe(
      tap(() => pulled++),
      map((id) => ({ id, time: id })),
      timestampBy(({ time }) => time),
    )
    const sink = new TestSink<string>().drain(
      source.pipe(hashJoin(table, { on: ({ id }) => id, select: row }), values()),
    )
    await new Promise(setImmediate)
    assert.equal(pulled, 0)
    table.next({ key: 1, row: 'Ada' })
    table.complete()
    assert.deepEqual(await sink.all(), ['1 Ada', '2 undefined', '3 undefined'])
  })

  it('follows a table that changes', () => {
    const table = new Subject<TableChange<number, string>>()
    const ready = new Subject<void>()
    const source = new Subject<number>()
    const stream = source.pipe(
      map((id) => ({ id, time: id })),
      timestampBy(({ time }) => time),
    )
    const sink = new TestSink<string>().drain(
      stream.pipe(hashJoin(table, { on: ({ id }) => id, select: row, ready }), values()),
    )
    source.next(1)
    table.next({ key: 1, row: 'Ada' })
    assert.deepEqual(sink.items, [])
    ready.next()
    assert.deepEqual(sink.items, ['1 Ada'])
    table.next({ key: 1, row: 'Eve' })
    source.next(1)
    table.next({ key: 1, row: undefined })
    source.next(1)
    assert.deepEqual(sink.items, ['1 Ada', '1 Eve', '1 undefined'])
    source.complete()
    assert.equal(sink.state, 'completed')
    assert.equal(table.observed, false)
  })

  it("ends with the table's error, or where too much waits for it", () => {
    const failing = new Subject<TableChange<number, string>>()
    const on = (value: { id: number }) => value.id
    const sink = new TestSink().drain(concat(people(), NEVER).pipe(hashJoin(failing, { on })))
    failing.error(new Error('no table'))
    assert.equal((sink.error as Error).message, 'no table')
    const full = new TestSink().drain(people().pipe(hashJoin(NEVER, { on, bufferSize: 2 })))
    assert.equal((full.error as { code: string }).code, 'ERR_OVERFLOW')
  })

  it('checks its options', () => {
    const wrong = { kind: 'outer', ready: 'soon' } as never
    assert.throws(
      () => hashJoin([] as never, wrong),
      (e: { problems: string[] }) => e.problems.length === 4,
    )
  })
})

describe('mergeEvents', () => {
  const brief = (events: readonly StreamEvent<string>[]) =>
    events.map((e) => (e.kind === 'item' ? e.value : e.kind === 'watermark' ? `w${e.time}` : `b${e.epoch}`)).join(' ')

  it('has the watermark of the slowest, and lets barriers through when all have sent theirs', () => {
    const [a, b] = [new Subject<StreamEvent<string>>(), new Subject<StreamEvent<string>>()]
    const sink = new TestSink<StreamEvent<string>>().drain(mergeEvents(a, b))
    const item = (value: string) => new Item(value, 0, undefined)
    a.next(new Watermark(5))
    b.next(new Watermark(3))
    a.next(new Barrier(1))
    a.next(item('a2'))
    a.next(new Watermark(9))
    b.next(item('b1'))
    assert.equal(brief(sink.items), 'w3 b1')
    b.next(new Barrier(1))
    b.next(new Watermark(7))
    assert.equal(brief(sink.items), 'w3 b1 b1 a2 w7')
    b.complete()
    assert.equal(brief(sink.items), 'w3 b1 b1 a2 w7 w9')
    a.next(new Barrier(2))
    a.complete()
    assert.equal(brief(sink.items), 'w3 b1 b1 a2 w7 w9 b2 wInfinity')
    assert.equal(sink.state, 'completed')
  })
})

describe('items', () => {
  it('map, filter and flatMap keep time and key', () => {
    const events = of(1, 2, 3).pipe(
      timestampBy((n) => n * 10),
      keyBy((n) => n % 2),
      filterItems((_n, key) => key === 1),
      mapItems((n, key, time) => `${n} ${key} ${time}`),
      flatMapItems((text) => [text, text]),
    )
    const sink = new TestSink<StreamEvent<string, number>>().drain(events)
    const items = sink.items.filter((event) => event.kind === 'item')
    assert.deepEqual(
      items.map(({ value, time, key }) => [value, time, key]),
      [
        ['1 1 10', 10, 1],
        ['1 1 10', 10, 1],
        ['3 1 30', 30, 1],
        ['3 1 30', 30, 1],
      ],
    )
  })
})
