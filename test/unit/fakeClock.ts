interface FakeTimer {
  at: number
  run: () => void
}

/** Time that passes only when the test says so: stands in for `setTimeout`, `clearTimeout` and `performance.now`. */
export class FakeClock {
  private now = 0
  private readonly timers = new Set<FakeTimer>()
  private readonly real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout }

  install(): void {
    const set = (run: () => void, milliseconds = 0) => {
      const timer = { at: this.now + milliseconds, run }
      this.timers.add(timer)
      return timer
    }
    globalThis.setTimeout = set as unknown as typeof setTimeout
    globalThis.clearTimeout = ((timer: FakeTimer) => this.timers.delete(timer)) as unknown as typeof clearTimeout
    performance.now = () => this.now
  }

  uninstall(): void {
    Object.assign(globalThis, this.real)
    Reflect.deleteProperty(performance, 'now')
  }

  /** How many timers are set. */
  get pending(): number {
    return this.timers.size
  }

  /** Lets time pass, and with it the timers that are due run in their order, and microtasks after each. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.now + milliseconds
    for (;;) {
      const [due] = [...this.timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)
      if (due === undefined) break
      this.timers.delete(due)
      this.now = Math.max(this.now, due.at)
      due.run()
      await new Promise((resolve) => setImmediate(resolve))
    }
    this.now = end
    await new Promise((resolve) => setImmediate(resolve))
  }
}
