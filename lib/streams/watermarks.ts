interface Partition {
  /** The latest event time seen. */
  latest: number
  /** When its last item came, by the clock. */
  arrived: number
  idle: boolean
}

/** What a checkpoint keeps of watermarks. */
export interface SavedWatermarks {
  current: number
  latest: number
  partitions: [name: unknown, latest: number, idle: boolean][]
}

/**
 * Makes watermarks: the latest event time of each partition, less the disorder that is expected; the slowest partition
 * decides. A partition that has been silent for `idle` milliseconds of the clock is left out until it sends again; while
 * all are silent, event time goes on as the clock does.
 */
export class WatermarkMaker {
  /** The watermark so far; it never goes back. */
  current = Number.NEGATIVE_INFINITY

  private readonly partitions = new Map<unknown, Partition>()
  /** The partition that decides, as far as it is known. */
  private slowest: Partition | undefined
  private latest = Number.NEGATIVE_INFINITY
  private arrived = 0
  private lastName: unknown
  private last: Partition | undefined

  constructor(
    private readonly disorder: number,
    private readonly idle: number | undefined,
    expected: readonly unknown[],
    now: number,
  ) {
    for (const name of expected) this.add(name, now)
    this.findSlowest()
  }

  /** Takes note of an item; true when the watermark has moved. `now` counts only where there is an `idle` time. */
  observe(name: unknown, time: number, now: number): boolean {
    // Items of one partition mostly follow each other, and most streams have but one.
    let partition = name === this.lastName ? this.last : this.partitions.get(name)
    if (partition === undefined) {
      partition = this.add(name, now)
      this.slowest = undefined
    }
    this.lastName = name
    this.last = partition
    partition.arrived = this.arrived = now
    if (partition.idle) {
      partition.idle = false
      this.slowest = undefined
    }
    if (time > this.latest) this.latest = time
    if (time > partition.latest) {
      partition.latest = time
      if (partition === this.slowest && this.partitions.size > 1) this.slowest = undefined
    }
    this.slowest ??= this.findSlowest()
    return this.slowest !== undefined && this.raise(this.slowest.latest - this.disorder)
  }

  /** Leaves out who has been silent for too long; true when that moved the watermark. */
  lookForIdle(now: number): boolean {
    if (this.idle === undefined) return false
    let active = false
    for (const partition of this.partitions.values()) {
      if (!partition.idle && now - partition.arrived >= this.idle) {
        partition.idle = true
        this.slowest = undefined
      }
      active ||= !partition.idle
    }
    if (active) {
      this.slowest ??= this.findSlowest()
      return this.slowest !== undefined && this.raise(this.slowest.latest - this.disorder)
    }
    if (this.latest === Number.NEGATIVE_INFINITY) return false
    return this.raise(this.latest + (now - this.arrived) - this.disorder)
  }

  /** When `lookForIdle` should be called next, by the clock; undefined where there is nothing to look for. */
  nextLook(now: number): number | undefined {
    if (this.idle === undefined) return undefined
    let next = Number.POSITIVE_INFINITY
    for (const partition of this.partitions.values()) {
      if (!partition.idle) next = Math.min(next, partition.arrived + this.idle)
    }
    if (next < Number.POSITIVE_INFINITY) return next
    return this.latest === Number.NEGATIVE_INFINITY ? undefined : now + this.idle
  }

  save(): SavedWatermarks {
    const { current, latest, partitions } = this
    return { current, latest, partitions: Array.from(partitions, ([name, one]) => [name, one.latest, one.idle]) }
  }

  /** Goes on where `save` was called; who was silent then has been so since `now`. */
  load({ current, latest, partitions }: SavedWatermarks, now: number): void {
    this.current = current
    this.latest = latest
    this.arrived = now
    for (const [name, time, idle] of partitions) {
      this.partitions.set(name, { latest: time, arrived: now, idle })
    }
    this.lastName = this.last = undefined
    this.slowest = this.findSlowest()
  }

  private add(name: unknown, now: number): Partition {
    const partition = { latest: Number.NEGATIVE_INFINITY, arrived: now, idle: false }
    this.partitions.set(name, partition)
    return partition
  }

  private findSlowest(): Partition | undefined {
    let slowest: Partition | undefined
    for (const partition of this.partitions.values()) {
      if (!partition.idle && (slowest === undefined || partition.latest < slowest.latest)) slowest = partition
    }
    return slowest
  }

  private raise(time: number): boolean {
    // Whole milliseconds: the time of a window's result, its end less one, is then never late for what comes behind.
    const whole = Math.floor(time)
    if (!(whole > this.current)) return false
    this.current = whole
    return true
  }
}
