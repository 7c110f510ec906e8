import type { BinaryBatch } from '../codec/binary'
import { type PoolClosedError, PythonAbortError, PythonTimeoutError } from '../errors'
import type { NativePool } from '../native'
import { callbackAtWork } from './callbacks'
import type { Channel } from './channel'
import { type Deadline, Deadlines } from './deadlines'
import type { CallOptions } from './handler'
import type { IsolationMode } from './isolation'
import { PendingCall } from './pending'
import { Seats } from './seats'
import { StuckWatch } from './stuck'
import { SyncCalls } from './sync'

/** Numbers before the lengths in a call's row; see native/binding/pool.cc. */
const ROW_HEADER = 6
/** Code units after which calls are sent at once: joining their texts would cost more than a crossing. */
const FLUSH_UNITS = 1 << 13
/** Milliseconds between two attempts to interrupt Python code that swallowed the last one; it may be cleaning up. */
const INTERRUPT_AGAIN = 150

/** Who wants to know of calls. */
export interface CallWatch {
  /** There was none, and now there is. */
  begun?: () => void
  /** One has come to its end. */
  settled?: () => void
}

/**
 * A pool's calls: what is made in one turn of the event loop goes to the native side in one crossing, and each call is
 * followed until it is settled.
 */
export class PoolCalls {
  /** Where the lengths of the row that is being written start. */
  lengthsAt = 0
  private open = 0
  /** The texts of the rows, in order; large ones may be in several pieces. */
  texts: string[] = []
  private units = 0
  /** Integers of the outbox that are in use. */
  private used = 0
  private scheduled = false
  private readonly flushLater = () => this.flush()
  private readonly settled = () => this.onSettled()
  private idle: (() => void) | undefined
  private readonly signals = new WeakMap<AbortSignal, Set<PendingCall>>()
  private handlerIds = 0
  private readonly freeHandlerIds: number[] = []
  readonly seats: Seats
  watch: CallWatch | undefined
  private closedBy: PoolClosedError | undefined
  readonly deadlines = new Deadlines()
  readonly sync: SyncCalls
  readonly stuck: StuckWatch
  private ended = false

  /** @param grace milliseconds that a call has to end after it was interrupted */
  constructor(
    readonly native: NativePool,
    private readonly channel: Channel,
    isolation: IsolationMode,
    grace: number,
  ) {
    this.seats = new Seats(this, isolation === 'shared')
    this.sync = new SyncCalls(native, channel, this.deadlines)
    this.stuck = new StuckWatch(this, channel, isolation, grace)
  }

  get pending(): number {
    return this.open
  }

  create(handler?: string, batchSize?: number, finish?: (value: unknown) => unknown): PendingCall {
    const within = callbackAtWork(this)
    this.checkOpen(within)
    const call = new PendingCall(this, handler, batchSize, this.settled, finish)
    call.within = within
    if (this.open++ === 0) this.watch?.begun?.()
    this.channel.await()
    return call
  }

  /** Throws where no call can be made; `within` is the callback that would make it, or 0. */
  checkOpen(within = 0): void {
    // What a callback asks for is part of a call that was made before.
    if (this.closedBy !== undefined && (within === 0 || this.ended)) throw this.closedBy
    if (this.stuck.blockedBy !== undefined) throw this.stuck.blockedBy
  }

  get closed(): boolean {
    return this.closedBy !== undefined
  }

  /** Refuses further calls. */
  close(error: PoolClosedError): void {
    this.closedBy = error
  }

  /** Resolves when no call is open. */
  async drained(): Promise<void> {
    if (this.open === 0) return
    await new Promise<void>((resolve) => {
      this.idle = resolve
    })
  }

  /** Fails every open call with this error: takes back what waits, interrupts what runs. None follows. */
  cancelAll(error: Error): void {
    this.ended = true
    for (const call of this.channel.callsOf(this)) this.cancel(call, error)
    // Afterwards: one exception is enough for whoever waits.
    this.native.closeCallbacks()
  }

