import nodeGypBuild from 'node-gyp-build'
import { NativeLoadError } from './errors'
import { packageRoot } from './package-root'

/** How an item of a binary call crosses the border; the same numbers as in native/binding/pool.cc. */
export enum Crossing {
  /** Its bytes are copied now. */
  Copy = 0,
  /** Its memory cannot be detached (a SharedArrayBuffer, or a buffer that was transferred to us) and is lent. */
  Pin = 1,
  /** Its memory was made by `allocate` and is lent. */
  Owned = 2,
  /** Its buffer is detached now, and its memory kept. */
  Take = 3,
}

/** What a block of results holds; the same numbers as in native/queue/result_channel.h. */
export enum BlockKind {
  Text = 0,
  Binary = 1,
  Output = 2,
  Log = 3,
  Callback = 4,
  /** JSON about the runtime itself. */
  Notice = 5,
}

export enum ResultStatus {
  Ok = 0,
  Error = 1,
  Specials = 2,
}

/** What became of an interpreter that was to be given up; the same numbers as in native/interpreter/pool.h. */
export enum GivenUp {
  /** The call has ended after all. */
  Not = 0,
  /** Another one starts in its place. */
  Replaced = 1,
  /** Its seat was about to be closed, and is now. */
  Closed = 2,
  /** Nothing takes its place: what was meant for it goes to a neighbour. */
  Lost = 3,
}

/** In place of the callback that made a call: the JavaScript thread itself waits for it; see native/queue/call.h. */
export const AWAITED = 2 ** 31 - 1

/** The codecs by their number in native/queue/call.h. */
export const CODEC_NUMBERS = { string: 0, json: 1, buffer: 2, array: 3, columns: 4 } as const

/** JavaScript's end of the result channel; one for each JavaScript thread. */
export interface NativeChannel {
  /**
   * The next block of results, described in the inbox: a text, whole or in pieces that are cut between strings, or a
   * list of buffers; null for a text too long for JavaScript. A number is the size that the inbox must have first; undefined means that nothing is left.
   */
  next(): string | (string | null)[] | ArrayBuffer[] | null | number | undefined
  /** Blocks the thread until there are results, for at most so many milliseconds (1000); whether there are. */
  wait(most: number): boolean
  /** Tells V8 of the large buffers that `next` gave; it may collect its heap now. */
  account(): void
  setInbox(numbers: Int32Array): void
  setOutbox(numbers: Int32Array): void
  ref(): void
  unref(): void
}

export interface NativePoolOptions {
  id: number
  /** Empty where the Python has none, which does for worker processes. */
  library: string
  executable: string
  pythonDir: string
  isolation: 'shared' | 'namespace' | 'process'
  /** Of worker processes: `NAME=value`. */
  environment: string[]
  /** Milliseconds that an interrupted call has to end before its interpreter is given up. */
  grace: number
  /** JSON for the Python side's Host. */
  host: string
}

