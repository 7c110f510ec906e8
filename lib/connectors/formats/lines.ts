import type { RecordCodec } from '../codec'
import type { Placed, Reading } from './reading'

const NEWLINE = 10
const RETURN = 13
/** The mark that some editors put at the start of a file. */
const MARK = 0xfeff
const MARK_BYTES = 3

/** The lines of bytes that begin at `from`; the last one also without an end, unless `open`: then it is not complete yet. */
export async function* linesOf(
  bytes: AsyncIterable<Buffer>,
  from: number,
  format: 'text' | 'jsonl',
  reading: Reading,
  open = false,
): AsyncGenerator<Placed[]> {
  const lines = new Lines(from, format, reading)
  let rest: Buffer[] = []
  for await (const chunk of bytes) {
    const end = chunk.lastIndexOf(NEWLINE) + 1
    if (end === 0) {
      rest.push(chunk)
      continue
    }
    const whole = chunk.subarray(0, end)
    const block = rest.length === 0 ? whole : Buffer.concat([...rest, whole])
    rest = end < chunk.length ? [chunk.subarray(end)] : []
    // All of a block together: an item by itself through several generators costs more than reading it.
    const { found, failure } = lines.of(block)
    if (found.length > 0) yield found
    if (failure !== undefined) throw failure.error
  }
  if (rest.length === 0 || open) return
  const { found, failure } = lines.of(Buffer.concat(rest))
  if (found.length > 0) yield found
  if (failure !== undefined) throw failure.error
}

class Lines {
  constructor(
    /** Of the next block. */
    private position: number,
    private readonly format: 'text' | 'jsonl',
    private readonly reading: Reading,
  ) {}

  /** The values of the lines of a block, up to one that is an error of the stream. */
  of(block: Buffer): Found {
    const found: Placed[] = []
    try {
      if (this.reading.codec === undefined) this.texts(block, found)
      else this.decoded(block, this.reading.codec, found)
      return { found, failure: undefined }
    } catch (error) {
      return { found, failure: { error } }
    }
  }

  /** To decode a block at once is far less work than line by line. */
  private texts(block: Buffer, found: Placed[]): void {
    const text = block.toString('utf8')
    const first = this.position
    // What is not UTF-8 has a sign for each byte, so where there are as many signs as bytes each sign is one byte.
    const isPlain = text.length === block.length
    const isJson = this.format === 'jsonl'
    let start = 0
    for (let sign = first === 0 && text.charCodeAt(0) === MARK ? 1 : 0; start < block.length; ) {
      const newline = text.indexOf('\n', sign)
      const end = newline < 0 ? text.length : newline
      const last = end > sign && text.charCodeAt(end - 1) === RETURN ? end - 1 : end
      const begin = start
      if (newline < 0) start = block.length
      else start = isPlain ? end + 1 : block.indexOf(NEWLINE, start) + 1
      this.position = first + start
      const line = text.slice(sign, last)
      sign = end + 1
      if (!isJson) found.push([line, this.position])
      else if (line !== '') {
        let value: unknown
        try {
          value = JSON.parse(line)
        } catch (error) {
          this.reading.deadLetters.add(error, bare(block, begin, start, first + begin === 0), (first + begin) as never)
          continue
        }
        found.push([value, this.position])
      }
    }
  }

  private decoded(block: Buffer, codec: RecordCodec<unknown>, found: Placed[]): void {
    const first = this.position
    for (let start = 0, next: number; start < block.length; start = next) {
      const newline = block.indexOf(NEWLINE, start)
      next = newline < 0 ? block.length : newline + 1
      this.position = first + next
      const line = bare(block, start, next, first + start === 0)
      if (this.format === 'jsonl' && line.length === 0) continue
      let value: unknown
      try {
        value = codec.decode(line)
      } catch (error) {
        this.reading.deadLetters.add(error, line, (first + start) as never)
        continue
      }
      found.push([value, this.position])
    }
  }
}

interface Found {
  readonly found: Placed[]
  readonly failure: { readonly error: unknown } | undefined
}

/** The bytes of a line, without its end and, where it is the file's first one, without the mark. */
function bare(block: Buffer, start: number, next: number, isFirst: boolean): Buffer {
  let end = next
  if (end > start && block[end - 1] === NEWLINE) end--
  if (end > start && block[end - 1] === RETURN) end--
  const isMarked = isFirst && block[0] === 0xef && block[1] === 0xbb && block[2] === 0xbf
  return block.subarray(isMarked ? start + MARK_BYTES : start, end)
}
