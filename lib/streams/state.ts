import type { Changes } from '../checkpoint/part'
import { type Clock, systemClock } from '../clock'
import { StateFullError } from '../errors'
import { StreamChecker } from './check'

/**
 * Where keyed state lives. Synchronous, so that an operator reads and writes it in the middle of an item: memory, or an
 * embedded store with synchronous calls (LMDB, SQLite). Values belong to the store once they are set.
 */
export interface StateStore<K, S> {
  get(key: K): S | undefined
  set(key: K, value: S): void
  /** Whether there was a value. */
  delete(key: K): boolean
  entries(): Iterable<readonly [K, S]>
  readonly size: number
  clear(): void
  /** Called when the subscription is over that the store was made for. */
  close?(): void
}

/** How a state is written into a checkpoint, and made again. */
export interface StateForm<S> {
  save(value: S): unknown
  load(saved: unknown): S
}

// biome-ignore lint/suspicious/noExplicitAny: for states of every type
export const PLAIN: StateForm<any> = { save: (value) => value, load: (saved) => saved }

export interface StateOptions<K = unknown, S = unknown> {
  /** Milliseconds after its last `set` that a value lives; default: for ever. */
  ttl?: number
  /** The most keys (default: no limit). */
  maxKeys?: number
  /** What a further key does: `'error'` (default) throws a `StateFullError`, `'evict'` drops the key that was set longest ago. */
  overflow?: 'error' | 'evict'
  /** Told of each value that `ttl` or `'evict'` dropped. */
  onEvict?: (key: K, value: S) => void
  /** The time that `ttl` counts; default: the system's. */
  clock?: Pick<Clock, 'now'>
}

export const STATE_KEYS = ['ttl', 'maxKeys', 'overflow', 'onEvict', 'clock']

export interface StateLimits<K, S> {
  ttl: number
  maxKeys: number
  evict: boolean
  onEvict: ((key: K, value: S) => void) | undefined
  now: () => number
  /** The time that a `set` counts from, where that is not `now`; it never goes back. */
  stamp?: () => number
}

export function checkStateOptions<K, S>(
  check: StreamChecker,
  options: StateOptions<K, S> | undefined,
): StateLimits<K, S> {
  check.fn('onEvict', options?.onEvict)
  const overflow = check.oneOf('overflow', options?.overflow, ['error', 'evict'])
  if (overflow === 'evict' && options?.maxKeys === undefined) {
    check.problem("'overflow' is of no use without 'maxKeys'")
  }
  if (options?.clock !== undefined && typeof options.clock?.now !== 'function') {
    check.problem("'clock' must have now()", options.clock)
  }
  const clock = options?.clock ?? systemClock
  return {
    ttl: check.time('ttl', options?.ttl, false) ?? Number.POSITIVE_INFINITY,
    maxKeys: check.whole('maxKeys', options?.maxKeys, 1, Number.MAX_SAFE_INTEGER) ?? Number.POSITIVE_INFINITY,
    evict: overflow === 'evict',
    onEvict: options?.onEvict,
    now: () => clock.now(),
  }
}

/** A store in memory, with a time to live and a limit to its keys. What is over goes as other keys are set or read. */
export function memoryState<K, S>(options?: StateOptions<K, S>): StateStore<K, S> {
  const check = new StreamChecker('memoryState', options, STATE_KEYS)
  const limits = checkStateOptions(check, options)
  check.done()
  return new MemoryState(limits)
}

/** Its map is in the order of the last `set`, so that what is over is always at the front. */
export class MemoryState<K, S> implements StateStore<K, S> {
  /** For checkpoints alone. */
  readonly map = new Map<K, { value: S; since: number }>()
  /** Where there is a job: what its next checkpoint has to write. */
  changes: Changes<K> | undefined
  private readonly reorders: boolean

  constructor(private readonly limits: StateLimits<K, S>) {
    this.reorders = limits.ttl !== Number.POSITIVE_INFINITY || limits.evict
  }

  get size(): number {
    this.expire()
    return this.map.size
  }

  get(key: K): S | undefined {
    this.expire()
    return this.map.get(key)?.value
  }

  set(key: K, value: S): void {
    const { map, limits } = this
    const now = this.expire()
    const since = limits.stamp === undefined ? now : limits.stamp()
    const entry = map.get(key)
    if (entry !== undefined && !this.reorders) {
      entry.value = value
      this.changes?.changed(key)
      return
    }
    if (entry !== undefined) map.delete(key)
    else if (map.size >= limits.maxKeys) {
      if (!limits.evict) throw new StateFullError(`keyed state: more than ${limits.maxKeys} keys ('maxKeys')`)
      this.dropFirst()
    }
    map.set(key, { value, since })
    this.changes?.added(key)
  }

  delete(key: K): boolean {
    this.expire()
    this.changes?.removed(key)
    return this.map.delete(key)
  }

  *entries(): Generator<readonly [K, S]> {
    this.expire()
    for (const [key, { value }] of this.map) yield [key, value]
  }

  clear(): void {
    if (this.changes !== undefined) for (const key of this.map.keys()) this.changes.removed(key)
    this.map.clear()
  }

  private expire(): number {
    const { ttl, now } = this.limits
    if (ttl === Number.POSITIVE_INFINITY) return 0
    const time = now()
    for (const { since } of this.map.values()) {
      if (!(time - since >= ttl)) break
      this.dropFirst()
    }
    return time
  }

  private dropFirst(): void {
    for (const [key, { value }] of this.map) {
      this.map.delete(key)
      this.changes?.removed(key)
      this.limits.onEvict?.(key, value)
      return
    }
  }
}
