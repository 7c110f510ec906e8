import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { Free } from '../../../lib/streams/windows/free'
import { Marks } from '../../../lib/streams/windows/marks'

describe('the places of keys in windows', () => {
  it('are given again lowest first', () => {
    const step = fc.option(fc.nat(500), { nil: 'pop' as const })
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const free = new Free()
        let naive: number[] = []
        for (const number of steps) {
          if (number === 'pop') {
            assert.equal(free.pop(), naive.shift())
            continue
          }
          free.push(number)
          naive = [...naive, number].sort((a, b) => a - b)
        }
        while (naive.length > 0) assert.equal(free.pop(), naive.shift())
        assert.equal(free.pop(), undefined)
      }),
    )
  })

  it('are marked once, few or many', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000 }), fc.integer({ min: 1, max: 20_000 }), (count, range) => {
        const marks = new Marks()
        const naive = new Set<number>()
        for (let i = 0; i < count; i++) {
          const place = Math.imul(i, 2_654_435) % range
          marks.add(Math.abs(place))
          naive.add(Math.abs(place))
        }
        const taken = marks.take()
        assert.equal(taken.length, naive.size)
        assert.deepEqual(new Set(taken), naive)
        assert.deepEqual(marks.take(), [])
      }),
      { numRuns: 30 },
    )
  })
})
