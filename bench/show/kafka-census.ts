import type { TestRecord } from '../../lib/testing'
import { censusFrom } from '../cases/census'
import { findCensus } from '../harness/paths'

/** Census records with a key and their number among those of the key; `counts` gets how many each key has. */
export async function keyedCensus(
  data: string | undefined,
  records: number,
  keys: number,
  counts: Map<string, number>,
): Promise<TestRecord[]> {
  const { people } = await censusFrom(findCensus(data))
  return Array.from({ length: records }, (_, at) => {
    const key = `k${(at * 7919) % keys}`
    const number = counts.get(key) ?? 0
    counts.set(key, number + 1)
    return { key, value: JSON.stringify({ key, number, ...people[at % people.length]! }) }
  })
}
