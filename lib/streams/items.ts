import { type OperatorFunction, Subscriber as RxSubscriber, type Subscriber } from 'rxjs'
import { StreamChecker } from './check'
import { type EventOperator, Item, type StreamEvent } from './event'
import { EventStage, stageOperator } from './stage'

/** Everything behind it is by key: the items for which `selector` returns the same value (as a `Map` compares them). */
export function keyBy<T, K, L = unknown>(selector: (value: T) => K): EventOperator<T, T, L, K> {
  new StreamChecker('keyBy', undefined, []).requireFn('selector', selector)
  return stageOperator((out) => new KeyStage<T, L, K>(selector, out))
}

class KeyStage<T, L, K> extends EventStage<T, T, L, K> {
  constructor(
    private readonly selector: (value: T) => K,
    out: Subscriber<StreamEvent<T, K>>,
  ) {
    super(out)
  }

  protected onItem({ value, time }: Item<T, L>): void {
    this.out.next(new Item(value, time, this.selector(value)))
  }
}

/** Another value in place of each; time and key stay. */
export function mapItems<T, R, K = undefined>(project: (value: T, key: K, time: number) => R): EventOperator<T, R, K> {
  new StreamChecker('mapItems', undefined, []).requireFn('project', project)
  return stageOperator((out) => new MapStage<T, R, K>(project, out))
}

class MapStage<T, R, K> extends EventStage<T, R, K, K> {
  constructor(
    private readonly project: (value: T, key: K, time: number) => R,
    out: Subscriber<StreamEvent<R, K>>,
  ) {
    super(out)
  }

  protected onItem({ value, time, key }: Item<T, K>): void {
    this.out.next(new Item(this.project(value, key, time), time, key))
  }
}

/** Only the items for which `keep` is true. */
export function filterItems<T, K = undefined>(
  keep: (value: T, key: K, time: number) => boolean,
): EventOperator<T, T, K> {
  new StreamChecker('filterItems', undefined, []).requireFn('keep', keep)
  return stageOperator((out) => new FilterStage<T, K>(keep, out))
}

class FilterStage<T, K> extends EventStage<T, T, K, K> {
  constructor(
    private readonly keep: (value: T, key: K, time: number) => boolean,
    out: Subscriber<StreamEvent<T, K>>,
  ) {
    super(out)
  }

  protected onItem(item: Item<T, K>): void {
    if (this.keep(item.value, item.key, item.time)) this.out.next(item)
  }
}

/** Any number of values in place of each; they have its time and key. */
export function flatMapItems<T, R, K = undefined>(
  project: (value: T, key: K, time: number) => Iterable<R>,
): EventOperator<T, R, K> {
  new StreamChecker('flatMapItems', undefined, []).requireFn('project', project)
  return stageOperator((out) => new FlatMapStage<T, R, K>(project, out))
}

class FlatMapStage<T, R, K> extends EventStage<T, R, K, K> {
  constructor(
    private readonly project: (value: T, key: K, time: number) => Iterable<R>,
    out: Subscriber<StreamEvent<R, K>>,
  ) {
    super(out)
  }

  protected onItem({ value, time, key }: Item<T, K>): void {
    for (const result of this.project(value, key, time)) this.out.next(new Item(result, time, key))
  }
}

/** Back to a stream of plain values: the end of event time. */
export function values<T>(): OperatorFunction<StreamEvent<T, unknown>, T> {
  return stageOperator((out) => new ValueStage<T>(out))
}

class ValueStage<T> extends RxSubscriber<StreamEvent<T, unknown>> {
  constructor(private readonly out: Subscriber<T>) {
    super(out)
  }

  protected override _next(event: StreamEvent<T, unknown>): void {
    if (event.kind === 'item') this.out.next(event.value)
  }
}
