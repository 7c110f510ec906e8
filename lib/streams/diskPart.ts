import { Change, Changes, type Saved, type StatePart, type Value } from '../checkpoint/part'
import { inJob } from '../checkpoint/scope'
import { bytesOf, type DiskState, type Kept } from './diskState'
import type { StateForm } from './state'
import type { Head, Packed, Times } from './statePart'

/** Keyed state that is on the disk, in checkpoints: what has changed, each key's in a place of its own. */
export class DiskPart<K, S> implements StatePart {
  private readonly changes = new Changes<K>()

  constructor(
    private readonly store: DiskState<K, S>,
    private readonly times: Times,
    private readonly form: StateForm<S>,
  ) {
    if (inJob()) store.changes = this.changes
  }

  readonly inPlace = (key: unknown): string => bytesOf(key).toString('base64url')

  get size(): number {
    return this.store.closed ? 0 : this.store.size
  }

  save(all: boolean): Saved {
    const { store, form, changes } = this
    const { watermark, latest } = this.times
    // It ended before the job, so nobody asks for it any more.
    if (store.closed) return { head: { watermark, latest }, entries: [] }
    const kept = { get: (key: K) => store.find(key), [Symbol.iterator]: () => store.all() }
    const pack = ({ value, since, order }: Kept<S>): Packed => [form.save(value), since, order]
    return { head: { watermark, latest }, entries: changes.take(kept, all, pack) }
  }

  load(head: unknown, entries: Iterable<readonly [unknown, Change, unknown]>, migrate?: Value): void {
    const { store, form } = this
    const { values = [], ...times } = head as Head<K>
    Object.assign(this.times, times)
    // What comes from the checkpoint is no change.
    store.changes = undefined
    const put = (key: K, [saved, since, order]: Packed) =>
      store.put(key, form.load(migrate === undefined ? saved : migrate(saved, key)), since, order)
    for (const [key, change, packed] of entries) {
      if (change === Change.Gone) store.remove(key as K)
      else put(key as K, packed as Packed)
    }
    for (const [key, saved] of values) put(key, [saved, times.latest])
    store.settle()
    store.changes = this.changes
  }
}
