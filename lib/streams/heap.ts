export interface HeapEntry<T> {
  at: number
  order: number
  value: T
}

/** A priority queue: the entry with the lowest `at` first, of equals the one that was pushed first. */
export class Heap<T> {
  private entries: HeapEntry<T>[] = []
  private pushed = 0

  /** The `at` of the first entry; infinity where there is none. */
  get next(): number {
    return this.entries.length === 0 ? Number.POSITIVE_INFINITY : this.entries[0]!.at
  }

  push(at: number, value: T): void {
    const { entries } = this
    const entry = { at, order: this.pushed++, value }
    let place = entries.length
    entries.push(entry)
    while (place > 0) {
      const parent = (place - 1) >> 1
      if (!before(entry, entries[parent]!)) break
      entries[place] = entries[parent]!
      place = parent
    }
    entries[place] = entry
  }

  /** The entries, in the order in which they come; those for which `change` gives undefined are left out. */
  save<S>(change: (value: T) => S | undefined): HeapEntry<S>[] {
    const saved: HeapEntry<S>[] = []
    for (const { at, order, value } of this.entries) {
      const changed = change(value)
      if (changed !== undefined) saved.push({ at, order, value: changed })
    }
    return saved.sort((a, b) => (before(a, b) ? -1 : 1))
  }

  /** What `save` gave takes the place of everything. */
  load<S>(saved: readonly HeapEntry<S>[], change: (value: S) => T): void {
    // A sorted list is a heap.
    this.entries = saved.map(({ at, order, value }) => ({ at, order, value: change(value) }))
    this.pushed = saved.reduce((most, { order }) => Math.max(most, order + 1), 0)
  }

  pop(): T | undefined {
    const { entries } = this
    const first = entries[0]
    const last = entries.pop()
    if (first === undefined || last === undefined || entries.length === 0) return first?.value
    let place = 0
    for (;;) {
      let child = 2 * place + 1
      if (child >= entries.length) break
      if (child + 1 < entries.length && before(entries[child + 1]!, entries[child]!)) child++
      if (!before(entries[child]!, last)) break
      entries[place] = entries[child]!
      place = child
    }
    entries[place] = last
    return first.value
  }
}

function before(a: { at: number; order: number }, b: { at: number; order: number }): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
