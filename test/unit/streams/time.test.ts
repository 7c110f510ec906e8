import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { of, Subject } from 'rxjs'
import { TimestampError } from '../../../lib'
import { keyBy, type StreamEvent, type TimeOptions, timestampBy, withTimestamps } from '../../../lib/streams'
import { TestSink, VirtualClock } from '../../../lib/testing'

interface Reading {
  at: number
  from?: string
}

/** Events in short: the time of an item, `w10` for a watermark. */
function brief(events: readonly StreamEvent<unknown, unknown>[]): string {
  return events
    .map((event) => (event.kind === 'item' ? `${event.time}` : event.kind === 'watermark' ? `w${event.time}` : 'b'))
    .join(' ')
}

function stamped(options: TimeOptions<Reading>) {
  const source = new Subject<Reading>()
  const sink = new TestSink<StreamEvent<Reading>>().drain(source.pipe(timestampBy((one) => one.at, options)))
  const take = () => brief(sink.items.splice(0))
  return { source, sink, take, send: (at: number, from?: string) => source.next({ at, from }) }
}

describe('timestamps and watermarks', () => {
  it('stay behind the latest item by the disorder, never go back, and end with the stream', () => {
    const { source, take, send } = stamped({ disorder: 5 })
    for (const at of [10, 8, 12, 3, 12]) send(at)
    source.complete()
    assert.equal(take(), '10 w5 8 12 w7 3 12 wInfinity')
  })

  it('are whole milliseconds, rounded down', () => {
    const { take, send } = stamped({})
    send(1.5)
    send(1.9)
    assert.equal(take(), '1.5 w1 1.9')
  })

  it('take dates, and come in steps of at least `every`', () => {
    const sink = new TestSink<StreamEvent<number>>()
    sink.drain(of(0, 5, 9, 10, 30).pipe(timestampBy((n) => new Date(n), { every: 10 })))
    assert.equal(brief(sink.items), '0 w0 5 9 10 w10 30 w30 wInfinity')
  })

  for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, '5', undefined, new Date('never')]) {
    it(`error on ${String(wrong)}`, () => {
      const sink = new TestSink().drain(of(0).pipe(timestampBy(() => wrong as number)))
      assert.ok(sink.error instanceof TimestampError)
      assert.equal(sink.error.code, 'ERR_TIMESTAMP')
    })
  }

  it('are those of arrival without a selector', () => {
    const clock = new VirtualClock(100)
    const source = new Subject<string>()
    const sink = new TestSink<StreamEvent<string>>().drain(source.pipe(withTimestamps({ clock })))
    source.next('a')
    clock.advanceSync(7)
    source.next('b')
    assert.equal(brief(sink.items), '100 w100 107 w107')
  })
})

describe('watermarks of partitions', () => {
  const partition = (one: Reading) => one.from

  it('are those of the slowest', () => {
    const { take, send } = stamped({ partition })
    send(10, 'a')
    send(4, 'b')
    send(20, 'b')
    send(30, 'a')
    assert.equal(take(), '10 w10 4 20 30 w20')
  })

  it('wait for the partitions that are expected', () => {
    const { take, send } = stamped({ partition, partitions: ['a', 'b'] })
    send(10, 'a')
    send(4, 'b')
    assert.equal(take(), '10 4 w4')
  })

  it('leave out a partition that has been silent, until it sends again', () => {
    const clock = new VirtualClock()
    const { source, take, send } = stamped({ partition, partitions: ['a', 'b'], idle: 100, clock })
    send(10, 'a')
    clock.advanceSync(60)
    send(20, 'a')
    assert.equal(take(), '10 20')
    clock.advanceSync(40)
    assert.equal(take(), 'w20', 'b is idle after 100 ms, a is not')
    send(30, 'a')
    send(25, 'b')
    send(40, 'a')
    send(35, 'b')
    assert.equal(take(), '30 w30 25 40 35 w35')
    source.complete()
    assert.equal(clock.pending, 0)
  })

  it('go on with the clock while all are silent, so that windows close', () => {
    const clock = new VirtualClock()
    const { source, take, send } = stamped({ disorder: 3, idle: 50, clock })
    send(1000)
    clock.advanceSync(49)
    assert.equal(take(), '1000 w997')
    clock.advanceSync(1)
    assert.equal(take(), 'w1047')
    clock.advanceSync(100)
    assert.equal(take(), 'w1097 w1147')
    send(1100)
    send(1200)
    assert.equal(take(), '1100 1200 w1197')
    source.complete()
  })

  it('have no timer before the first item of an unknown partition, and none after the end', () => {
    const clock = new VirtualClock()
    const { source, send } = stamped({ idle: 50, clock })
    assert.equal(clock.pending, 0)
    send(1)
    assert.equal(clock.pending, 1)
    source.error(new Error('over'))
    assert.equal(clock.pending, 0)
  })
})

describe('options of time', () => {
  it('are checked up front, all problems at once', () => {
    const options = { disorder: -1, idle: 0, partitions: ['a'], clock: {}, late: 1 } as unknown as TimeOptions<number>
    assert.throws(
      () => timestampBy('time' as never, options),
      (error: { code: string; problems: string[] }) => error.code === 'ERR_OPTION' && error.problems.length === 6,
    )
    assert.throws(() => keyBy(undefined as never), /keyBy: 'selector' must be a function/)
  })

  it('a selector that throws ends the stream with what it threw', () => {
    const error = new Error('no key')
    const failing = keyBy(() => {
      throw error
    })
    const sink = new TestSink().drain(
      of(1).pipe(
        timestampBy((n) => n),
        failing,
      ),
    )
    assert.equal(sink.error, error)
  })
})
