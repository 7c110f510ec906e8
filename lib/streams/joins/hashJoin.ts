import { isObservable, Observable, type Subscriber } from 'rxjs'
import { type Change, Changes, replay, type Saved, type StatePart, type Value } from '../../checkpoint/part'
import { registerPart } from '../../checkpoint/scope'
import { OverflowError } from '../../errors'
import { Gate, subscribeWithin } from '../../sources/gate'
import { StreamChecker } from '../check'
import { type EventOperator, type EventStream, Item, type StreamEvent, Watermark } from '../event'
import { EventStage } from '../stage'

/** A change to a table: the row that a key has from now on, or `undefined` where it has none any more. */
export interface TableChange<J, V> {
  key: J
  row: V | undefined
}

export interface HashJoinOptions<T, J, V, R, K> {
  /** The key in the table that an item looks up. */
  on: (value: T, key: K) => J
  /** What becomes of an item without a row: `'left'` (default) keeps it, `'inner'` drops it. */
  kind?: 'left' | 'inner'
  /** What an item and its row become. Default: `{ value, row }`. */
  select?: (value: T, row: V | undefined) => R
  /**
   * When a table that is an Observable is ready; until then items wait. `'complete'` (default): when it completes. An
   * Observable: at its first value, for tables that go on changing. `'now'`: at once.
   */
  ready?: 'complete' | 'now' | Observable<unknown>
  /** The most events that wait (default 2^20), from a source that cannot be stopped. */
  bufferSize?: number
}

const KNOWN = ['on', 'kind', 'select', 'ready', 'bufferSize']

/**
 * Enriches a stream from a table in memory: a `Map`, or an Observable of changes, which each subscription subscribes. A
 * table that changes is read as it is when the item comes.
 */
export function hashJoin<T, J, V, R = { value: T; row: V | undefined }, K = undefined>(
  table: ReadonlyMap<J, V> | Observable<TableChange<J, V>>,
  options: HashJoinOptions<T, J, V, R, K>,
): EventOperator<T, R, K> {
  const check = new StreamChecker('hashJoin', options ?? {}, KNOWN)
  const { on, select, ready } = options ?? {}
  if (!isObservable(table) && typeof table?.get !== 'function') {
    check.problem("'table' must be a Map or an Observable of { key, row }", table)
  }
  check.fn('on', on, true)
  check.fn('select', select)
  const kind = check.oneOf('kind', options?.kind, ['left', 'inner']) ?? 'left'
  if (ready !== undefined && !isObservable(ready)) check.oneOf('ready', ready, ['complete', 'now'])
  const bufferSize = check.whole('bufferSize', options?.bufferSize, 1, 2 ** 30) ?? 1 << 20
  check.done()
  const settings: Settings<T, J, V, R, K> = {
    on,
    inner: kind === 'inner',
    select: select ?? ((value, row) => ({ value, row }) as R),
    bufferSize,
  }
  return (source) =>
    new Observable((out) => {
      if (!isObservable(table)) source.subscribe(new HashJoinStage(table, settings, undefined, out))
      else withChanges(table, ready ?? 'complete', settings, source, out)
    })
}

interface Settings<T, J, V, R, K> {
  on: (value: T, key: K) => J
  inner: boolean
  select: (value: T, row: V | undefined) => R
  bufferSize: number
}

