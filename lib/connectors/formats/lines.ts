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
  of(block: Buffer): { found: Placed[]; failure: { error: unknown } | undefined } {
    const found: Placed[] = []
    const first = this.position
    // To decode a block at once is far less work than line by line. What is not UTF-8 has a sign for each byte, so where there are
    // as many signs as bytes each sign is one byte.
    const text = this.reading.codec === undefined ? block.toString('utf8') : ''
    const isPlain = text.length === block.length
    let sign = 0
    for (let start = 0; start < block.length; ) {
      const newline = isPlain ? text.indexOf('\n', start) : block.indexOf(NEWLINE, start)
      const end = newline < 0 ? block.length : newline
      const isReturn = end > start && block[end - 1] === RETURN
      let line = ''
      if (this.reading.codec === undefined) {
        let last = isPlain ? end : text.indexOf('\n', sign)
        if (last < 0) last = text.length
        const begin = isPlain ? start : sign
        const isMarked = first === 0 && start === 0 && text.charCodeAt(0) === MARK
        line = text.slice(isMarked ? begin + 1 : begin, isReturn ? last - 1 : last)
        sign = last + 1
      }
      const next = newline < 0 ? end : end + 1
      this.position = first + next
      try {
        const bare = () => this.bare(block, start, isReturn ? end - 1 : end, first === 0 && start === 0)
        const decoded = this.decode(line, bare, first + start)
        if (decoded !== undefined) found.push([decoded.value, this.position])
      } catch (error) {
        return { found, failure: { error } }
      }
      start = next
    }
    return { found, failure: undefined }
  }

  /** The bytes of a line, without its end. */
  private bare(block: Buffer, start: number, end: number, isFirst: boolean): Buffer {
    const isMarked = isFirst && block[0] === 0xef && block[1] === 0xbb && block[2] === 0xbf
    return block.subarray(isMarked ? start + MARK_BYTES : start, end)
  }

  /** A line as a value; undefined where it is none. */
  private decode(line: string, bare: () => Buffer, at: number): { value: unknown } | undefined {
    const { codec, deadLetters } = this.reading
    try {
      if (codec === undefined) {
        if (this.format === 'text') return { value: line }
        return line === '' ? undefined : { value: JSON.parse(line) }
      }
      const bytes = bare()
      return this.format === 'jsonl' && bytes.length === 0 ? undefined : { value: codec.decode(bytes) }
    } catch (error) {
      deadLetters.add(error, bare(), at as never)
      return undefined
    }
  }
}
