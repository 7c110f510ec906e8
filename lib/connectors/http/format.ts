import type { CodecName } from '../../pool/handler'
import { RequestFailure } from './problem'

/** How a request's body is understood: one record, a list of them, or whichever it looks like. */
export type BodyShape = 'auto' | 'record' | 'list'

/** What a request asks for. */
export interface Asked {
  readonly records: readonly unknown[]
  /** Whether the answer is a list, too. */
  readonly list: boolean
  readonly type: 'json' | 'text' | 'bytes'
}

export interface Answer {
  readonly type: string
  readonly body: string | Uint8Array
}

export type ServedCodec = Exclude<CodecName, 'array'>

/** Reads requests, as the handler's codec has it. Throws a `RequestFailure` for what is none. */
export function readBody(body: Buffer, contentType: string | undefined, codec: ServedCodec, shape: BodyShape): Asked {
  const type = mediaType(contentType)
  if (codec === 'buffer') return { records: [body], list: false, type: 'bytes' }
  if (codec === 'string' && type === 'text/plain') {
    return { records: [body.toString('utf8')], list: false, type: 'text' }
  }
  if (type !== '' && type !== 'application/json' && !type.endsWith('+json')) {
    const wanted = codec === 'string' ? 'application/json or text/plain' : 'application/json'
    throw new RequestFailure(415, `the body must be ${wanted}, not ${type}`)
  }
  let value: unknown
  try {
    value = JSON.parse(body.toString('utf8'))
  } catch (error) {
    throw new RequestFailure(400, `the body is not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  const list = shape === 'list' || (shape === 'auto' && Array.isArray(value))
  if (list && !Array.isArray(value)) throw new RequestFailure(422, 'the body must be a list of records')
  const records = list ? (value as unknown[]) : [value]
  for (const [index, record] of records.entries()) checkRecord(record, codec, list ? index : undefined)
  return { records, list, type: 'json' }
}

function mediaType(contentType: string | undefined): string {
  if (contentType === undefined) return ''
  const end = contentType.indexOf(';')
  return (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase()
}

function checkRecord(record: unknown, codec: ServedCodec, index: number | undefined): void {
  if (codec === 'string' && typeof record !== 'string') {
    throw new RequestFailure(422, 'a record must be a JSON string', {}, index)
  }
  if (codec === 'columns' && (typeof record !== 'object' || record === null || Array.isArray(record))) {
    throw new RequestFailure(422, 'a record must be a JSON object', {}, index)
  }
}

/** The answer to what was asked. */
export function writeAnswer(results: readonly unknown[], asked: Asked): Answer {
  const [first] = results
  if (asked.type === 'bytes') {
    if (!(first instanceof Uint8Array)) throw new TypeError('the handler must give bytes')
    return { type: 'application/octet-stream', body: first }
  }
  if (asked.type === 'text') {
    if (typeof first !== 'string') throw new TypeError('the handler must give a text')
    return { type: 'text/plain; charset=utf-8', body: first }
  }
  return { type: 'application/json', body: JSON.stringify(asked.list ? results : first) ?? 'null' }
}
