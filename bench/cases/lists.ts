/** What cases have in common whose batches are lists. */
import type { Batch, Case } from '../harness/types'

type ListCase = Pick<Case, 'measures' | 'itemsIn' | 'fingerprint'>

/** Cuts the case's items into a ring of batches of one size; items repeat where there are too few for two batches. */
export function cut(items: readonly unknown[], size: number): unknown[][] {
  const count = Math.max(2, Math.floor(items.length / size))
  return Array.from({ length: count }, (_, batch) =>
    Array.from({ length: size }, (_, index) => items[(batch * size + index) % items.length]!),
  )
}

export function checkLength(results: Batch, batch: Batch): void {
  if (results.length !== batch.length) {
    throw new Error(`${results.length} results came back for ${batch.length} items`)
  }
}

/** Reads every text once. */
export function consumeStrings(results: Batch, batch: Batch): number {
  checkLength(results, batch)
  let characters = 0
  for (let index = 0; index < results.length; index += 1) characters += (results[index] as string).length
  return characters
}

export const listCase: ListCase = {
  measures: 'throughput',
  itemsIn: (size) => size,
  fingerprint: (results) => Array.from(results as readonly unknown[], (one) => stable(one)),
}

/** Records as texts that do not depend on the order of their fields. */
function stable(value: unknown): string {
  if (typeof value === 'string') return value
  return JSON.stringify(value, Object.keys(value as object).sort())
}
