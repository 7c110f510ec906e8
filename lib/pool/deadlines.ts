/** Something to be done at a time, unless it is called off. */
export interface Deadline {
  /** By `performance.now()`. */
  readonly at: number
  readonly act: () => void
  readonly timer: NodeJS.Timeout
}

/**
 * Timers of a pool that go off in `callSync`, too: while the thread waits there its event loop stands still, and what the
 * wait is for may be behind a call that only its time limit ends.
 */
export class Deadlines {
  private readonly open = new Set<Deadline>()

  /** @param keeps whether the process stays alive for it */
  after(milliseconds: number, act: () => void, keeps = true): Deadline {
    const timer = setTimeout(() => this.reach(deadline), milliseconds)
    if (!keeps) timer.unref()
    const deadline: Deadline = { at: performance.now() + milliseconds, act, timer }
    this.open.add(deadline)
    return deadline
  }

  callOff(deadline: Deadline | undefined): void {
    if (deadline === undefined || !this.open.delete(deadline)) return
    clearTimeout(deadline.timer)
  }

  /** Milliseconds until the next one, or `most` where that is less. */
  next(most: number): number {
    if (this.open.size === 0) return most
    const now = performance.now()
    for (const { at } of this.open) most = Math.min(most, at - now)
    return Math.max(0, most)
  }

  /** Does what is due. */
  run(): void {
    if (this.open.size === 0) return
    const now = performance.now()
    for (const deadline of [...this.open]) {
      if (deadline.at > now || !this.open.has(deadline)) continue
      clearTimeout(deadline.timer)
      this.reach(deadline)
    }
  }

  private reach(deadline: Deadline): void {
    this.open.delete(deadline)
    deadline.act()
  }
}
