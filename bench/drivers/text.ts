/** Batches as lines of JSON, for drivers that have a text channel only; `python/payload.py` is the other end. */
import type { Batch, Payload } from '../harness/types'

export function encode(batch: Batch, payload: Payload): string {
  if (payload === 'array') return JSON.stringify(base64(batch as Float64Array))
  if (payload === 'frames') return JSON.stringify((batch as readonly Uint8Array[]).map(base64))
  return JSON.stringify(batch)
}

export function decode(text: string, payload: Payload): Batch {
  return revive(JSON.parse(text), payload)
}

/** What came out of JSON, as the case has it. */
export function revive(parsed: unknown, payload: Payload): Batch {
  if (payload === 'array') return float64(Buffer.from(parsed as string, 'base64'))
  if (payload === 'frames') return (parsed as readonly string[]).map((text) => Buffer.from(text, 'base64'))
  return parsed as Batch
}

/** Bytes as an array of float64, copied where they do not lie as that needs. */
export function float64(bytes: Uint8Array | ArrayBuffer): Float64Array {
  if (bytes instanceof ArrayBuffer) return new Float64Array(bytes)
  const aligned = bytes.byteOffset % 8 === 0 ? bytes : new Uint8Array(bytes)
  return new Float64Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 8)
}

function base64(view: ArrayBufferView): string {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString('base64')
}
