import type { Case } from '../harness/types'
import { consumeStrings, cut, listCase } from './lists'
import { seeded } from './random'

const ITEMS = 65_536
const LENGTH = 40
const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789'

/** Made-up strings of 40 characters, the same in every process. */
export function strings(): string[] {
  const random = seeded(40)
  return Array.from({ length: ITEMS }, () => {
    const bytes = Buffer.alloc(LENGTH)
    for (let at = 0; at < LENGTH; at += 1) bytes[at] = LETTERS.charCodeAt(Math.floor(random() * LETTERS.length))
    return bytes.toString('latin1')
  })
}

/** The cheapest handler there is: what remains is the way to Python and back. */
export const identity: Case = {
  ...listCase,
  name: 'identity',
  title: 'Strings of 40 characters through an empty handler',
  unit: 'strings',
  payload: 'strings',
  sizes: [1, 16, 256, 1024, 4096, 16384],
  module: 'identity',
  init: false,
  inFlight: (size) => (size === 1 ? [8, 64] : [8]),
  prepare: async () => ({}),
  batches: async (size) => cut(strings(), size),
  consume: consumeStrings,
}
