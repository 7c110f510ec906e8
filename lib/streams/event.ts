import type { Observable, OperatorFunction } from 'rxjs'

/** A value of the stream with the time at which it happened and, behind `keyBy`, its key. Never changed once made. */
export class Item<T, K = undefined> {
  readonly kind = 'item'

  constructor(
    readonly value: T,
    /** Event time, in milliseconds. */
    readonly time: number,
    readonly key: K,
  ) {}
}

/** A promise about event time: no further item is expected whose time is before `time`. One that comes all the same is late. */
export class Watermark {
  readonly kind = 'watermark'

  constructor(readonly time: number) {}
}

/** The border between two epochs: what came before it belongs to checkpoint `epoch`, what comes after it to the next one. */
export class Barrier {
  readonly kind = 'barrier'

  constructor(readonly epoch: number) {}
}

/** What is not an item: it keeps its place among the items. */
export type ControlEvent = Watermark | Barrier

export type StreamEvent<T, K = undefined> = Item<T, K> | ControlEvent

/** A stream with event time: a plain Observable of items, watermarks and barriers. */
export type EventStream<T, K = undefined> = Observable<StreamEvent<T, K>>

/** An operator from one event stream to another. */
export type EventOperator<T, R, K = undefined, L = K> = OperatorFunction<StreamEvent<T, K>, StreamEvent<R, L>>

/** The watermark at the end of a stream: nothing comes any more, so everything that waits for time is due. */
export const END_OF_TIME = Number.POSITIVE_INFINITY