  /** Ends the call with an error now; Python is stopped as soon as it can be. */
  cancel(call: PendingCall, error: unknown): void {
    if (call.settled) return
    this.flush()
    const { number } = call
    call.fail(error)
    if (number !== 0) this.interrupt(number, call)
  }

  /** Puts the time limit and the signal of the options on a call. */
  limit(call: PendingCall, { timeout, runTimeout, signal }: CallOptions): void {
    if (timeout === undefined && runTimeout === undefined && signal === undefined) return
    if (signal?.aborted) {
      call.fail(new PythonAbortError(signal.reason))
      return
    }
    const { deadlines } = this
    let limit: Deadline | undefined
    if (timeout !== undefined) {
      limit = deadlines.after(timeout, () => this.cancel(call, new PythonTimeoutError(timeout, call.handler)))
    }
    let runLimit: Deadline | undefined
    if (runTimeout !== undefined) {
      const look = () => {
        const ran = call.number === 0 ? -1 : this.native.runsFor(call.number)
        if (ran >= runTimeout) this.cancel(call, new PythonTimeoutError(runTimeout, call.handler))
        // One that waits cannot have run for so long any sooner.
        else runLimit = deadlines.after(ran < 0 ? runTimeout : runTimeout - ran, look)
      }
      runLimit = deadlines.after(runTimeout, look)
    }
    const group = signal === undefined ? undefined : this.groupOf(signal)
    group?.add(call)
    call.release = () => {
      deadlines.callOff(limit)
      deadlines.callOff(runLimit)
      group?.delete(call)
    }
  }

  /** Room for so many lengths at the beginning of the outbox, after what was in it has been sent. */
  bare(lengths: number): Int32Array {
    this.flush()
    this.channel.begin(this)
    this.channel.end(this)
    return this.channel.reserveOutbox(lengths)
  }

  /** Begins a row with room for `lengths` lengths; lengthsAt says where they go. */
  row(lengths: number): Int32Array {
    this.channel.begin(this)
    this.lengthsAt = this.used + ROW_HEADER
    return this.channel.reserveOutbox(this.lengthsAt + lengths)
  }

  /** Sends the row that was begun. Without `text`, its pieces have been added to `texts`. */
  submitText(
    call: PendingCall,
    handler: number,
    seat: number,
    count: number,
    text: string | undefined,
    units: number,
    lengths: number,
  ): void {
    const at = this.used
    const numbers = this.channel.outbox
    this.number(call)
    numbers[at] = call.number
    numbers[at + 1] = handler
    numbers[at + 2] = seat
    numbers[at + 3] = count
    numbers[at + 4] = units
    numbers[at + 5] = lengths
    this.used = at + ROW_HEADER + lengths
    if (text !== undefined) this.texts.push(text)
    this.units += units
    if (this.units >= FLUSH_UNITS) this.flush()
    else if (!this.scheduled) {
      this.scheduled = true
      queueMicrotask(this.flushLater)
    }
  }

  submitBinary(
    call: PendingCall,
    handler: number,
    seat: number,
    { views, crossings, layout }: BinaryBatch,
    items: number,
  ): void {
    this.flush() // calls keep their order
    this.number(call)
    try {
      this.native.submitBinary(call.number, seat, handler, views, crossings, items, layout)
    } catch (error) {
      this.channel.remove(call.number)
      call.number = 0
      throw error
    }
  }

  private number(call: PendingCall): void {
    call.number = this.channel.add(call)
    if (call.within !== 0) this.native.within(call.number, call.within)
  }

  /** Sends what was collected in this turn. */
  flush(): void {
    this.scheduled = false
    this.channel.end(this)
    const { used, texts, units } = this
    if (used === 0) return
    this.used = 0
    this.units = 0
    this.texts = []
    // Many short texts cross as one; of few long ones each by itself, since joining them would copy them once more.
    const text = texts.length > 1 && units < FLUSH_UNITS ? texts.join('') : texts
    if (typeof text === 'string') this.native.submit(text, units, used, isNarrow(text))
    else this.native.submit(text.length === 1 ? text[0]! : text, units, used, text.every(isNarrow))
  }

