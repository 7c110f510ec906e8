import { decodeBinary } from '../codec/binary'
import { decodeJson } from '../codec/json'
import { TextReader } from '../codec/string'
import { BlockKind, type NativeChannel, native, ResultStatus } from '../native'
import { type PendingCall, UNREADABLE } from './pending'

/** What a pool does with results that are not a call's. */
export interface OutputReceiver {
  output(stream: number, text: string): void
  log(record: string): void
  /** Python calls JavaScript: a JSON array of the callback's name and its arguments. */
  callback(number: number, request: string | null, specials: boolean): void
  notice(text: string): void
}

/** Whoever writes rows into the outbox. */
export interface OutboxWriter {
  flush(): void
}

/** What precedes a block's own numbers; see native/binding/channel.cc. */
const BLOCK_HEADER = 3
/** What precedes the lengths of a call's result in such a block. */
const RESULT_HEADER = 3
/** What precedes the lengths of a result in the inbox that `runInline` gave. */
const INLINE_HEADER = 2
const START_SIZE = 1 << 14
const TOO_LONG = 'the result is longer than a JavaScript string can be'
/** Milliseconds that results may keep the event loop before others get a turn. */
const SLICE = 2
/** Numbers of results after which whoever waits for them gets a turn: young results that are used at once cost least. */
const SLICE_NUMBERS = 8192
/** Calls with a result after which those who wait go on, so that Python has their next calls while the rest are read. */
const SLICE_CALLS = 16

/**
 * This JavaScript thread's end of the result channel: numbers the calls of all pools on the thread, and brings each
 * result to its call.
 */
export class Channel {
  /** Describes results; the native side writes it. */
  private inbox = new Int32Array(START_SIZE)
  /** Describes calls; the native side reads it when they are submitted. */
  outbox = new Int32Array(START_SIZE)
  readonly native: NativeChannel

  /** By call number; number 0 is never used. */
  private readonly calls: (PendingCall | undefined)[] = [undefined]
  private readonly freeNumbers: number[] = []
  private awaited = 0
  private draining = false
  /** When the event loop has its turn again, in `performance.now()`'s milliseconds; 0 while nothing is drained. */
  private until = 0
  /** The texts of a block of which `restAt` numbers, up to `restEnd`, have been read. */
  private rest: TextReader | undefined
  private restAt = 0
  private restEnd = 0
  private readonly goOn = () => this.drain()
  /** Those who wait go on in microtasks that stand in the queue already; what they then send follows behind those. */
  private readonly goOnAfterThem = () => queueMicrotask(this.goOn)
  private accounting = false
  private readonly account = () => {
    this.accounting = false
    this.native.account()
  }
  private writer: OutboxWriter | undefined
  private readonly receivers = new Map<number, OutputReceiver>()
  private nextPool = 1

  constructor() {
    this.native = new (native().NativeChannel)(() => this.drain())
    this.native.setInbox(this.inbox)
    this.native.setOutbox(this.outbox)
  }

  /** Gives the call a number that its result will carry. The number is free again after that result. */
  add(call: PendingCall): number {
    const number = this.freeNumbers.pop() ?? this.calls.length
    this.calls[number] = call
    return number
  }

  /** For a call that was taken back before it ran: no result will come. */
  remove(number: number): void {
    this.calls[number] = undefined
    this.freeNumbers.push(number)
  }

  /** Whether the number still stands for this call. */
  has(number: number, call: PendingCall): boolean {
    return this.calls[number] === call
  }

  /** The call that the number stands for. */
  at(number: number): PendingCall | undefined {
    return this.calls[number]
  }

  /** The calls of this owner that have a number. */
  callsOf(owner: object): PendingCall[] {
    return this.calls.filter((call): call is PendingCall => call !== undefined && call.owner === owner)
  }

  /** The process stays alive while results are awaited, and only then. */
  await(): void {
    if (this.awaited++ === 0) this.native.ref()
  }

  unawait(): void {
    if (--this.awaited === 0) this.native.unref()
  }

  /** The process stays alive until the promise is settled. */
  async holding<T>(promise: Promise<T>): Promise<T> {
    this.await()
    try {
      return await promise
    } finally {
      this.unawait()
    }
  }

  register(receiver: OutputReceiver): number {
    const id = this.nextPool++
    this.receivers.set(id, receiver)
    return id
  }

  unregister(pool: number): void {
    this.receivers.delete(pool)
  }

  /** Says whose calls the outbox holds; those of another pool are sent first. */
  begin(writer: OutboxWriter): void {
    if (this.writer !== undefined && this.writer !== writer) this.writer.flush()
    this.writer = writer
  }

  end(writer: OutboxWriter): void {
    if (this.writer === writer) this.writer = undefined
  }

  /** Makes room for `size` integers in the outbox, keeping what it holds. */
  reserveOutbox(size: number): Int32Array {
    if (size > this.outbox.length) {
      this.outbox = grown(this.outbox, size)
      this.native.setOutbox(this.outbox)
    }
    return this.outbox
  }

  /** The strings of a text that `runInline` gave, as the inbox describes them. */
  inlineStrings(text: string): string[] {
    const numbers = this.inbox
    const count = numbers[1]!
    const strings: string[] = new Array(count)
    let from = 0
    for (let i = 0; i < count; i++) {
      const end = from + numbers[INLINE_HEADER + i]!
      strings[i] = text.substring(from, end)
      from = end
    }
    return strings
  }

