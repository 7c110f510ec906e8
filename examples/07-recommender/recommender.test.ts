import assert from 'node:assert/strict'
import { demo } from './demo'

describe('example 7: a recommender that keeps training', () => {
  it('errs less the more ratings arrive, stores each model with its error, and serves the best', async () => {
    const { versions, stored, recommended, liking, average } = await demo([], () => {})
    assert.ok(versions.length >= 5, `${versions.length} models`)
    const [first, last] = [versions[0]!, versions.at(-1)!]
    assert.ok(last.ratings > first.ratings)
    assert.ok(last.error < first.error / 1.5, `${first.error} → ${last.error}`)
    for (const { serving, error, before } of versions) assert.equal(serving, before === null || error <= before)
    assert.deepEqual(
      stored.map(({ version, error }) => ({ version, error })),
      versions.map(({ version, error }) => ({ version, error })),
    )
    const served = stored.filter(({ serving }) => serving).map(({ version }) => version)
    assert.deepEqual(served, [versions.findLast(({ serving }) => serving)!.version])
    assert.equal(recommended.version, served[0])
    assert.equal(recommended.items.length, 3)
    assert.ok(liking > average + 1, `${liking} against ${average}`)
  })
})