  /** Asks the host of one interpreter, in JSON, and gives its answer. */
  control(seat: number, request: string, handler?: string): Promise<unknown> {
    this.flush()
    const call = this.create(handler)
    call.number = this.channel.add(call)
    this.native.control(call.number, seat, request, request.length)
    return call.promise
  }

  /** Asks every host, or that of one seat. Fails with the first error, after all have answered. */
  async controlHosts(request: string, seat: number, handler?: string): Promise<void> {
    const seats = seat >= 0 ? [seat] : this.seats.hosts
    const answers = await Promise.allSettled(seats.map((one) => this.control(one, request, handler)))
    const failed = answers.find((answer) => answer.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  /** Starts an interpreter in a seat that gets only what is meant for it until it is opened. */
  start(): { seat: number; ready: Promise<unknown> } {
    const call = this.create()
    call.number = this.channel.add(call)
    return { seat: this.native.start(call.number), ready: call.promise }
  }

  /** Lets an interpreter go; resolves when it has gone. That alone does not keep the process: see `holding`. */
  stop(seat: number): Promise<unknown> {
    const call = new PendingCall(undefined, undefined, undefined, () => {})
    call.number = this.channel.add(call)
    this.native.stop(seat, call.number)
    return call.promise
  }

  /** The process stays alive until the promise is settled. */
  holding<T>(promise: Promise<T>): Promise<T> {
    return this.channel.holding(promise)
  }

  takeHandlerId(): number {
    return this.freeHandlerIds.pop() ?? this.handlerIds++
  }

  /** Resolves when the calls of this handler that were sent have their results. */
  async drainedOf(holder: object): Promise<void> {
    const calls = this.channel.callsOf(this).filter((call) => call.holder === holder)
    await Promise.allSettled(calls.map((call) => call.promise))
  }

  /** Drops a handler everywhere; its id is free again when all interpreters have done so. */
  async forgetHandler(id: number, seat: number): Promise<void> {
    const forgotten = this.seats.all.map((one) => {
      const call = this.create()
      call.number = this.channel.add(call)
      this.native.forget(call.number, one, id)
      return call.promise
    })
    await Promise.all(forgotten)
    await this.controlHosts(JSON.stringify({ op: 'close', id }), seat)
    this.freeHandlerIds.push(id)
  }

  private interrupt(number: number, call: PendingCall): void {
    const cancel = () => {
      const answer = this.native.cancel(number)
      // It never ran: no result will come.
      if (answer === 1) this.channel.remove(number)
      return answer === 2
    }
    if (!cancel()) return
    this.stuck.watch(number, call)
    const again = () => {
      if (this.channel.has(number, call) && cancel()) this.deadlines.after(INTERRUPT_AGAIN, again, false)
    }
    this.deadlines.after(INTERRUPT_AGAIN, again, false)
  }

  private groupOf(signal: AbortSignal): Set<PendingCall> {
    let group = this.signals.get(signal)
    if (group === undefined) {
      group = new Set()
      this.signals.set(signal, group)
      const calls = group
      // One listener for all calls with this signal: a stream makes thousands.
      signal.addEventListener(
        'abort',
        () => {
          for (const call of [...calls]) this.cancel(call, new PythonAbortError(signal.reason))
        },
        { once: true },
      )
    }
    return group
  }

  private onSettled(): void {
    this.open--
    this.watch?.settled?.()
    this.channel.unawait()
    if (this.open === 0 && this.idle !== undefined) {
      const { idle } = this
      this.idle = undefined
      idle()
    }
  }
}

const WIDE = /[^\0-\xff]/

/** Whether all characters fit in a byte. Of a string that V8 keeps in bytes, the usual case, this looks at none. */
export function isNarrow(text: string): boolean {
  return !WIDE.test(text)
}
