import type { StreamChecker } from '../streams/check'

/** Values and the bytes that they are outside. */
export interface RecordCodec<T> {
  /** Throws where the bytes are none of its values: a dead letter. */
  decode(data: Buffer): T
  encode(value: T): string | Uint8Array
}

/** `'json'` (the default): a JSON text; `'string'`: UTF-8; `'buffer'`: the bytes as they are; or a pair of functions. */
export type CodecOption<T> = 'json' | 'string' | 'buffer' | RecordCodec<T>

const NAMED: Record<'json' | 'string' | 'buffer', RecordCodec<never>> = {
  json: {
    decode: (data) => JSON.parse(data.toString('utf8')) as never,
    encode(value: unknown) {
      const text = JSON.stringify(value)
      if (text === undefined) throw new TypeError(`${typeof value} has no form in JSON`)
      return text
    },
  },
  string: {
    decode: (data) => data.toString('utf8') as never,
    encode(value: unknown) {
      if (typeof value !== 'string') throw new TypeError(`codec 'string' takes texts, not ${typeof value}`)
      return value
    },
  },
  buffer: {
    decode: (data) => data as never,
    encode(value: unknown) {
      if (!(value instanceof Uint8Array)) throw new TypeError(`codec 'buffer' takes a Uint8Array, not ${typeof value}`)
      return value
    },
  },
}

/** The codec that the option stands for; problems go to `check`. */
export function checkCodec<T>(check: StreamChecker, option: CodecOption<T> | undefined): RecordCodec<T> {
  if (option === undefined) return NAMED.json
  if (typeof option === 'string' && Object.hasOwn(NAMED, option)) return NAMED[option]
  const codec = option as Partial<RecordCodec<T>> | null
  if (typeof codec?.decode === 'function' && typeof codec.encode === 'function') return codec as RecordCodec<T>
  check.problem("'codec' must be 'json', 'string', 'buffer' or { decode, encode }", option)
  return NAMED.json
}
