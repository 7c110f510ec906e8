import { Observable, type OperatorFunction, Subscriber as RxSubscriber, type Subscriber } from 'rxjs'
import { registerHolder } from '../checkpoint/scope'
import { ItemCountError } from '../errors'
import { StreamChecker } from './check'
import { type EventOperator, Item, type StreamEvent } from './event'

/**
 * Puts an operator for plain values to work on the items of an event stream: `throughItems(mapPython(score))`. Times and
 * keys stay, and no watermark or barrier overtakes an item that is still on its way.
 *
 * The operator must give one result for each item, in order: `map`, `mapPython`, `mapAsync`, not a filter and not
 * `onError: 'skip'`. One that does not ends the stream with an `ItemCountError`.
 */
export function throughItems<T, R, K = undefined>(operator: OperatorFunction<T, R>): EventOperator<T, R, K> {
  new StreamChecker('throughItems', undefined, []).requireFn('operator', operator)
  return through(operator, (item) => item.value)
}

/** The same for an operator that takes of each item what `take` gives. */
export function through<T, V, R, K>(
  operator: OperatorFunction<V, R>,
  take: (item: Item<T, K>) => V,
): EventOperator<T, R, K> {
  // The source is subscribed by the operator, within its gates, so pull sources mind them.
  return (source) =>
    new Observable<StreamEvent<R, K>>((out) => {
      const waiting = new Waiting<T, R, K>(out)
      const items = new Observable<V>((inner) => source.subscribe(new Intake(waiting, inner, take)))
      out.add(
        operator(items).subscribe({
          next: (result) => waiting.result(result),
          error: (error) => out.error(error),
          complete: () => waiting.end(),
        }),
      )
    })
}

class Intake<T, V, K> extends RxSubscriber<StreamEvent<T, K>> {
  constructor(
    private readonly waiting: Waiting<T, unknown, K>,
    private readonly inner: Subscriber<V>,
    private readonly take: (item: Item<T, K>) => V,
  ) {
    super(inner)
  }

  protected override _next(event: StreamEvent<T, K>): void {
    this.waiting.push(event)
    if (event.kind === 'item') this.inner.next(this.take(event))
  }
}

/** The events whose turn has not come, in order. */
class Waiting<T, R, K> {
  private events: StreamEvent<T, K>[] = []
  private first = 0

  constructor(private readonly out: Subscriber<StreamEvent<R, K>>) {
    registerHolder(this)
  }

  get idle(): boolean {
    return this.first === this.events.length
  }

  push(event: StreamEvent<T, K>): void {
    if (event.kind !== 'item' && this.first === this.events.length) this.out.next(event)
    else this.events.push(event)
  }

  result(value: R): void {
    const event = this.events[this.first]
    if (event?.kind !== 'item') {
      this.out.error(new ItemCountError('throughItems: the operator gave more results than there were items'))
      return
    }
    this.first++
    this.out.next(new Item(value, event.time, event.key))
    for (
      let next = this.events[this.first];
      next !== undefined && next.kind !== 'item';
      next = this.events[this.first]
    ) {
      this.first++
      this.out.next(next)
    }
    if (this.first === this.events.length) {
      this.events = []
      this.first = 0
    } else if (this.first >= 1024 && this.first * 2 > this.events.length) {
      this.events = this.events.slice(this.first)
      this.first = 0
    }
  }

  end(): void {
    const left = this.events.length - this.first
    if (left === 0) this.out.complete()
    else this.out.error(new ItemCountError(`throughItems: the operator ended and owes results of ${left} events`))
  }
}
