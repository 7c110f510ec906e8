import type { Case } from '../harness/types'
import { censusVariables, people } from './census'
import { checkLength, cut, listCase } from './lists'

/** A single record now and then. The handler answers with the microseconds that it took itself. */
export const latency: Case = {
  ...listCase,
  name: 'latency',
  title: 'One record at a time, at a low rate',
  unit: 'calls',
  measures: 'latency',
  sizes: [10, 1000],
  payload: 'strings',
  module: 'latency',
  init: false,
  inFlight: () => [1],
  prepare: async (_, asked) => censusVariables(asked),
  batches: async () =>
    cut(
      (await people()).slice(0, 1024).map((person) => JSON.stringify(person)),
      1,
    ),
  itemsIn: () => 1,
  consume: checkLength,
  // What the handler answers is another figure each time.
  fingerprint: (results) => Array.from(results as readonly string[], (text) => `${Number(text) > 0}`),
}
