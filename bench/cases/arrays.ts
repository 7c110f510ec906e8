import type { Batch, Case } from '../harness/types'

const KIB = 2 ** 10
const MIB = 2 ** 20
const RING = 2

const arrays = {
  unit: 'arrays',
  measures: 'throughput',
  sizes: [KIB, 64 * KIB, MIB, 16 * MIB, 64 * MIB],
  payload: 'array',
  module: 'arrays',
  init: false,
  inFlight: () => [1],
  prepare: async () => ({}),
  itemsIn: () => 1,
  fingerprint: (results) => [`${results.length} ${results[0]} ${results[results.length - 1]}`],
} as const satisfies Partial<Case>

/** An array of float64 to Python, which looks at both ends of it. */
export const arrayIn: Case = {
  ...arrays,
  name: 'array-in',
  title: 'An array of float64 from JavaScript to numpy',
  function: 'take',
  batches: async (bytes) => Array.from({ length: RING }, (_, at) => new Float64Array(bytes / 8).fill(at + 1)),
  consume: (results) => ends(results, 2),
}

/** An array of float64 from Python, which keeps it: the same memory each time. */
export const arrayOut: Case = {
  ...arrays,
  name: 'array-out',
  title: 'An array of float64 from numpy to JavaScript',
  function: 'give',
  batches: async (bytes) => Array.from({ length: RING }, () => Float64Array.of(bytes / 8)),
  consume: (results, batch) => ends(results, batch[0] as number),
}

function ends(results: Batch, length: number): number {
  if (results.length !== length) throw new Error(`an array of ${results.length} came back instead of ${length}`)
  return (results[0] as number) + (results[length - 1] as number)
}
