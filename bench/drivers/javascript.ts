import { blockingSession } from '../harness/pump'
import type { Batch, Driver } from '../harness/types'

/**
 * What the JavaScript thread alone needs for a batch that is handed over as one text: strings are joined and the results
 * cut out of what comes back; records go through JSON.stringify and JSON.parse. Nothing is between the two.
 */
export const javascript: Driver = {
  name: 'javascript',
  label: 'JavaScript alone, no Python',
  role: 'bound',
  concurrent: false,
  carries: [],
  only: ['identity', 'json'],
  async open(work) {
    const there = work.case.payload === 'strings' ? joinAndCut : thereAndBack
    return blockingSession(work, there, () => undefined)
  },
}

function thereAndBack(batch: Batch): Batch {
  return JSON.parse(JSON.stringify(batch)) as Batch
}

function joinAndCut(items: Batch): Batch {
  const batch = items as readonly string[]
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
