import { consume } from '../harness/pump'
import type { Driver } from '../harness/types'

/**
 * The ceiling of every driver that hands a batch over as one string: the items are joined, and the results cut out of
 * the text that comes back. Nothing is between the two.
 */
export const javascript: Driver = {
  name: 'javascript',
  label: 'JavaScript: join and cut, no Python',
  role: 'bound',
  concurrent: false,
  cases: ['identity'],
  async open({ batches }) {
    let next = 0
    return {
      async run(count) {
        const start = performance.now()
        for (let done = 0; done < count; done += 1) {
          const batch = batches[next]!
          next = next + 1 === batches.length ? 0 : next + 1
          consume(joinAndCut(batch), batch.length)
        }
        return (performance.now() - start) / 1000
      },
      results: async (batch) => joinAndCut(batch),
      close: async () => undefined,
    }
  },
}

function joinAndCut(batch: readonly string[]): string[] {
  const lengths = new Uint32Array(batch.length)
  for (let index = 0; index < batch.length; index += 1) lengths[index] = batch[index]!.length
  const text = batch.join('')
  const results = new Array<string>(batch.length)
  let from = 0
  for (let index = 0; index < batch.length; index += 1) {
    const to = from + lengths[index]!
    results[index] = text.substring(from, to)
    from = to
  }
  return results
}
