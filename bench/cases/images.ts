import { createHash } from 'node:crypto'
import type { Case } from '../harness/types'
import { checkLength, cut, listCase } from './lists'
import { seeded } from './random'

export const FRAME_BYTES = 640 * 480
const FRAMES = 32

function frame(seed: number): Uint8Array {
  const random = seeded(seed)
  const pixels = new Uint8Array(FRAME_BYTES)
  for (let at = 0; at < pixels.length; at += 1) pixels[at] = Math.floor(random() * 256)
  return pixels
}

/** Grey frames through a filter of numpy's. */
export const images: Case = {
  ...listCase,
  name: 'images',
  title: 'Frames of 640×480 bytes through an edge filter in numpy',
  unit: 'frames',
  payload: 'frames',
  sizes: [1, 4, 16],
  module: 'images',
  init: false,
  inFlight: () => [4],
  prepare: async () => ({}),
  batches: async (size) =>
    cut(
      Array.from({ length: FRAMES }, (_, index) => frame(index + 1)),
      size,
    ),
  consume(results, batch) {
    checkLength(results, batch)
    for (const one of results as readonly Uint8Array[]) {
      if (one.byteLength !== FRAME_BYTES) throw new Error(`a frame of ${one.byteLength} bytes came back`)
    }
  },
  fingerprint: (results) =>
    Array.from(results as readonly Uint8Array[], (one) => createHash('sha256').update(one).digest('hex')),
}
