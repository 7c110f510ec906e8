/** A batch on its way through Python and out again, as a link of the queue of results. */
export class Batch<I> {
  state: 'running' | 'done' | 'failed' = 'running'
  /** What goes downstream. */
  values: readonly unknown[] = []
  /** How many of the values have gone. */
  at = 0
  error: unknown = undefined
  /** Whether the stream cannot go on after the error. */
  fatal = false
  next: Batch<I> | undefined = undefined
  /** How many items leave the stage with this batch. */
  size: number
  readonly sent = performance.now()

  constructor(readonly items: readonly I[]) {
    this.size = items.length
  }

  done(values: readonly unknown[]): void {
    this.state = 'done'
    this.values = values
  }

  failed(error: unknown, fatal: boolean): void {
    this.state = 'failed'
    this.error = error
    this.fatal = fatal
  }
}

/** Batches in the order in which their results go downstream. */
export class BatchQueue<I> {
  head: Batch<I> | undefined
  /** How many batches are in the queue. */
  length = 0
  private tail: Batch<I> | undefined

  append(batch: Batch<I>): void {
    if (this.tail === undefined) this.head = batch
    else this.tail.next = batch
    this.tail = batch
    this.length++
  }

  /** Puts `batch` behind `before`, which is in the queue. */
  insertAfter(before: Batch<I>, batch: Batch<I>): void {
    batch.next = before.next
    before.next = batch
    if (this.tail === before) this.tail = batch
    this.length++
  }

  removeHead(): void {
    const head = this.head
    if (head === undefined) return
    this.head = head.next
    if (this.head === undefined) this.tail = undefined
    this.length--
  }

  clear(): void {
    this.head = this.tail = undefined
    this.length = 0
  }
}
