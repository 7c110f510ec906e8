import type { RawRecord } from './adapter'

export interface ReadAheadOptions {
  /** From so many records on the partition is paused. */
  readonly records: number
  /** And from so many bytes on. */
  readonly bytes: number
}

/** Records that have come and were not asked for yet. Says when to pause their partition, and when to let it go on. */
export class ReadAhead {
  paused = false
  private items: RawRecord[] = []
  private at = 0
  private held = 0
  private waiting: (() => void) | undefined
  private ended = false
  private resting = false
  private failure: { error: unknown } | undefined

  constructor(
    private readonly options: ReadAheadOptions,
    private readonly pause: () => void,
    private readonly resume: () => void,
  ) {}

  /** How many there are. */
  get size(): number {
    return this.items.length - this.at
  }

  push(record: RawRecord): void {
    if (this.ended || this.resting) return
    this.items.push(record)
    this.held += sizeOf(record)
    const { records, bytes } = this.options
    if (!this.paused && (this.size >= records || this.held >= bytes)) {
      this.paused = true
      this.pause()
    }
    this.wake()
  }

  /** The next record, or undefined where there is none now. */
  take(): RawRecord | undefined {
    if (this.failure !== undefined) throw this.failure.error
    if (this.at === this.items.length) return undefined
    const record = this.items[this.at++]!
    this.held -= sizeOf(record)
    if (this.at >= 1024 && this.at * 2 >= this.items.length) {
      this.items = this.items.slice(this.at)
      this.at = 0
    }
    const { records, bytes } = this.options
    if (this.paused && this.size <= records / 2 && this.held <= bytes / 2) {
      this.paused = false
      this.resume()
    }
    return record
  }

  /** Resolves when there is a record; false where none will come any more, or nobody wants one any more. */
  async more(signal?: AbortSignal): Promise<boolean> {
    const leave = () => this.wake()
    signal?.addEventListener('abort', leave, { once: true })
    while (this.size === 0 && !this.ended && this.failure === undefined && !signal?.aborted) {
      await new Promise<void>((resolve) => {
        this.waiting = resolve
      })
    }
    signal?.removeEventListener('abort', leave)
    return !this.ended && !signal?.aborted
  }

  /** Drops what was there, and what comes until `goOn`: the partition is read anew from another place. */
  reset(): void {
    this.resting = true
    this.items = []
    this.at = 0
    this.held = 0
    this.paused = false
  }

  goOn(): void {
    this.resting = false
  }

  /** Nothing comes any more, and what was there is dropped. */
  end(): void {
    this.ended = true
    this.reset()
    this.wake()
  }

  fail(error: unknown): void {
    this.failure ??= { error }
    this.wake()
  }

  private wake(): void {
    const { waiting } = this
    this.waiting = undefined
    waiting?.()
  }
}

function sizeOf({ key, value }: RawRecord): number {
  return (key?.length ?? 0) + (value?.length ?? 0) + 64
}
