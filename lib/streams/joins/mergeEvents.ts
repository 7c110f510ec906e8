import { Observable, Subscriber as RxSubscriber, type Subscriber } from 'rxjs'
import type { Saved, StatePart } from '../../checkpoint/part'
import { registerPart } from '../../checkpoint/scope'
import { StreamChecker } from '../check'
import { Barrier, END_OF_TIME, type EventStream, type StreamEvent, Watermark } from '../event'

/**
 * Several event streams as one. Its watermark is that of the slowest; a barrier goes on when it has come from all of them,
 * and what a stream sends between its own and that moment waits.
 */
export function mergeEvents<T, K = undefined>(...streams: EventStream<T, K>[]): EventStream<T, K> {
  const check = new StreamChecker('mergeEvents', undefined, [])
  streams.forEach((stream, index) => {
    check.observable(`streams[${index}]`, stream)
  })
  if (streams.length === 0) check.problem('give at least one stream')
  check.done()
  return new Observable((out) => {
    const merger = new Merger<T, K>(streams.length, out)
    streams.forEach((stream, index) => {
      if (!out.closed) stream.subscribe(new Input(merger, index, out))
    })
  })
}

class Input<T, K> extends RxSubscriber<StreamEvent<T, K>> {
  constructor(
    private readonly merger: Merger<T, K>,
    private readonly index: number,
    private readonly out: Subscriber<StreamEvent<T, K>>,
  ) {
    super()
    out.add(this)
  }

  protected override _next(event: StreamEvent<T, K>): void {
    this.merger.take(this.index, event)
  }

  protected override _error(error: unknown): void {
    this.out.error(error)
  }

  protected override _complete(): void {
    this.merger.ended(this.index)
  }
}

class Merger<T, K> implements StatePart {
  readonly size = 0
  private readonly watermarks: number[]
  private readonly barriers: (number | undefined)[]
  private readonly waiting: StreamEvent<T, K>[][]
  private readonly over: boolean[]
  private sent = Number.NEGATIVE_INFINITY

  constructor(
    private readonly count: number,
    private readonly out: Subscriber<StreamEvent<T, K>>,
  ) {
    this.watermarks = Array.from({ length: count }, () => Number.NEGATIVE_INFINITY)
    this.barriers = Array.from({ length: count }, () => undefined)
    this.waiting = Array.from({ length: count }, () => [])
    this.over = Array.from({ length: count }, () => false)
    registerPart('mergeEvents', this)
  }

  /** A job's checkpoint comes while all its sources rest: no stream is ahead of another by a barrier. */
  save(): Saved {
    return { head: { watermarks: this.watermarks, sent: this.sent }, entries: [] }
  }

  load(head: unknown): void {
    const { watermarks, sent } = head as { watermarks: number[]; sent: number }
    // A stream that the pipeline has got since then begins now.
    watermarks.slice(0, this.count).forEach((time, index) => {
      this.watermarks[index] = time
    })
    this.sent = sent
  }

  take(index: number, event: StreamEvent<T, K>): void {
    if (this.barriers[index] !== undefined) {
      this.waiting[index]!.push(event)
    } else if (event.kind === 'item') {
      this.out.next(event)
    } else if (event.kind === 'watermark') {
      this.advance(index, event.time)
    } else {
      this.barriers[index] = event.epoch
      this.align()
    }
  }

  ended(index: number): void {
    this.over[index] = true
    if (this.barriers[index] === undefined) this.advance(index, END_OF_TIME)
    this.align()
    this.endIfOver()
  }

  private advance(index: number, time: number): void {
    if (!(time > this.watermarks[index]!)) return
    this.watermarks[index] = time
    const slowest = Math.min(...this.watermarks)
    if (slowest <= this.sent) return
    this.sent = slowest
    this.out.next(new Watermark(slowest))
  }

  /** Lets a barrier through that has come from every stream which goes on. */
  private align(): void {
    for (;;) {
      const held = this.barriers.filter((epoch) => epoch !== undefined)
      if (held.length === 0) return
      for (let i = 0; i < this.count; i++) if (this.barriers[i] === undefined && !this.over[i]) return
      const epoch = Math.min(...held)
      this.out.next(new Barrier(epoch))
      for (let i = 0; i < this.count; i++) if (this.barriers[i] === epoch) this.release(i)
    }
  }

  private release(index: number): void {
    this.barriers[index] = undefined
    const events = this.waiting[index]!
    let at = 0
    while (at < events.length && this.barriers[index] === undefined) {
      const event = events[at++]!
      if (event.kind === 'item') this.out.next(event)
      else if (event.kind === 'watermark') this.advance(index, event.time)
      else this.barriers[index] = event.epoch
    }
    this.waiting[index] = events.slice(at)
    if (this.barriers[index] === undefined && this.over[index]) this.advance(index, END_OF_TIME)
  }

  private endIfOver(): void {
    if (this.over.every(Boolean)) this.out.complete()
  }
}
