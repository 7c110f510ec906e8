import { constants } from 'node:buffer'
import { EncodeError } from '../errors'
import { nameOf } from './typed'

export const TOO_LONG = 'the batch is longer than a JavaScript string can be: send fewer items at a time'

/** Items that are joined at a time: the text of so many usually stays in V8's young generation. */
const JOINED = 1024

/**
 * Writes the lengths of a batch of strings, in UTF-16 code units, adds its text to `pieces`, for a large batch as
 * several, and gives the sum of the lengths.
 *
 * @throws EncodeError for what is not a string
 */
export function writeStrings(batch: readonly unknown[], numbers: Int32Array, at: number, pieces: string[]): number {
  const before = pieces.length
  let units = 0
  for (let from = 0; from < batch.length; from += JOINED) {
    const to = Math.min(from + JOINED, batch.length)
    for (let i = from; i < to; i++) {
      const item = batch[i]
      if (typeof item !== 'string') {
        pieces.length = before
        throw new EncodeError(`the codec 'string' carries strings, got ${nameOf(item)}`, { itemIndex: i })
      }
      numbers[at + i] = item.length
      units += item.length
    }
    if (units > constants.MAX_STRING_LENGTH) {
      pieces.length = before
      throw new EncodeError(TOO_LONG)
    }
    pieces.push(
      to - from === 1
        ? (batch[from] as string)
        : (from === 0 && to === batch.length ? batch : batch.slice(from, to)).join(''),
    )
  }
  return units
}

/** Reads the texts of results, which come whole or in pieces that are cut between strings. */
export class TextReader {
  private piece: string | null
  private next = 1
  private at = 0

  constructor(private readonly pieces: readonly (string | null)[]) {
    this.piece = pieces[0] ?? null
  }

  /** One text; null where it is longer than a JavaScript string can be. */
  read(size: number): string | null {
    if (this.piece === null || (this.at === this.piece.length && size > 0)) this.advance()
    if (this.piece === null) return null
    const from = this.at
    this.at += size
    return size === this.piece.length ? this.piece : this.piece.substring(from, this.at)
  }

  /**
   * `count` strings, whose lengths stand in `numbers` from `at` on. They share the text that they are parts of. Null
   * where one is longer than a JavaScript string can be; then nothing stands behind it.
   */
  cut(numbers: Int32Array, at: number, count: number): string[] | null {
    const strings: string[] = new Array(count)
    let { piece } = this
    if (piece === null) return null
    let from = this.at
    for (let i = 0; i < count; i++) {
      const size = numbers[at + i]!
      if (from === piece.length && size > 0) {
        this.advance()
        piece = this.piece
        from = 0
        if (piece === null) return null
      }
      const end = from + size
      strings[i] = piece.substring(from, end)
      from = end
    }
    this.at = from
    return strings
  }

  private advance(): void {
    this.piece = this.pieces[this.next++] ?? null
    this.at = 0
  }
}
