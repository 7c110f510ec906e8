export interface LogQueueOptions<M> {
  /** With so much waiting the server has to wait, too; with half of it, it goes on. */
  readonly readAhead: number
  /** How much a message counts; default: 1. */
  readonly weightOf?: (message: M) => number
  readonly pause: () => void
  readonly resume: () => void
}

/** What a database's log has said, on its way to who takes it. */
export class LogQueue<M> {
  private readonly messages: M[] = []
  private taken = 0
  private weight = 0
  private paused = false
  private over: { error: unknown } | undefined
  private wake: (() => void) | undefined

  constructor(private readonly options: LogQueueOptions<M>) {}

  /** Whether the server has to wait. */
  get isPaused(): boolean {
    return this.paused
  }

  /** Why nothing more comes. */
  get failure(): { error: unknown } | undefined {
    return this.over
  }

  /** The newest that waits to be taken. */
  get last(): M | undefined {
    return this.taken < this.messages.length ? this.messages.at(-1) : undefined
  }

  /** Puts a message of the same weight in the place of the newest that waits. */
  replaceLast(message: M): void {
    this.messages[this.messages.length - 1] = message
  }

  push(message: M): void {
    this.messages.push(message)
    this.weight += this.weightOf(message)
    if (!this.paused && this.weight >= this.options.readAhead) {
      this.paused = true
      this.options.pause()
    }
    this.notify()
  }

  /** What has come can still be taken. */
  fail(error: unknown): void {
    this.over ??= { error }
    this.notify()
  }

  /** What is there at once; undefined where nothing is. Throws the error of the log when all before it is taken. */
  take(): M | undefined {
    const { messages } = this
    if (this.taken === messages.length) {
      if (this.taken > 0) {
        messages.length = 0
        this.taken = 0
      }
      if (this.over !== undefined) throw this.over.error
      return undefined
    }
    const message = messages[this.taken]!
    // Let go of what was taken, in one go now and then.
    if (++this.taken >= 1024) {
      messages.splice(0, this.taken)
      this.taken = 0
    }
    this.weight -= this.weightOf(message)
    if (this.paused && this.weight <= this.options.readAhead / 2) {
      this.paused = false
      this.options.resume()
    }
    return message
  }

  /** Resolves when `take` has something to give or to throw. */
  async wait(): Promise<void> {
    if (this.taken < this.messages.length || this.over !== undefined) return
    await new Promise<void>((resolve) => {
      this.wake = resolve
    })
  }

  private weightOf(message: M): number {
    return this.options.weightOf?.(message) ?? 1
  }

  private notify(): void {
    const { wake } = this
    this.wake = undefined
    wake?.()
  }
}
