import type { Checker } from '../checker'
import { PoolClosedError } from '../errors'
import type { NativePool } from '../native'
import type { Isolation } from '../options'
import type { Seats } from './seats'

/** When an interpreter is replaced by a new one. */
export interface RecycleLimits {
  /** Batches that it has run. */
  batches: number | undefined
  /** Resident bytes of its process. */
  memory: number | undefined
}

/** What the option `recycleAfter` says, checked; undefined where it is not given. */
export function checkRecycling(check: Checker, given: unknown, isolation: Isolation): RecycleLimits | undefined {
  if (given === undefined) return undefined
  let limits: RecycleLimits = { batches: undefined, memory: undefined }
  if (typeof given !== 'object' || given === null) {
    limits = { ...limits, batches: check.whole('recycleAfter', given, 1, Number.MAX_SAFE_INTEGER) }
  } else if (check.object('recycleAfter', given, ['batches', 'memory'])) {
    const { batches, memory } = given as { batches?: unknown; memory?: unknown }
    limits = {
      batches: check.whole('recycleAfter.batches', batches, 1, Number.MAX_SAFE_INTEGER),
      memory: check.whole('recycleAfter.memory', memory, 1, Number.MAX_SAFE_INTEGER),
    }
    if (Object.values(given).every((value) => value === undefined)) {
      check.problem("'recycleAfter' must have 'batches' or 'memory', or be a number of batches", given)
    }
  }
  if (isolation === 'shared') {
    check.problem(
      "'recycleAfter' is not for isolation 'shared', where all interpreters are the same Python: use 'process'",
    )
  } else if (isolation === 'namespace' && limits.memory !== undefined) {
    check.problem(
      "'recycleAfter.memory' is not for isolation 'namespace', where the memory of one interpreter cannot be told from " +
        "the rest of the process: use 'process', or 'recycleAfter.batches'",
    )
  }
  return limits
}

/** Milliseconds between two looks at the memory of the interpreters. */
const MEMORY_INTERVAL = 250
/** Calls after which an interpreter is looked at again that was due and could not go. */
const LOOK_AGAIN = 64
const FIRST_PAUSE = 1000
const LONGEST_PAUSE = 60_000

type Native = Pick<NativePool, 'load' | 'memory'>

/**
 * Replaces interpreters that have run so many batches, or whose process has grown so large. One at a time, so that there
 * is never more than one interpreter too many.
 */
export class Recycler {
  /** How many were replaced. */
  count = 0
  /** Calls that may be settled before another interpreter can have reached its limit. */
  private left = 0
  private busy = false
  private failures = 0
  private warned = false
  private closed = false
  private memory: number | undefined
  private timer: NodeJS.Timeout | undefined
  private retry: NodeJS.Timeout | undefined
  private readonly numbers = new Float64Array(4)

  constructor(
    private readonly seats: Pick<Seats, 'all' | 'mayGo' | 'replace'>,
    private readonly native: Native,
    private readonly limits: RecycleLimits,
  ) {
    this.memory = limits.memory
    if (this.memory === undefined) return
    this.timer = setInterval(() => this.look(), MEMORY_INTERVAL)
    this.timer.unref()
  }

  /** To be called for each call that has come to its end. */
  settled(): void {
    if (this.limits.batches !== undefined && --this.left <= 0) this.look()
  }

  close(): void {
    this.closed = true
    clearInterval(this.timer)
    clearTimeout(this.retry)
  }

  private look(): void {
    this.left = LOOK_AGAIN
    if (this.busy || this.closed || this.retry !== undefined) return
    const seat = this.seats.all.find((one) => this.isDue(one) && this.seats.mayGo(one))
    if (seat !== undefined) void this.replace(seat)
  }

  /** Also keeps `left` small enough for an interpreter that is not due yet. */
  private isDue(seat: number): boolean {
    const batches = this.batchesOf(seat)
    if (this.memory !== undefined && batches > 0 && this.native.memory(seat) >= this.memory) return true
    if (this.limits.batches === undefined) return false
    const left = this.limits.batches - batches
    if (left > 0) this.left = Math.min(this.left, left)
    return left <= 0
  }

  private batchesOf(seat: number): number {
    this.native.load(seat, this.numbers)
    return this.numbers[0]!
  }

  private async replace(seat: number): Promise<void> {
    this.busy = true
    const before = new Set(this.seats.all)
    try {
      if (await this.seats.replace(seat)) this.count++
      this.failures = 0
      this.checkNew(this.seats.all.find((one) => !before.has(one)))
    } catch (error) {
      this.failed(error)
    } finally {
      this.busy = false
    }
    this.look()
  }

  /** A limit that a new interpreter is above from the start would have it replaced for ever. */
  private checkNew(seat: number | undefined): void {
    const { memory } = this
    if (memory === undefined || seat === undefined) return
    const used = this.native.memory(seat)
    if (used < memory) return
    this.memory = undefined
    clearInterval(this.timer)
    this.warn(
      `'recycleAfter.memory' is ${memory} bytes, but a new interpreter has ${used} already: it is ignored from now`,
    )
  }

  private failed(error: unknown): void {
    if (error instanceof PoolClosedError) this.close()
    if (this.closed) return
    this.warn(`an interpreter could not be replaced, so the old one stays: ${(error as Error).message}`)
    const pause = Math.min(FIRST_PAUSE * 2 ** this.failures++, LONGEST_PAUSE)
    this.retry = setTimeout(() => {
      this.retry = undefined
      this.look()
    }, pause)
    this.retry.unref()
  }

  private warn(message: string): void {
    if (this.warned) return
    this.warned = true
    process.emitWarning(message, { type: 'RxjsPythonWarning', code: 'RXJS_PYTHON_RECYCLE' })
  }
}