  /** The value of a text that `runInline` gave, as JSON. */
  inlineJson(text: string): unknown {
    return decodeJson(text, this.inbox[0] === ResultStatus.Specials)
  }

  /** Whether the thread is taking results, and is in what a listener or a callback does. */
  get taking(): boolean {
    return this.draining
  }

  /** Blocks the thread until there are results, for so many milliseconds at most, and takes what there is. */
  wait(most: number): void {
    if (this.rest !== undefined || this.native.wait(most)) this.drain()
  }

  private drain(): void {
    if (this.draining) return
    this.draining = true
    if (this.until === 0) this.until = performance.now() + SLICE
    let numbers = 0
    let calls = 0
    try {
      while (calls < SLICE_CALLS && numbers <= SLICE_NUMBERS) {
        if (this.rest !== undefined) {
          const from = this.restAt
          calls += this.takeTexts(SLICE_CALLS - calls)
          numbers += this.restAt - from
          continue
        }
        const value = this.native.next()
        if (value === undefined) {
          this.until = 0
          return
        }
        if (typeof value === 'number') {
          this.inbox = grown(this.inbox, value)
          this.native.setInbox(this.inbox)
          continue
        }
        calls += this.take(value)
      }
      if (numbers > SLICE_NUMBERS || performance.now() > this.until) this.goOnLater()
      else queueMicrotask(this.goOnAfterThem)
    } catch (error) {
      // A listener threw. That is the process's to hear of, which it would not from here, where Node-API calls; and no
      // reason to keep the other results.
      this.goOnLater()
      setImmediate(() => {
        throw error
      })
    } finally {
      this.draining = false
    }
  }

  private goOnLater(): void {
    this.until = 0
    setImmediate(this.goOn)
  }

  /** Takes a block, or begins to. Returns for how many calls it had the result. */
  private take(value: string | (string | null)[] | ArrayBuffer[] | null): number {
    const numbers = this.inbox
    switch (numbers[0] as BlockKind) {
      case BlockKind.Text:
        this.rest = new TextReader(Array.isArray(value) ? (value as string[]) : [value])
        this.restAt = BLOCK_HEADER
        this.restEnd = BLOCK_HEADER + numbers[2]!
        return 0
      case BlockKind.Binary:
        this.takeArrays(value as ArrayBuffer[])
        return 1
      case BlockKind.Output:
        this.receivers.get(numbers[1]!)?.output(numbers[BLOCK_HEADER]!, (value as string | null) ?? '')
        return 0
      case BlockKind.Log:
        this.receivers.get(numbers[1]!)?.log((value as string | null) ?? '')
        return 0
      case BlockKind.Callback:
        this.receivers
          .get(numbers[1]!)
          ?.callback(numbers[BLOCK_HEADER]!, value as string | null, numbers[BLOCK_HEADER + 1] === 1)
        return 1
      case BlockKind.Notice:
        this.receivers.get(numbers[1]!)?.notice((value as string | null) ?? '')
        return 0
    }
  }

  /** Takes the results of at most so many calls from the block that was begun; returns of how many. */
  private takeTexts(most: number): number {
    const numbers = this.inbox
    const reader = this.rest!
    let calls = 0
    while (this.restAt < this.restEnd && calls < most) {
      const at = this.restAt + RESULT_HEADER
      const number = numbers[at - 3]!
      const status = numbers[at - 2] as ResultStatus
      const count = numbers[at - 1]!
      this.restAt = at + count
      calls++
      const call = this.calls[number]
      this.remove(number)
      // Cut also for a call that has no use for it any more: what follows stands behind it.
      if (status === ResultStatus.Ok && call?.strings) {
        const strings = reader.cut(numbers, at, count)
        if (!call.settled) {
          if (strings === null) call.failResult(TOO_LONG)
          else call.succeed(strings)
        }
      } else {
        let size = 0
        for (let i = 0; i < count; i++) size += numbers[at + i]!
        const text = reader.read(size)
        if (call !== undefined && !call.settled) settle(call, text, status)
      }
    }
    if (this.restAt >= this.restEnd) this.rest = undefined
    return calls
  }

  private takeArrays(buffers: ArrayBuffer[]): void {
    if (!this.accounting) {
      this.accounting = true
      setImmediate(this.account)
    }
    const number = this.inbox[BLOCK_HEADER]!
    const count = this.inbox[BLOCK_HEADER + 2]!
    const call = this.calls[number]
    this.remove(number)
    if (call === undefined || call.settled) return
    let arrays: unknown[]
    try {
      arrays = decodeBinary(buffers, this.inbox, BLOCK_HEADER + 3, count, call.inputs)
    } catch {
      // A result that lies in an input's memory is a view of it, and that input was detached in the meantime.
      call.failResult('the result lies in a buffer that was detached during the call')
      return
    }
    call.succeed(arrays)
  }
}

function settle(call: PendingCall, text: string | null, status: ResultStatus): void {
  if (text === null) {
    call.failResult(TOO_LONG)
  } else if (status === ResultStatus.Error) {
    call.failReport(text)
  } else {
    let value: unknown
    try {
      value = decodeJson(text, status === ResultStatus.Specials)
    } catch {
      call.failResult(UNREADABLE)
      return
    }
    call.succeed(value)
  }
}

function grown(numbers: Int32Array, size: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 ** Math.ceil(Math.log2(size)))
  larger.set(numbers)
  return larger
}

let channel: Channel | undefined

/** The channel of this JavaScript thread. */
export function threadChannel(): Channel {
  channel ??= new Channel()
  return channel
}
