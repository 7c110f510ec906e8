/** When a batch is full, and how long one that is not full may wait. */
export interface BatchLimits {
  /** The most items in a batch. May change while the batcher is in use: batches that wait are joined or cut. */
  maxItems: number
  /** The most bytes in a batch, as `sizeOf` counts them; a single larger item makes a batch of its own. */
  maxBytes: number
  /** How long a batch may wait for more items after its first one, in milliseconds; 0: not at all (natural batching). */
  maxWait: number
}

/**
 * Collects items into batches. Items are put straight into the array that becomes the batch, so a batch costs no copy.
 *
 * With natural batching a batch may go at the end of the microtask in which its first item came, so that items which
 * come together go together; as long as nobody takes it, it grows up to the limits.
 */
export class Batcher<I> {
  /** How many items wait. A plain field, because it is read for every item. */
  waiting = 0

  /** Batches that have reached a limit, the oldest at `first`. */
  private full: I[][] = []
  /** Their bytes, as far as they are measured. */
  private fullBytes: number[] = []
  private first = 0
  /** Items at the front of the oldest batch that were dropped. */
  private skipped = 0

  /** The batch that still grows. */
  private open: I[] = []
  private openBytes = 0
  private openSince = 0
  /** Whether the open batch may be taken although it is not full. */
  private ripe = false
  private draining = false

  private scheduled = false
  private timer: NodeJS.Timeout | undefined

  /**
   * `ready` is called when there is a batch to take: at once when one is full, else from a microtask or timer. `sizeOf`
   * is called for each item where given.
   */
  constructor(
    private readonly limits: BatchLimits,
    private readonly ready: () => void,
    private readonly sizeOf?: (item: I) => number,
  ) {}

  push(item: I): void {
    if (this.sizeOf !== undefined) this.weigh(item, this.sizeOf)
    const { open } = this
    open.push(item)
    this.waiting++
    if (open.length >= this.limits.maxItems) {
      this.seal()
      this.ready()
    } else if (open.length === 1) {
      this.begin()
    }
  }

  /** The next batch that may go, if there is one. */
  take(): I[] | undefined {
    if (this.first < this.full.length) {
      const batch = this.full[this.first]!
      if (batch.length > this.limits.maxItems) return this.cut(batch)
      let bytes = this.fullBytes[this.first]!
      this.full[this.first++] = []
      const whole = this.hand(batch)
      while (this.first < this.full.length) {
        const next = this.full[this.first]!
        bytes += this.fullBytes[this.first]!
        if (whole.length + next.length > this.limits.maxItems || bytes > this.limits.maxBytes) break
        this.full[this.first++] = []
        this.waiting -= next.length
        for (const item of next) whole.push(item)
      }
      this.compact()
      return whole
    }
    if (!this.ripe || this.open.length === 0) return undefined
    const batch = this.open
    this.reopen()
    return this.hand(batch)
  }

  /** No more items come: every batch may go at once. */
  drain(): void {
    this.draining = true
    this.ripe = this.open.length > 0
    this.stopTimer()
  }

  dropOldest(): void {
    if (this.waiting === 0) return
    this.waiting--
    this.skipped++
    if (this.first < this.full.length) {
      if (this.skipped < this.full[this.first]!.length) return
      this.full[this.first++] = []
    } else {
      if (this.skipped < this.open.length) return
      this.reopen()
    }
    this.skipped = 0
  }

  /** Forgets what waits and returns how many items that were. */
  clear(): number {
    const { waiting } = this
    this.full.length = this.fullBytes.length = this.first = this.skipped = this.waiting = 0
    this.reopen()
    this.stopTimer()
    return waiting
  }

  private hand(batch: I[]): I[] {
    const kept = this.skipped > 0 ? batch.slice(this.skipped) : batch
    this.skipped = 0
    this.waiting -= kept.length
    return kept
  }

  /** The front of a batch that was filled when more items were allowed. */
  private cut(batch: I[]): I[] {
    const from = this.skipped
    const items = batch.slice(from, from + this.limits.maxItems)
    this.skipped = 0
    this.waiting -= items.length
    const rest = batch.slice(from + items.length)
    if (rest.length > 0) this.full[this.first] = rest
    else this.full[this.first++] = []
    this.compact()
    return items
  }

  /** Gives up the places of batches that have gone. */
  private compact(): void {
    if (this.first === this.full.length) {
      this.full.length = this.fullBytes.length = this.first = 0
    } else if (this.first >= 64 && this.first * 2 > this.full.length) {
      this.full = this.full.slice(this.first)
      this.fullBytes = this.fullBytes.slice(this.first)
      this.first = 0
    }
  }

  private weigh(item: I, sizeOf: (item: I) => number): void {
    const bytes = sizeOf(item)
    if (this.open.length > 0 && this.openBytes + bytes > this.limits.maxBytes) {
      this.seal()
      this.ready()
    }
    this.openBytes += bytes
  }

  private seal(): void {
    this.full.push(this.open)
    this.fullBytes.push(this.openBytes)
    this.reopen()
  }

  private reopen(): void {
    this.open = []
    this.openBytes = 0
    this.ripe = false
  }

  private begin(): void {
    const { maxWait } = this.limits
    if (this.draining) {
      this.ripe = true
      this.ready()
    } else if (maxWait > 0) {
      this.openSince = performance.now()
      if (this.timer === undefined) this.timer = setTimeout(this.onTimer, maxWait)
    } else if (!this.scheduled) {
      this.scheduled = true
      queueMicrotask(this.onMicrotask)
    }
  }

  private readonly onMicrotask = (): void => {
    this.scheduled = false
    if (this.open.length === 0) return
    this.ripe = true
    this.ready()
  }

  /** One timer serves one batch after the other: it is cheaper to look again than to set one up for each batch. */
  private readonly onTimer = (): void => {
    this.timer = undefined
    if (this.open.length === 0) return
    const left = this.openSince + this.limits.maxWait - performance.now()
    if (left > 0.5) {
      this.timer = setTimeout(this.onTimer, left)
      return
    }
    this.ripe = true
    this.ready()
  }

  private stopTimer(): void {
    clearTimeout(this.timer)
    this.timer = undefined
  }
}