function withChanges<T, J, V, R, K>(
  changes: Observable<TableChange<J, V>>,
  ready: 'complete' | 'now' | Observable<unknown>,
  settings: Settings<T, J, V, R, K>,
  source: EventStream<T, K>,
  out: Subscriber<StreamEvent<R, K>>,
): void {
  const rows = new Map<J, V>()
  const part = new TablePart(rows)
  const gate = new Gate()
  const stage = new HashJoinStage(rows, settings, gate, out)
  part.stage = stage
  out.add(() => gate.dispose())
  if (ready === 'now') stage.ready()
  const fail = (error: unknown) => out.error(error)
  out.add(
    changes.subscribe({
      next: ({ key, row }) => {
        if (row === undefined) {
          if (rows.delete(key)) part.changes?.removed(key)
        } else {
          if (rows.has(key)) part.changes?.changed(key)
          else part.changes?.added(key)
          rows.set(key, row)
        }
      },
      error: fail,
      // Nothing will change any more, whatever was waited for.
      complete: () => stage.ready(),
    }),
  )
  if (isObservable(ready)) {
    const notifier = ready.subscribe({
      next: () => {
        stage.ready()
        queueMicrotask(() => notifier.unsubscribe())
      },
      error: fail,
    })
    out.add(notifier)
  }
  subscribeWithin(gate, () => source.subscribe(stage))
}

type Waiting = (number | readonly [value: unknown, time: number, key: unknown])[]

/** In a job's checkpoints: the rows so far, and the events that wait for the table. */
class TablePart<J, V> implements StatePart {
  readonly changes: Changes<J> | undefined
  stage!: Pick<HashJoinStage<unknown, J, V, unknown, unknown>, 'save' | 'load'>

  constructor(private readonly rows: Map<J, V>) {
    if (registerPart('hashJoin', this)) this.changes = new Changes()
  }

  get size(): number {
    return this.rows.size
  }

  save(all: boolean): Saved {
    return { head: this.stage.save(), entries: this.changes!.take(this.rows, all, (row) => row) }
  }

  load(head: unknown, entries: Iterable<readonly [unknown, Change, unknown]>, migrate?: Value): void {
    replay<J, V>(this.rows, entries, (row, key) => (migrate === undefined ? row : migrate(row, key)) as V)
    this.stage.load(head as Waiting | undefined)
  }
}

class HashJoinStage<T, J, V, R, K> extends EventStage<T, R, K, K> {
  private waiting: StreamEvent<T, K>[] | undefined
  private ended = false

  constructor(
    private readonly rows: ReadonlyMap<J, V>,
    private readonly settings: Settings<T, J, V, R, K>,
    /** Closed until the table is ready; undefined: it is. */
    private readonly gate: Gate | undefined,
    out: Subscriber<StreamEvent<R, K>>,
  ) {
    super(out)
    if (gate === undefined) return
    this.waiting = []
    gate.close()
  }

  ready(): void {
    const { waiting } = this
    if (waiting === undefined) return
    this.waiting = undefined
    for (const event of waiting) super._next(event)
    if (this.ended) super._complete()
    else this.gate?.open()
  }

  /** What waits; undefined where the table is ready. */
  save(): Waiting | undefined {
    return this.waiting?.flatMap((event): Waiting => {
      if (event.kind === 'item') return [[event.value, event.time, event.key]]
      return event.kind === 'watermark' ? [event.time] : []
    })
  }

  load(saved: Waiting | undefined): void {
    if (saved === undefined) {
      this.ready()
      return
    }
    const events = saved.map((event) =>
      typeof event === 'number' ? new Watermark(event) : new Item(event[0] as T, event[1], event[2] as K),
    )
    if (this.waiting !== undefined) this.waiting.unshift(...events)
    else for (const event of events) super._next(event)
  }

  protected onItem({ value, time, key }: Item<T, K>): void {
    const row = this.rows.get(this.settings.on(value, key))
    if (row === undefined && this.settings.inner) return
    this.out.next(new Item(this.settings.select(value, row), time, key))
  }

  protected override _next(event: StreamEvent<T, K>): void {
    if (this.waiting === undefined) super._next(event)
    else if (this.waiting.length < this.settings.bufferSize) this.waiting.push(event)
    else {
      this.out.error(new OverflowError(`hashJoin: more than ${this.settings.bufferSize} events wait for the table`))
    }
  }

  protected override _complete(): void {
    this.ended = true
    if (this.waiting === undefined) super._complete()
  }
}
