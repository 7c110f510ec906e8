/** Where time comes from: the system, or a test (`VirtualClock` of `rxjs-python/testing`). All times are milliseconds. */
export interface Clock {
  now(): number
  /** Calls `run` once, `delay` milliseconds from now; returns what `clearTimeout` takes. */
  setTimeout(run: () => void, delay: number): unknown
  clearTimeout(timer: unknown): void
}

/** The system's time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (run, delay) => setTimeout(run, delay),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
}
