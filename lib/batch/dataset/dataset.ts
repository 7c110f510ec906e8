import { filter, map, Observable, type OperatorFunction } from 'rxjs'
import { filterPython } from '../../operators/filterPython'
import { flatMapPython } from '../../operators/flatMapPython'
import { mapPython } from '../../operators/mapPython'
import type { SpecOperatorOptions } from '../../operators/options'
import type { Handler, HandlerSpec } from '../../pool/handler'
import { fromIterable } from '../../sources/fromIterable'
import { type AnyAggregate, checkAggregate } from '../../streams/aggregates/aggregate'
import { toList } from '../../streams/aggregates/lists'
import { count } from '../../streams/aggregates/numbers'
import { StreamChecker } from '../../streams/check'
import type { JoinKind } from '../../streams/joins/streamJoin'
import { CachePlan, type Plan, StepPlan } from './plan'
import { checkRun, type Fold, Run, type RunOptions } from './run'
import { type Group, GroupPlan, JoinPlan, Shuffle } from './shuffle'

export interface GroupOptions {
  /** How many partitions there are afterwards (default: as many as before). */
  partitions?: number
}

export interface JoinOptions<L, R, K, O> {
  /** The key of an item here. */
  left: (item: L) => K
  /** The key of an item of the other dataset. */
  right: (item: R) => K
  /** Which items without a partner are in the result (default `'inner'`: none). */
  kind?: JoinKind
  /** What a pair becomes; a side is undefined where there is no partner. Default: `{ left, right }`. */
  select?: (left: L | undefined, right: R | undefined, key: K) => O
  /** How many partitions there are afterwards (default: as many as here before). */
  partitions?: number
}

const KINDS: readonly JoinKind[] = ['inner', 'left', 'right', 'outer']

/**
 * A collection in partitions, told by how it is computed. It never changes: each step gives another dataset. Nothing is
 * computed before an action (`toStream`, `collect`, `count`, `reduce`, `aggregate`) is subscribed, and each subscription computes it
 * anew, unless a dataset before it is kept with `cache`.
 *
 * A partition whose worker process is lost is computed again from its lineage, alone; so functions and handlers should
 * give the same for the same items. No action gives anything of a partition that is not complete.
 */
export class Dataset<T> {
  /** @internal Made by `parallelize` and `fromFiles`. */
  constructor(private readonly plan: Plan<T>) {}

  map<R>(project: (item: T) => R): Dataset<R> {
    fn('map', 'project', project)
    return this.step(
      'map',
      map((item: T) => project(item)),
    )
  }

  filter(keep: (item: T) => boolean): Dataset<T> {
    fn('filter', 'keep', keep)
    return this.step(
      'filter',
      filter((item: T) => keep(item)),
    )
  }

  /** Any number of items in place of each. */
  flatMap<R>(project: (item: T) => Iterable<R>): Dataset<R> {
    fn('flatMap', 'project', project)
    const each = (source: Observable<T>) =>
      new Observable<R>((out) =>
        source.subscribe({
          next: (item) => {
            try {
              for (const one of project(item)) out.next(one)
            } catch (error) {
              out.error(error)
            }
          },
          error: (error) => out.error(error),
          complete: () => out.complete(),
        }),
      )
    return this.step('flatMap', each)
  }

  /** A Python function, in batches; see the operator `mapPython`. */
  mapPython<R = unknown>(handler: Handler<T, R> | HandlerSpec, options?: SpecOperatorOptions<T, R>): Dataset<R> {
    return this.step(`mapPython(${nameOf(handler)})`, mapPython<T, R>(handler as HandlerSpec, options))
  }

  filterPython(handler: Handler<T, unknown> | HandlerSpec, options?: SpecOperatorOptions<T, T>): Dataset<T> {
    return this.step(`filterPython(${nameOf(handler)})`, filterPython<T>(handler as HandlerSpec, options))
  }

  flatMapPython<R = unknown>(handler: Handler<T, R> | HandlerSpec, options?: SpecOperatorOptions<T, R>): Dataset<R> {
    return this.step(`flatMapPython(${nameOf(handler)})`, flatMapPython<T, R>(handler as HandlerSpec, options))
  }

  /** Any operator on streams, for each partition by itself; `name` is what errors call it. */
  through<R>(operator: OperatorFunction<T, R>, name = 'through'): Dataset<R> {
    fn('through', 'operator', operator)
    return this.step(name, operator)
  }

  /**
   * Brings together what has the same key, as a `Map` compares it, and aggregates it: a list by default. Each partition
   * is aggregated by itself first, so only one accumulator for each of its keys is kept.
   */
  groupBy<K, R = T[]>(
    key: (item: T) => K,
    aggregate: AnyAggregate<T, R> = toList<T>() as unknown as AnyAggregate<T, R>,
    options?: GroupOptions,
  ): Dataset<Group<K, R>> {
    const check = new StreamChecker('groupBy', options, ['partitions'])
    check.fn('key', key, true)
    checkAggregate(check, aggregate)
    const partitions = check.whole('partitions', options?.partitions, 1, 1 << 20)
    check.done()
    return new Dataset(new GroupPlan(this.plan, key, aggregate, partitions))
  }

