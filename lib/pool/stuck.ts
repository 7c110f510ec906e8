import { PythonStuckError } from '../errors'
import { GivenUp, type NativePool } from '../native'
import type { Channel } from './channel'
import type { Deadlines } from './deadlines'
import type { IsolationMode } from './isolation'
import { PendingCall } from './pending'

/** More threads than this do not get lost to code that does not stop. */
const MOST_STUCK = 32
/** Milliseconds that a new interpreter of isolation `shared` may wait for the GIL before it counts as held for good. */
const GIL_PATIENCE = 1000
/** Milliseconds between two looks whether a stuck interpreter has come back, where its place could not be filled. */
const LOOK_AGAIN = 500

const GIL_HELD =
  "a call that does not stop holds Python's GIL, which every interpreter of isolation 'shared' needs: until it lets go " +
  "no Python runs in this process. Isolations 'namespace' and 'process' keep such a call to itself"

const HELD = 'another call that the same interpreter was running beside this one does not stop'

/** What the watch needs of a pool's calls. */
export interface WatchedCalls {
  readonly native: NativePool
  readonly deadlines: Deadlines
  readonly seats: {
    readonly all: readonly number[]
    /** Starts one more interpreter. */
    add(): Promise<unknown>
  }
  /** Fails a call, and has Python stop it as soon as it can. */
  cancel(call: PendingCall, error: Error): void
  /** Fails every open call. */
  cancelAll(error: Error): void
}

/**
 * Sees to interpreters of this process whose call was asked to stop and does not: after the time of grace it is given
 * up, and another one takes its place. Worker processes are seen to where they are (native/process/).
 */
export class StuckWatch {
  /** Why no call can be made now. */
  blockedBy: PythonStuckError | undefined
  /** The call that tells when the interpreter that was started last is ready. */
  private replacement: PendingCall | undefined
  /** When the last replacement had started, and calls that waited for the same GIL could go on. */
  private replaced = Number.NEGATIVE_INFINITY
  /** Seats whose interpreter nothing has replaced. */
  missing = 0

  constructor(
    private readonly calls: WatchedCalls,
    private readonly channel: Channel,
    private readonly isolation: IsolationMode,
    /** Milliseconds. */
    private readonly grace: number,
  ) {}

  /** The call with this number runs, and has been asked to stop. */
  watch(number: number, call: PendingCall): void {
    if (this.isolation === 'process') return
    this.calls.deadlines.after(this.grace, () => this.look(number, call), false)
  }

  private look(number: number, call: PendingCall): void {
    if (!this.channel.has(number, call)) return
    // One at a time; and while the GIL is held, no call can do as it was told: each has its time of grace after that.
    if (this.replacing || performance.now() - this.replaced < this.grace) this.watch(number, call)
    else this.giveUp(number)
  }

  private giveUp(number: number): void {
    const { native } = this.calls
    const replace = native.counters().stuckNow < MOST_STUCK
    const start = new PendingCall(undefined, undefined, undefined, () => {})
    start.number = this.channel.add(start)
    const others = native.heldWith(number)
    const answer = native.giveUp(number, replace ? start.number : 0)
    if (answer !== GivenUp.Replaced) this.channel.remove(start.number)
    if (answer === GivenUp.Not) return
    warnOnce(this.grace)
    // Those that it was in the middle of: calls that wait for a callback, and batches of `async def` handlers.
    for (const other of others) {
      const call = this.channel.at(other)
      if (call !== undefined) this.calls.cancel(call, PythonStuckError.because(HELD))
    }
    if (answer === GivenUp.Replaced) this.awaitReplacement(start)
    else if (answer === GivenUp.Lost) this.lose(`${MOST_STUCK} interpreters are stuck in calls that do not stop`)
  }

  private get replacing(): boolean {
    return this.replacement !== undefined && !this.replacement.settled
  }

  private awaitReplacement(start: PendingCall): void {
    this.replacement = start
    const patience = Math.max(this.grace, GIL_PATIENCE)
    const { deadlines } = this.calls
    // Its promise tells later than the call itself, where the thread waits in callSync.
    const blocked = () => {
      if (!start.settled) this.block(GIL_HELD)
    }
    const limit = this.isolation === 'shared' ? deadlines.after(patience, blocked, false) : undefined
    start.promise.then(
      () => {
        deadlines.callOff(limit)
        this.replaced = performance.now()
        this.blockedBy = undefined
      },
      (error: Error) => {
        deadlines.callOff(limit)
        this.lose(`no interpreter could be started in place of one that is stuck: ${error.message}`)
      },
    )
  }

  private lose(reason: string): void {
    this.missing++
    if (this.missing >= this.calls.seats.all.length) this.block(reason)
    else process.emitWarning(reason, { type: 'RxjsPythonWarning', code: 'RXJS_PYTHON_STUCK' })
    const { native } = this.calls
    const before = native.counters().stuckNow
    const look = setInterval(() => {
      if (native.counters().stuckNow >= before) return
      clearInterval(look)
      this.blockedBy = undefined
      this.calls.seats.add().catch((error: Error) => {
        this.missing++
        if (this.missing >= this.calls.seats.all.length) this.block(error.message)
      })
    }, LOOK_AGAIN)
    look.unref()
  }

  private block(reason: string): void {
    this.blockedBy = PythonStuckError.because(reason)
    this.calls.cancelAll(this.blockedBy)
  }
}

let warned = false

function warnOnce(grace: number): void {
  if (warned) return
  warned = true
  process.emitWarning(
    `a call did not stop within ${grace} ms of being interrupted, so its interpreter counts as stuck and another one ` +
      "takes its place. Its thread stays until the call returns: see pool.info().stuckNow. Isolation 'process' can end it",
    { type: 'RxjsPythonWarning', code: 'RXJS_PYTHON_STUCK' },
  )
}
