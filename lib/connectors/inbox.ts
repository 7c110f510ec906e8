/** What a server pushes, on its way to who pulls it. How much there may be is for the server to know (credit, prefetch). */
export class Inbox<T> {
  private items: T[] = []
  private at = 0
  private failure: { error: unknown } | undefined
  private ended = false
  private wake: (() => void) | undefined

  /** How many wait to be taken. */
  get size(): number {
    return this.items.length - this.at
  }

  push(item: T): void {
    if (this.ended) return
    this.items.push(item)
    this.wake?.()
  }

  /** What has come can still be taken; then `next` rejects with the error. */
  fail(error: unknown): void {
    this.failure ??= { error }
    this.wake?.()
  }

  /** What has not been taken is dropped; `next` gives undefined from now on. */
  end(): void {
    this.ended = true
    this.items = []
    this.at = 0
    this.wake?.()
  }

  /** The next item if there is one at this moment. */
  poll(): T | undefined {
    if (this.at >= this.items.length) return undefined
    const item = this.items[this.at]!
    // A slot that was taken holds nothing; the array is cut when half of it is empty.
    this.items[this.at++] = undefined as never
    if (this.at > 1024 && this.at * 2 > this.items.length) {
      this.items = this.items.slice(this.at)
      this.at = 0
    }
    return item
  }

  /** All that are there at this moment, at most `limit`. */
  pollMany(limit: number): T[] {
    const some = this.items.slice(this.at, this.at + limit)
    this.items = this.items.slice(this.at + some.length)
    this.at = 0
    return some
  }

  /** Resolves when there is an item (true), or will be none any more (false). */
  async ready(): Promise<boolean> {
    while (this.size === 0) {
      if (this.ended) return false
      if (this.failure !== undefined) throw this.failure.error
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
      this.wake = undefined
    }
    return true
  }
}
