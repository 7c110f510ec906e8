import { constants } from 'node:buffer'
import { EncodeError } from '../errors'
import { nameOf } from './binary'

export const TOO_LONG = 'the batch is longer than a JavaScript string can be: send fewer items at a time'

/**
 * Writes the lengths of a batch of strings, in UTF-16 code units, and gives their sum.
 *
 * @throws EncodeError for what is not a string
 */
export function writeLengths(batch: readonly unknown[], numbers: Int32Array, at: number): number {
  let units = 0
  for (let i = 0; i < batch.length; i++) {
    const item = batch[i]
    if (typeof item !== 'string') {
      throw new EncodeError(`the codec 'string' carries strings, got ${nameOf(item)}`, { itemIndex: i })
    }
    const { length } = item
    numbers[at + i] = length
    units += length
  }
  if (units > constants.MAX_STRING_LENGTH) throw new EncodeError(TOO_LONG)
  return units
}

/** The strings of a result: parts of one text, which they share. */
export function cutStrings(text: string, from: number, numbers: Int32Array, at: number, count: number): string[] {
  const strings: string[] = new Array(count)
  for (let i = 0; i < count; i++) {
    const end = from + numbers[at + i]!
    strings[i] = text.substring(from, end)
    from = end
  }
  return strings
}
