import assert from 'node:assert/strict'
import { demo } from './demo'

describe('example 1: count the evens', () => {
  it('counts them, in partitions, by a Python function', async () => {
    const lines: string[] = []
    assert.equal(await demo([], (line) => lines.push(line)), 500)
    assert.deepEqual(lines, ['500 of 1000 numbers are even'])
    assert.equal(await demo(['7'], () => {}), 4)
    assert.equal(await demo(['0'], () => {}), 0)
  })

  it('says what is not a number', async () => {
    await assert.rejects(
      demo(['many'], () => {}),
      /'many' is not a number/,
    )
  })
})
