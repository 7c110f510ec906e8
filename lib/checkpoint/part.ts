/** Turns what an older version of a step kept into what this one keeps. */
export type Migrate = (value: unknown, from: number, key: unknown) => unknown

/** What a checkpoint writes for one operator. */
export interface Saved {
  /** Written each time. */
  head?: unknown
  /** By key, three places each: key, what has happened to it, value. */
  entries: unknown[]
}

/** What has happened to a key since the last checkpoint. */
export enum Change {
  /** It has another value, and its place among the keys. */
  Value = 0,
  /** It is new, or has moved: behind all others. */
  New = 1,
  Gone = 2,
  /** Not a key: a block of the operator's own. */
  Block = 3,
}

/** Something that an operator keeps by places of its own; a checkpoint counts and cuts its entries by their number. */
export interface Block {
  readonly places: readonly number[]
}

/** What an entry counts for. */
export function weightOf(change: Change, value: unknown): number {
  return change === Change.Block ? 1 + (value as Block).places.length : 1
}

/** The state of one operator in one subscription. */
export interface StatePart {
  /** Where it outgrows memory: the store keeps each key's value in a place of its own, and no key's is written twice. */
  readonly inPlace?: (key: unknown) => string
  /** How many keys there are, or what all blocks and keys count for. */
  readonly size: number
  /** Everything (`all`), or what has changed since the last call. What it returns is read before anything else happens. */
  save(all: boolean): Saved
  /** Called at most once, before the first item. `migrate` is given where a step's version has changed. */
  load(head: unknown, entries: Iterable<readonly [key: unknown, change: Change, value: unknown]>, migrate?: Value): void
}

/** `migrate` of a step, with the version filled in. */
export type Value = (value: unknown, key: unknown) => unknown

/** What `Changes` take from: a `Map`, or what is like one. */
export interface Kept<K, V> extends Iterable<readonly [K, V]> {
  get(key: K): V | undefined
}

/**
 * Which keys have changed since the last checkpoint. A `Map` that is made again by these changes has its keys in the same
 * order, so a job goes on in the very order in which it would have.
 */
export class Changes<K> {
  private changes = new Map<K, Change>()

  changed(key: K): void {
    if (!this.changes.has(key)) this.changes.set(key, Change.Value)
  }

  added(key: K): void {
    this.changes.delete(key)
    this.changes.set(key, Change.New)
  }

  removed(key: K): void {
    this.changes.delete(key)
    this.changes.set(key, Change.Gone)
  }

  /** The entries for a checkpoint; `all`: of the whole map, whatever has changed. */
  take<V>(map: Kept<K, V>, all: boolean, pack: (value: V) => unknown): unknown[] {
    const entries: unknown[] = []
    if (all) {
      for (const [key, value] of map) entries.push(key, Change.New, pack(value))
    } else {
      for (const [key, change] of this.changes) {
        if (change === Change.Gone) entries.push(key, change, undefined)
        else entries.push(key, change, pack(map.get(key)!))
      }
    }
    this.changes = new Map()
    return entries
  }
}

/** Makes a map again from the entries of all its checkpoints. */
export function replay<K, V>(
  map: Map<K, V>,
  entries: Iterable<readonly [key: unknown, change: Change, value: unknown]>,
  unpack: (value: unknown, key: K) => V,
): void {
  const raw = new Map<K, unknown>()
  for (const [key, change, value] of entries) {
    if (change !== Change.Value) raw.delete(key as K)
    if (change !== Change.Gone) raw.set(key as K, value)
  }
  for (const [key, value] of raw) map.set(key, unpack(value, key))
}
