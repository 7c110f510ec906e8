import { decodeColumns } from '../codec/columns-decode'
import type { TypedArray } from '../codec/typed'
import type { CodecName, HandlerMode } from './handler-types'

/** What makes a call's answer of its decoded results, where they are not the answer as they are. */
export function finisher(mode: HandlerMode, codec: CodecName): ((value: unknown) => unknown) | undefined {
  if (mode === 'filter') return (value) => Array.from((value as string[]).join(''), (flag) => flag === '1')
  if (codec === 'columns') return decodeColumns
  if (codec === 'array') return (value) => (value as TypedArray[])[0]
  return undefined
}
