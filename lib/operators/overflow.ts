import type { Batcher } from '../batch/batcher'
import { OverflowError } from '../errors'
import type { CompleteOperatorOptions } from './options'

/**
 * Items wait for Python, as many as `bufferSize` says, and one more has come: as the option `overflow` has it, either that
 * one is dropped (false), or others make room for it.
 *
 * @throws OverflowError where nothing may be dropped
 */
export function makeRoom<I>(
  where: string,
  batcher: Batcher<I>,
  { overflow, bufferSize, metrics }: Pick<CompleteOperatorOptions<I, unknown>, 'overflow' | 'bufferSize' | 'metrics'>,
): boolean {
  let dropped = 1
  switch (overflow) {
    case 'error':
      throw new OverflowError(
        `${where}: more than ${bufferSize} items wait for Python; use a source that can be stopped (fromIterable), ` +
          "a larger 'bufferSize', or 'overflow' to drop items",
      )
    case 'drop-newest':
      metrics.dropped++
      return false
    case 'drop-oldest':
      batcher.dropOldest()
      break
    case 'sample':
      dropped = batcher.clear()
      break
  }
  metrics.dropped += dropped
  metrics.waiting -= dropped
  return true
}
