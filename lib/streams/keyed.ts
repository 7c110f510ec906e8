import type { Subscriber } from 'rxjs'
import { registerPart } from '../checkpoint/scope'
import { type AnyAggregate, checkAggregate, savingOf } from './aggregates/aggregate'
import { PythonAggregate, withPython } from './aggregates/python'
import { StreamChecker } from './check'
import { DiskPart } from './diskPart'
import { DiskState } from './diskState'
import { type EventOperator, Item, type StreamEvent, type Watermark } from './event'
import { EventStage, stageOperator } from './stage'
import {
  checkStateOptions,
  MemoryState,
  PLAIN,
  STATE_KEYS,
  type StateForm,
  type StateLimits,
  type StateOptions,
  type StateStore,
} from './state'
import { StorePart } from './statePart'

/** The state of the key at hand. */
export interface StateOfKey<S> {
  get(): S | undefined
  set(value: S): void
  /** Whether there was a value. */
  delete(): boolean
}

export interface KeyedOptions<K, S> extends Omit<StateOptions<K, S>, 'clock'> {
  /**
   * Which time `ttl` counts: `'event'` (default), where a key's state lives until the watermark is `ttl` past the
   * latest item that had come at its last `set`; or a clock.
   */
  clock?: 'event' | { now(): number }
  /** Makes the place where the state of a subscription lives; default: memory. Then the other options are the store's own. */
  store?: () => StateStore<K, S>
}

interface KeyedSettings<K, S> {
  limits: StateLimits<K, S>
  byEventTime: boolean
  store: (() => StateStore<K, S>) | undefined
}

function checkKeyed<K, S>(check: StreamChecker, options: KeyedOptions<K, S> | undefined): KeyedSettings<K, S> {
  const { clock, store } = options ?? {}
  check.fn('store', store)
  if (store !== undefined) {
    for (const name of STATE_KEYS) {
      if (options?.[name as keyof KeyedOptions<K, S>] === undefined) continue
      check.problem(`'${name}' goes to the store's own options where there is a 'store'`)
    }
  }
  const byEventTime = clock === undefined || clock === 'event'
  const limits = checkStateOptions(check, { ...options, clock: byEventTime ? undefined : clock })
  return { limits, byEventTime, store }
}

const KEYED_KEYS = [...STATE_KEYS, 'store']

/**
 * A result for each item, with a state for each key.
 *
 * ```ts
 * keyBy((reading) => reading.sensor),
 * mapKeyed((reading, state) => {
 *   const before = state.get()
 *   state.set(reading.value)
 *   return before === undefined ? 0 : reading.value - before
 * }),
 * ```
 */
export function mapKeyed<T, R, S, K = undefined>(
  project: (value: T, state: StateOfKey<S>, key: K, time: number) => R,
  options?: KeyedOptions<K, S>,
): EventOperator<T, R, K> {
  const check = new StreamChecker('mapKeyed', options, KEYED_KEYS)
  check.fn('project', project, true)
  const settings = checkKeyed(check, options)
  check.done()
  return stageOperator((out) => new KeyedStage<T, R, S, K>(project, settings, out))
}

/** What `rolling` keeps for a key. */
export interface Rolled {
  accumulator: unknown
}

/** Rolling aggregation: for each item the aggregate of all items of its key so far, itself included. */
export function rolling<T, R, K = undefined>(
  aggregate: AnyAggregate<T, R> | PythonAggregate<T, R>,
  options?: KeyedOptions<K, Rolled>,
): EventOperator<T, R, K> {
  const check = new StreamChecker('rolling', options, KEYED_KEYS)
  if (!(aggregate instanceof PythonAggregate)) checkAggregate(check, aggregate)
  const settings = checkKeyed(check, options)
  if (aggregate instanceof PythonAggregate && settings.store !== undefined) {
    check.problem("'store' is not for aggregates in Python, whose accumulators are there")
  }
  check.done()
  if (!(aggregate instanceof PythonAggregate)) return rollingOperator(aggregate, settings)
  return withPython<T, R, R, K>(
    aggregate,
    (recorder) => rollingOperator(recorder as AnyAggregate<T, R>, settings),
    (result) => result,
    (_, value) => value,
  )
}

function rollingOperator<T, R, K>(
  aggregate: AnyAggregate<T, R>,
  settings: KeyedSettings<K, Rolled>,
): EventOperator<T, R, K> {
  const project = (value: T, state: StateOfKey<Rolled>) => {
    const accumulator = aggregate.accumulate(state.get()?.accumulator ?? aggregate.create(), value)
    state.set({ accumulator })
    return aggregate.finish(accumulator)
  }
  const saving = savingOf(aggregate)
  const form: StateForm<Rolled> = {
    save: ({ accumulator }) => saving.save(accumulator),
    load: (saved) => ({ accumulator: saving.load(saved) }),
  }
  return stageOperator((out) => new KeyedStage<T, R, Rolled, K>(project, settings, out, 'rolling', form))
}

class KeyedStage<T, R, S, K> extends EventStage<T, R, K, K> implements StateOfKey<S> {
  private readonly store: StateStore<K, S>
  private key!: K
  /** For checkpoints, too. */
  watermark = Number.NEGATIVE_INFINITY
  latest = Number.NEGATIVE_INFINITY

  constructor(
    private readonly project: (value: T, state: StateOfKey<S>, key: K, time: number) => R,
    { limits, byEventTime, store }: KeyedSettings<K, S>,
    out: Subscriber<StreamEvent<R, K>>,
    kind = 'mapKeyed',
    form: StateForm<S> = PLAIN,
  ) {
    super(out)
    const eventTime = { now: () => this.watermark, stamp: () => this.latest }
    this.store = store?.() ?? new MemoryState(byEventTime ? { ...limits, ...eventTime } : limits)
    if (this.store instanceof DiskState) this.store.form = form
    registerPart(
      kind,
      this.store instanceof DiskState ? new DiskPart(this.store, this, form) : new StorePart(this.store, this, form),
    )
  }

  get(): S | undefined {
    return this.store.get(this.key)
  }

  set(value: S): void {
    this.store.set(this.key, value)
  }

  delete(): boolean {
    return this.store.delete(this.key)
  }

  protected onItem({ value, time, key }: Item<T, K>): void {
    this.key = key
    if (time > this.latest) this.latest = time
    this.out.next(new Item(this.project(value, this, key, time), time, key))
  }

  protected override onWatermark(watermark: Watermark): void {
    this.watermark = watermark.time
    this.out.next(watermark)
  }

  protected override dispose(): void {
    this.store.close?.()
  }
}
