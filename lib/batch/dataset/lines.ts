import { createReadStream } from 'node:fs'
import { FileFormatError } from './errors'

export interface Line {
  text: string
  /** Where it starts in the file, in bytes. */
  at: number
}

const NEWLINE = 10
const RETURN = 13

/**
 * The lines of a file that start from byte `start` on and before byte `end`. So parts of a file have each of its lines once,
 * wherever the borders are.
 */
export async function* readLines(path: string, start: number, end: number): AsyncGenerator<Line> {
  if (start >= end) return
  // From the byte before: where it is a newline, a line starts at `start` itself.
  let offset = Math.max(0, start - 1)
  const stream = createReadStream(path, { start: offset })
  let skipping = start > 0
  let lineStart = offset
  let kept: Buffer[] = []
  for await (const piece of stream as AsyncIterable<Buffer>) {
    let from = 0
    for (let newline = piece.indexOf(NEWLINE); newline >= 0; newline = piece.indexOf(NEWLINE, from)) {
      if (!skipping) {
        if (lineStart >= end) return
        const tail = piece.subarray(from, newline)
        yield { text: textOf(kept.length === 0 ? tail : Buffer.concat([...kept, tail]), lineStart), at: lineStart }
      }
      kept = []
      skipping = false
      from = newline + 1
      lineStart = offset + from
    }
    if (lineStart >= end && !skipping) return
    if (from < piece.length && !skipping) kept.push(piece.subarray(from))
    offset += piece.length
  }
  if (kept.length > 0) yield { text: textOf(Buffer.concat(kept), lineStart), at: lineStart }
}

/** Without a carriage return at its end, nor the mark that some editors put at the start of a file. */
function textOf(bytes: Buffer, at: number): string {
  const length = bytes.length > 0 && bytes[bytes.length - 1] === RETURN ? bytes.length - 1 : bytes.length
  const text = bytes.toString('utf8', 0, length)
  return at === 0 && text.charCodeAt(0) === 0xfeff ? text.slice(1) : text
}

/** The values of JSON lines; empty lines have none. */
export async function* parseLines(path: string, lines: AsyncIterable<Line>): AsyncGenerator<unknown> {
  for await (const { text, at } of lines) {
    if (text.trim() === '') continue
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new FileFormatError(path, `the line at byte ${at} is not JSON: ${why}`, { cause: error })
    }
    yield value
  }
}
