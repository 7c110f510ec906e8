import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { Batcher } from '../../lib/batch/batcher'

type Step = 'push' | 'take' | 'drop' | 'turn' | 'clear'

describe('Batcher against a plain list', () => {
  it('keeps order, count and limits whatever is done to it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 12 }),
        fc.array(fc.constantFrom<Step>('push', 'push', 'push', 'take', 'drop', 'turn', 'clear'), {
          maxLength: 200,
        }),
        async (maxItems, maxBytes, steps) => {
          const sizeOf = (item: number) => (item % 7) + 1
          const batcher = new Batcher<number>({ maxItems, maxBytes, maxWait: 0 }, () => {}, sizeOf)
          let reference: number[] = []
          let item = 0
          const check = (batch: number[] | undefined) => {
            if (batch === undefined) return false
            assert.ok(batch.length >= 1 && batch.length <= maxItems)
            const bytes = batch.reduce((sum, one) => sum + sizeOf(one), 0)
            assert.ok(bytes <= maxBytes || batch.length === 1)
            assert.deepEqual(batch, reference.slice(0, batch.length))
            reference = reference.slice(batch.length)
            return true
          }
          for (const step of steps) {
            if (step === 'push') {
              batcher.push(++item)
              reference.push(item)
            } else if (step === 'take') check(batcher.take())
            else if (step === 'drop') {
              batcher.dropOldest()
              reference.shift()
            } else if (step === 'turn') await Promise.resolve()
            else {
              assert.equal(batcher.clear(), reference.length)
              reference = []
            }
            assert.equal(batcher.waiting, reference.length)
          }
          batcher.drain()
          while (check(batcher.take())) assert.equal(batcher.waiting, reference.length)
          assert.deepEqual(reference, [])
        },
      ),
      { numRuns: 300 },
    )
  })
})
