import { createReadStream } from 'node:fs'
import { StreamChecker } from '../streams/check'

/**
 * A source that can begin anywhere: `read` gives each item with the position behind it, from a position that it gave before, or
 * from the start. The same position must always give the same items. Positions are data (numbers, texts, objects).
 */
export interface ReplaySource<T, P = unknown> {
  read(position: P | undefined): Iterable<readonly [T, P]> | AsyncIterable<readonly [T, P]>
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
