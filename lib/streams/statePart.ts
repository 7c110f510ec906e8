import { type Change, Changes, replay, type Saved, type StatePart, type Value } from '../checkpoint/part'
import { inJob } from '../checkpoint/scope'
import { MemoryState, type StateForm, type StateStore } from './state'

/** How far event time is. */
export interface Times {
  watermark: number
  latest: number
}

/** What is written each time; `values` are those of a store of the user's. */
export type Head<K> = Times & { values?: [K, unknown][] }

/** A state in a checkpoint; `order` where it was on a disk. */
export type Packed = [saved: unknown, since: number, order?: number]

type Entry<S> = { value: S; since: number }

/** Keyed state in checkpoints: by its changes where it lives in memory, all of it where it is in a store of the user's. */
export class StorePart<K, S> implements StatePart {
  private readonly changes = new Changes<K>()

  constructor(
    private readonly store: StateStore<K, S>,
    private readonly times: Times,
    private readonly form: StateForm<S>,
  ) {
    if (inJob() && store instanceof MemoryState) store.changes = this.changes
  }

  get size(): number {
    return this.store instanceof MemoryState ? this.store.map.size : 0
  }

  save(all: boolean): Saved {
    const { store, form } = this
    const { watermark, latest } = this.times
    if (store instanceof MemoryState) {
      const pack = ({ value, since }: Entry<S>) => [form.save(value), since]
      return { head: { watermark, latest }, entries: this.changes.take(store.map as Map<K, Entry<S>>, all, pack) }
    }
    const values = Array.from(store.entries(), ([key, value]) => [key, form.save(value)])
    return { head: { watermark, latest, values }, entries: [] }
  }

  load(head: unknown, entries: Iterable<readonly [unknown, Change, unknown]>, migrate?: Value): void {
    const { store, form } = this
    const { values = [], ...times } = head as Head<K>
    Object.assign(this.times, times)
    const made = (saved: unknown, key: unknown) => form.load(migrate === undefined ? saved : migrate(saved, key))
    const kept = new Map<K, Packed>()
    replay<K, Packed>(kept, entries, (packed) => packed as Packed)
    for (const [key, saved] of values) kept.set(key, [saved, times.latest])
    const inOrder = [...kept]
    // What was on a disk comes in the order of the keys.
    if (inOrder.some(([, [, , order]]) => order !== undefined)) inOrder.sort(([, a], [, b]) => a[2]! - b[2]!)
    if (!(store instanceof MemoryState)) store.clear()
    for (const [key, [saved, since]] of inOrder) {
      const value = made(saved, key)
      if (store instanceof MemoryState) (store.map as Map<K, Entry<S>>).set(key, { value, since })
      else store.set(key, value)
    }
  }
}
