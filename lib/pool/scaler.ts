import { PoolClosedError } from '../errors'
import type { NativePool } from '../native'
import { type Decision, Scaling, type ScalingLimits } from './scaling'
import type { Seats } from './seats'

/** Milliseconds between two looks at the load. */
const INTERVAL = 100

/** A pool's size has changed. */
export interface ResizeEvent {
  /** How many interpreters there are now. */
  size: number
  /** `'backlog'`: batches waited for one more; `'idle'`: there was nothing to do for it; `'no gain'`: it made nothing quicker. */
  reason: Decision['reason']
}

/** What a scaler asks of the pool. */
export interface Scaled {
  readonly seats: Pick<Seats, 'all' | 'add' | 'remove'>
  readonly native: Pick<NativePool, 'load' | 'waiting'>
  /** Calls without a result. */
  readonly pending: number
}

/** Lets the size of a pool follow its load. Looks at it only while there are calls, or more interpreters than `min`. */
export class Scaler {
  private readonly scaling: Scaling
  private timer: NodeJS.Timeout | undefined
  private resizing = false
  private closed = false
  private warned = false
  private before = new Map<number, readonly number[]>()
  private readonly numbers = new Float64Array(4)

  constructor(
    private readonly pool: Scaled,
    private readonly limits: ScalingLimits,
    private readonly resized: (event: ResizeEvent) => void,
  ) {
    this.scaling = new Scaling(limits)
  }

  /** To be called when there is a call again. */
  wake(): void {
    if (this.timer !== undefined || this.closed) return
    this.timer = setInterval(() => this.look(), INTERVAL)
    this.timer.unref()
    this.look()
  }

  close(): void {
    this.closed = true
    this.rest()
  }

  private rest(): void {
    clearInterval(this.timer)
    this.timer = undefined
    this.scaling.rest()
    this.before.clear()
  }

  private look(): void {
    const { seats, pending } = this.pool
    const decision = this.scaling.decide(this.sample())
    if (decision !== undefined && !this.resizing) void this.resize(decision)
    if (pending === 0 && !this.resizing && seats.all.length <= this.limits.min) this.rest()
  }

  private sample() {
    const { seats, native } = this.pool
    const { numbers } = this
    const sum = { batches: 0, items: 0, busy: 0 }
    const now = new Map<number, readonly number[]>()
    let meant = 0
    for (const seat of seats.all) {
      native.load(seat, numbers)
      const [batches, items, busy, own] = [...numbers] as [number, number, number, number]
      const earlier = this.before.get(seat)
      // A seat's number may stand for another interpreter by now, which counts from 0.
      const [b, i, t] = earlier !== undefined && earlier[2]! <= busy ? (earlier as [number, number, number]) : [0, 0, 0]
      sum.batches += batches - b
      sum.items += items - i
      sum.busy += busy - t
      meant += own
      now.set(seat, [batches, items, busy])
    }
    this.before = now
    return { ...sum, time: performance.now(), size: seats.all.length, waiting: Math.max(0, native.waiting() - meant) }
  }

  private async resize({ size, reason }: Decision): Promise<void> {
    const { seats } = this.pool
    const from = seats.all.length
    this.resizing = true
    try {
      const added = await Promise.allSettled(Array.from({ length: Math.max(0, size - from) }, () => this.add(reason)))
      const failed = added.find((one) => one.status === 'rejected')
      if (failed !== undefined) throw failed.reason
      while (seats.all.length > size && seats.remove()) this.tell(reason)
    } catch (error) {
      this.failed(error)
    } finally {
      this.resizing = false
    }
  }

  private async add(reason: Decision['reason']): Promise<void> {
    await this.pool.seats.add()
    this.tell(reason)
  }

  private tell(reason: Decision['reason']): void {
    this.resized({ size: this.pool.seats.all.length, reason })
  }

  private failed(error: unknown): void {
    if (error instanceof PoolClosedError || this.closed) return
    this.scaling.refused()
    if (this.warned) return
    this.warned = true
    process.emitWarning(`a further interpreter did not start: ${(error as Error).message}`, {
      type: 'RxjsPythonWarning',
      code: 'RXJS_PYTHON_RESIZE',
    })
  }
}
