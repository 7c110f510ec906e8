import type { StreamChecker } from '../../streams/check'
import { type CodecOption, checkCodec } from '../codec'
import { checkDeadLetters, type DeadLetterOption, DeadLetters } from '../deadLetters'
import { checkFormat, FORMAT_OPTIONS, type FormatOptions, type Reading } from './reading'

export interface FileOptions<T> extends FormatOptions {
  /** Lines and whole files: how their bytes become values. Default: as the format has it. */
  codec?: CodecOption<T>
  signal?: AbortSignal
  /** Where lines go that are none of the format (default: left out with a warning). */
  deadLetters?: DeadLetterOption<Buffer>
}

export const FILE_OPTIONS = [...FORMAT_OPTIONS, 'codec', 'signal', 'deadLetters'] as const

export function checkReading<T>(check: StreamChecker, from: string, options: FileOptions<T>, name?: string): Reading {
  checkDeadLetters(check, options.deadLetters)
  return {
    options: checkFormat(check, options, name),
    codec: options.codec === undefined ? undefined : checkCodec(check, options.codec as CodecOption<unknown>),
    deadLetters: new DeadLetters<Buffer>(from, options.deadLetters),
  }
}
