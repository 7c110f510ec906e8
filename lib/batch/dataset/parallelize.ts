import { StreamChecker } from '../../streams/check'
import { Dataset } from './dataset'
import { SourcePlan } from './plan'

/**
 * A dataset of what an iterable gives, in so many partitions (default 8) of about the same size. The iterable is read at
 * once, and what happens to it later makes no difference.
 */
export function parallelize<T>(iterable: Iterable<T>, partitions = 8): Dataset<T> {
  const check = new StreamChecker('parallelize', undefined, [])
  if (typeof (iterable as Partial<Iterable<T>> | null)?.[Symbol.iterator] !== 'function') {
    check.problem("'iterable' must be an array or another iterable", iterable)
  }
  const count = check.requiredWhole('partitions', partitions, 1, 1 << 20)
  check.done()
  const items = [...iterable]
  const at = (partition: number) => Math.floor((partition * items.length) / count)
  function* read(partition: number): Generator<T> {
    const end = at(partition + 1)
    for (let i = at(partition); i < end; i++) yield items[i]!
  }
  return new Dataset(new SourcePlan('parallelize', async () => count, read))
}
