import { isMainThread } from 'node:worker_threads'
import { SyncCallError } from '../errors'
import type { NativePool } from '../native'
import type { Channel } from './channel'
import type { Deadlines } from './deadlines'
import type { SyncCallOptions } from './handler'
import type { PendingCall } from './pending'

/** Milliseconds after which a thread that waits goes back to JavaScript: in native code it cannot be terminated. */
const LOOK_AGAIN = 50

/**
 * Lets the thread wait for a call's answer. Everything that the event loop would have done for the pool, and without which
 * the answer might not come, is done here: results are taken, callbacks run, time limits kept.
 */
export class SyncCalls {
  private waitsFor: PendingCall | undefined

  constructor(
    private readonly native: NativePool,
    readonly channel: Channel,
    private readonly deadlines: Deadlines,
  ) {}

  /** @throws SyncCallError where the thread must not wait */
  check({ onMainThread }: SyncCallOptions): void {
    if (isMainThread && onMainThread !== true) {
      throw new SyncCallError('it would stop the event loop of the main thread: use call, or the option onMainThread')
    }
    if (this.channel.taking) {
      throw new SyncCallError('a listener or callback that is called with results cannot wait for others: use call')
    }
  }

  /**
   * Blocks the thread until the call, which has been sent, has its answer.
   *
   * @throws what the promise of such a call would be rejected with
   */
  wait(call: PendingCall): unknown {
    this.waitsFor = call
    try {
      while (!call.settled) {
        this.channel.wait(Math.ceil(this.deadlines.next(LOOK_AGAIN)))
        this.deadlines.run()
      }
    } finally {
      this.waitsFor = undefined
    }
    const answer = call.answer!
    if ('error' in answer) throw answer.error
    return (answer as { value: unknown }).value
  }

  /** The answer of a batch that ran on this thread, where the channel has to bring it. */
  fetch(call: PendingCall): unknown {
    call.number = this.channel.add(call)
    this.native.postInline(call.number)
    return this.wait(call)
  }

  /**
   * Whether the thread waits for what cannot go on without the answer to this callback. An interpreter that waits for a
   * callback runs calls that somebody waits for, so only its own matter: those of the interpreter that has the call.
   */
  waitsBehind(callback: number): boolean {
    return this.waitsFor !== undefined && this.native.concerns(callback, this.waitsFor.number)
  }
}