/** The native half of a pool. Calls are numbered by the caller; their results carry the number. */
export interface NativePool {
  /**
   * Starts an interpreter and returns its seat; the call's result says when it is ready. Until it is opened, the seat gets
   * only the calls that are meant for it.
   */
  start(call: number): number
  open(seat: number): void
  /** Gives one seat the keyed calls that wait for another. */
  handOver(from: number, to: number): void
  /** The seat's number may be another one's when the call has its result. */
  stop(seat: number, call: number): void
  /** `request` is what opens the handler in an interpreter that has not got it yet (JSON). */
  defineHandler(
    handler: number,
    codecIn: number,
    codecOut: number,
    exact: boolean,
    request: string,
    asyncLimit: number,
  ): void
  /** Sends the calls that the first `numbers` integers of the outbox describe; `narrow`: no unit is above U+00FF. */
  submit(text: string | string[], units: number, numbers: number, narrow: boolean): void
  /** `items` is how many items the batch has; `layout` how the elements of the only view lie, where it has a shape. */
  submitBinary(
    call: number,
    seat: number,
    handler: number,
    views: ArrayBufferView[],
    crossings: Uint8Array,
    items: number,
    layout: Float64Array | undefined,
  ): void
  /**
   * Runs a batch of text on this very thread, with an idle interpreter of isolation `shared`; its lengths lie at the beginning
   * of the outbox. Gives the text of the result, whose status, number of lengths and lengths lie in the inbox; true where
   * `postInline` has to send it as the result of a call; false where nothing was run.
   */
  runInline(
    handler: number,
    items: number,
    text: string | string[],
    units: number,
    lengths: number,
    narrow: boolean,
  ): string | boolean
  postInline(call: number): void
  control(call: number, seat: number, text: string, units: number): void
  forget(call: number, seat: number, handler: number): void
  /**
   * Gives up the interpreter that runs this call, which was asked to stop. `start` is a call whose result says when the
   * interpreter in its place is ready; 0 for none.
   */
  giveUp(call: number, start: number): GivenUp
  /** The numbers of the other calls that the same interpreter holds. */
  heldWith(call: number): number[]
  /** 0: not there any more (its result is on its way), 1: removed before it ran, 2: running, and asked to stop. */
  cancel(call: number): 0 | 1 | 2
  /** Milliseconds that a call has been running; -1 when it waits, or is not there any more. */
  runsFor(call: number): number
  /** Writes four numbers: batches and items that the seat has run, milliseconds it was busy, calls that wait for it. */
  load(seat: number, numbers: Float64Array): void
  /** Resident memory of an interpreter in a process of its own, in bytes; 0 for others. */
  memory(seat: number): number
  waiting(): number
  /** Whether the interpreter that runs this call, or could run it next, is the one that waits for the callback. */
  concerns(callback: number, call: number): boolean
  /** Says that the call that is about to be sent was made by this callback, which Python waits for. */
  within(call: number, callback: number): void
  /** Gives a callback's answer as a JSON array of one; false when Python has given it up. */
  answer(callback: number, ok: boolean, text: string, units: number): boolean
  /** Fails the callbacks that have no answer, and all further ones. */
  closeCallbacks(): void
  counters(): PoolCounters
}

/** What became of a pool's interpreters since it was opened. */
export interface PoolCounters {
  /** Worker processes that ended by themselves. */
  crashes: number
  /** Interpreters that were given up because a call did not stop. */
  stuck: number
  /** Of these, how many still occupy a thread of this process, because the code has not returned. */
  stuckNow: number
  /** Interpreters that were started in place of such. */
  restarts: number
}

export interface Native {
  NativeChannel: new (wake: () => void) => NativeChannel
  NativePool: new (channel: NativeChannel, options: NativePoolOptions) => NativePool
  /** Null when there is no memory. `shareable` memory can be mapped by worker processes, too. */
  allocate(bytes: number, shareable: boolean): ArrayBuffer | null
  /** Whether the memory of one buffer can be taken, `Crossing.Take`. */
  readonly canTake: boolean
  /** Null where isolation 'namespace' works, else the reason why not. */
  namespaces(): string | null
  /** Null when another process holds the lock. */
  lockFile(path: string): number | null
  unlockFile(lock: number): void
}

let loaded: Native | undefined

/** The addon, loaded on first use. Throws `NativeLoadError` where it is missing or does not fit. */
export function native(): Native {
  if (loaded === undefined) {
    try {
      loaded = nodeGypBuild(packageRoot) as Native
    } catch (cause) {
      throw new NativeLoadError(
        `the native part of rxjs-python does not load on Node ${process.version}, ${process.platform} ${process.arch}: ` +
          `${(cause as Error).message}\nRun 'npm rebuild rxjs-python' with a C++ compiler and make installed.`,
        { cause },
      )
    }
  }
  return loaded
}
