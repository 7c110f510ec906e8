import { createReadStream } from 'node:fs'
import type { Observable } from 'rxjs'
import { fromIterableMinding, fromListsMinding } from '../sources/fromIterable'
import type { Gate } from '../sources/gate'
import { StreamChecker } from '../streams/check'

/** Gives each item with the position behind it. A position is a value of its own, which stays as it is. */
export type Positioned<T, P> = Iterable<readonly [T, P]> | AsyncIterable<readonly [T, P]>

/** The same, several at a time. */
export type PositionedLists<T, P> = AsyncIterable<readonly (readonly [T, P])[]>

/**
 * Something outside that items come from, with a place in it that can be kept. A job keeps the position of what it has
 * worked off in its checkpoints, begins there again, and tells the outside when a position is safe.
 */
export interface Source<T, P = unknown> {
  /**
   * Items from a position that was given before, or from the start (or where the options say). It is pulled, and may read
   * ahead a bounded amount. Positions are data that `structuredClone` copies.
   *
   * `signal` aborts when nobody wants more items: reading ends then, also where it waits for the outside, and gives nothing
   * back that `commit` needs. `commitSoon` is for an outside that lets only so much be on its way unacknowledged: the source
   * calls it when little of that is left, and a commit follows.
   */
  read(position: P | undefined, signal?: AbortSignal, commitSoon?: () => void): Positioned<T, P>
  /**
   * The same as `read`, several items at a time, as they come from the outside: an item by itself costs a promise. Where it is
   * there, jobs and `fromSource` read by it, and still stop between any two items. Lists may be empty.
   */
  readMany?(position: P | undefined, signal?: AbortSignal, commitSoon?: () => void): PositionedLists<T, P>
  /**
   * The checkpoint with this position is safe: the outside may forget what lies before it (an acknowledgement, an offset).
   * A rejection fails the job. Also called after reading has ended.
   */
  commit?(position: P): Promise<void> | void
  /** Gives back connections. Also comes while `read` or `commit` waits for the outside, which ends then. `read` may follow. */
  close?(): Promise<void> | void
}

/** A source that gives the same items from the same position, however often: a file, a log. */
export interface ReplaySource<T, P = unknown> extends Source<T, P> {
  read(position: P | undefined, signal?: AbortSignal): Positioned<T, P>
}

/** `read` of a source that has `readMany`. */
export async function* oneByOne<T, P>(lists: PositionedLists<T, P>): AsyncGenerator<readonly [T, P]> {
  for await (const list of lists) yield* list
}

/** What a source gives, by the quickest way that it has, while `gate` is open. */
export function itemsOfSource<T, P>(
  source: Source<T, P>,
  gate: Gate | undefined,
  from: () => P | undefined,
  signal: AbortSignal,
  commitSoon: () => void,
): Observable<readonly [T, P]> {
  if (typeof source.readMany === 'function') {
    return fromListsMinding(() => source.readMany!(from(), signal, commitSoon), gate)
  }
  return fromIterableMinding(() => source.read(from(), signal, commitSoon), gate)
}

/** The items of an array, or of what `make` makes anew each time; the position is their number. */
export function replay<T>(make: readonly T[] | (() => Iterable<T> | AsyncIterable<T>)): ReplaySource<T, number> {
  const check = new StreamChecker('replay', undefined, [])
  if (!Array.isArray(make) && typeof make !== 'function') {
    check.problem("'make' must be an array, or a function that makes an iterable", make)
  }
  check.done()
  return {
    read(position = 0) {
      if (typeof make !== 'function') return itemsOf(make, position)
      const items = make()
      return Symbol.asyncIterator in items ? asyncFrom(items, position) : syncFrom(items, position)
    },
  }
}

function* itemsOf<T>(items: readonly T[], from: number): Generator<readonly [T, number]> {
  for (let at = from; at < items.length; at++) yield [items[at]!, at + 1]
}

function* syncFrom<T>(items: Iterable<T>, from: number): Generator<readonly [T, number]> {
  let at = 0
  for (const item of items) if (++at > from) yield [item, at]
}

async function* asyncFrom<T>(items: AsyncIterable<T>, from: number): AsyncGenerator<readonly [T, number]> {
  let at = 0
  for await (const item of items) if (++at > from) yield [item, at]
}

/** The lines of a UTF-8 text file, without their ends; the position is the byte behind them. */
export function fileLines(path: string): ReplaySource<string, number> {
  const check = new StreamChecker('fileLines', undefined, [])
  if (check.text('path', path) === undefined) check.problem("'path' is missing")
  check.done()
  return { read: (position = 0) => linesOf(path, position) }
}

const NEWLINE = 10
const RETURN = 13

async function* linesOf(path: string, from: number): AsyncGenerator<readonly [string, number]> {
  let position = from
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of createReadStream(path, { start: from, highWaterMark: 1 << 18 })) {
    const text = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer])
    let start = 0
    for (let end = text.indexOf(NEWLINE); end >= 0; end = text.indexOf(NEWLINE, start)) {
      const last = end > start && text[end - 1] === RETURN ? end - 1 : end
      position += end + 1 - start
      yield [text.toString('utf8', start, last), position]
      start = end + 1
    }
    rest = text.subarray(start)
  }
  if (rest.length > 0) yield [rest.toString('utf8'), position + rest.length]
}
