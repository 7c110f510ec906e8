import type { Holder } from '../checkpoint/scope'
import { Gate } from '../sources/gate'
import type { Sink } from './sinks'

/** Writes into a sink, and holds back what lies upstream while the sink has not taken what came. */
export class SinkWriter<T> implements Holder {
  /** For the subscription of the stream. */
  readonly gate = new Gate()
  private pending = 0
  private waiting: (() => void)[] = []
  private held = false

  constructor(
    private readonly sink: Sink<T>,
    private readonly failed: (error: unknown) => void,
  ) {}

  /** Whether the sink has taken everything. */
  get idle(): boolean {
    return this.pending === 0
  }

  write(value: T): void {
    try {
      const taken = this.sink.write(value)
      if (taken !== undefined && typeof taken?.then === 'function') this.wait(taken)
    } catch (error) {
      this.failed(error)
    }
  }

  /** Resolves when the sink has taken everything, or the writer is disposed of. */
  async whenIdle(): Promise<void> {
    if (this.pending > 0) await new Promise<void>((resolve) => this.waiting.push(resolve))
  }

  /** Nothing more comes before `release`. */
  hold(): void {
    this.held = true
    this.gate.close()
  }

  release(): void {
    this.held = false
    if (this.pending === 0) this.gate.open()
  }

  dispose(): void {
    this.gate.dispose()
    this.wake()
  }

  private wait(taken: Promise<void>): void {
    this.pending++
    this.gate.close()
    taken.then(
      () => {
        this.pending--
        if (this.pending > 0) return
        if (!this.held) this.gate.open()
        this.wake()
      },
      (error) => {
        this.pending--
        this.failed(error)
      },
    )
  }

  private wake(): void {
    const { waiting } = this
    this.waiting = []
    for (const resolve of waiting) resolve()
  }
}