  /** The pairs of items of both datasets that have the same key. */
  join<R, K, O = { left: T | undefined; right: R | undefined }>(
    other: Dataset<R>,
    options: JoinOptions<T, R, K, O>,
  ): Dataset<O> {
    const check = new StreamChecker('join', options, ['left', 'right', 'kind', 'select', 'partitions'])
    if (!(other instanceof Dataset)) check.problem("'other' must be a Dataset", other)
    check.fn('left', options?.left, true)
    check.fn('right', options?.right, true)
    check.fn('select', options?.select)
    const kind = check.oneOf('kind', options?.kind, KINDS) ?? 'inner'
    const partitions = check.whole('partitions', options?.partitions, 1, 1 << 20)
    check.done()
    const select = options.select ?? ((left, right) => ({ left, right }) as O)
    const outer = (side: JoinKind) => kind === side || kind === 'outer'
    const width = () => (partitions === undefined ? this.plan.partitions() : Promise.resolve(partitions))
    return new Dataset(
      new JoinPlan(
        new Shuffle(this.plan, 'join', options.left, toList<T>(), width),
        new Shuffle(other.plan, 'join', options.right, toList<R>(), width),
        outer('left'),
        outer('right'),
        select,
      ),
    )
  }

  /** The same, kept in memory partition by partition once it has been computed. */
  cache(): Dataset<T> {
    return new Dataset(new CachePlan(this.plan))
  }

  /** All items, partition by partition. A pull source: it computes only as far as the stages downstream have room. */
  toStream(options?: RunOptions): Observable<T> {
    const settings = checkRun('toStream', options)
    const { plan } = this
    return fromIterable(async function* items() {
      const run = new Run(settings)
      try {
        for await (const list of run.folded(plan, listOf<T>())) yield* list
      } finally {
        run.close()
      }
    })
  }

  /** All items in one array. */
  collect(options?: RunOptions): Observable<T[]> {
    return this.action('collect', options, async (run, out) => {
      const all: T[] = []
      for await (const list of run.folded(this.plan, listOf<T>())) for (const item of list) all.push(item)
      out(all)
    })
  }

  /** How many items there are. */
  count(options?: RunOptions): Observable<number> {
    return this.fold('count', count(), options)
  }

  /** All items in one aggregate, such as `quantiles` or `allOf`. */
  aggregate<R>(aggregate: AnyAggregate<T, R>, options?: RunOptions): Observable<R> {
    const check = new StreamChecker('aggregate', undefined, [])
    checkAggregate(check, aggregate)
    check.done()
    return this.fold('aggregate', aggregate, options)
  }

  /**
   * All items in one, by a function that must be associative: each partition is reduced by itself. Of no items it gives
   * nothing.
   */
  reduce(combine: (a: T, b: T) => T, options?: RunOptions): Observable<T> {
    fn('reduce', 'combine', combine)
    return this.action('reduce', options, async (run, out) => {
      const add = (into: { value: T } | undefined, item: T) => ({
        value: into === undefined ? item : combine(into.value, item),
      })
      let total: { value: T } | undefined
      const fold = { step: 'reduce', create: () => undefined, add }
      for await (const one of run.folded<T, { value: T } | undefined>(this.plan, fold)) {
        if (one !== undefined) total = add(total, one.value)
      }
      if (total !== undefined) out(total.value)
    })
  }

  private fold<R>(where: string, aggregate: AnyAggregate<T, R>, options: RunOptions | undefined): Observable<R> {
    return this.action(where, options, async (run, out) => {
      const fold = {
        step: where,
        create: () => aggregate.create(),
        add: (into: unknown, item: T) => aggregate.accumulate(into, item),
      }
      let total = aggregate.create()
      for await (const one of run.folded<T, unknown>(this.plan, fold)) total = aggregate.combine(total, one)
      out(aggregate.finish(total))
    })
  }

  private action<R>(
    where: string,
    options: RunOptions | undefined,
    compute: (run: Run, out: (value: R) => void) => Promise<void>,
  ): Observable<R> {
    const settings = checkRun(where, options)
    return new Observable<R>((out) => {
      const run = new Run(settings)
      out.add(() => run.close())
      compute(run, (value) => out.next(value)).then(
        () => out.complete(),
        (error) => out.error(error),
      )
    })
  }

  private step<R>(name: string, operator: OperatorFunction<T, R>): Dataset<R> {
    return new Dataset(new StepPlan(this.plan, name, operator))
  }
}

function listOf<T>(): Fold<T, T[]> {
  return {
    step: 'collect',
    create: () => [],
    add: (list, item) => {
      list.push(item)
      return list
    },
  }
}

function fn(where: string, name: string, value: unknown): void {
  new StreamChecker(where, undefined, []).requireFn(name, value)
}

function nameOf(handler: unknown): string {
  if (typeof handler === 'string') return handler
  return (handler as { name?: string } | null)?.name ?? 'source'
}
