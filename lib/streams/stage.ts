import { Observable, type OperatorFunction, Subscriber } from 'rxjs'
import type { Barrier, Item, StreamEvent, Watermark } from './event'

/**
 * One subscription of an operator on event streams. What an implementation throws becomes the stream's error; watermarks
 * and barriers go on unless it says otherwise.
 */
export abstract class EventStage<T, R, K = unknown, L = unknown> extends Subscriber<StreamEvent<T, K>> {
  constructor(protected readonly out: Subscriber<StreamEvent<R, L>>) {
    super(out)
    this.add(() => this.dispose())
  }

  protected abstract onItem(item: Item<T, K>): void

  protected onWatermark(watermark: Watermark): void {
    this.out.next(watermark)
  }

  protected onBarrier(barrier: Barrier): void {
    this.out.next(barrier)
  }

  /** The source has ended; its last watermark has gone through `onWatermark` before. */
  protected onEnd(): void {}

  /** The subscription is over, in whatever way. */
  protected dispose(): void {}

  /** Runs what a timer does, like what an event does. */
  protected guarded(run: () => void): void {
    if (this.closed) return
    try {
      run()
    } catch (error) {
      this.out.error(error)
    }
  }

  protected override _next(event: StreamEvent<T, K>): void {
    try {
      if (event.kind === 'item') this.onItem(event)
      else if (event.kind === 'watermark') this.onWatermark(event)
      else this.onBarrier(event)
    } catch (error) {
      this.out.error(error)
    }
  }

  protected override _complete(): void {
    try {
      this.onEnd()
    } catch (error) {
      this.out.error(error)
      return
    }
    super._complete()
  }
}

/** The operator whose every subscription is the stage that `make` gives. */
export function stageOperator<I, O>(make: (out: Subscriber<O>) => Subscriber<I>): OperatorFunction<I, O> {
  return (source) => new Observable<O>((out) => source.subscribe(make(out)))
}
