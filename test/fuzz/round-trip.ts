// Random values through every codec and back, in one isolation.
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { anyString, jsonValue } from '../fixtures/arbitraries'
import { openPool } from '../fixtures/modes'
import type { Campaign } from './campaigns'

/** Values of one property; the time is looked at between them. */
const RUNS = 20

/** Beyond the sizes from which memory is lent, and put into a block of its own. */
const large = fc
  .tuple(fc.integer({ min: 65_000, max: 140_000 }), fc.nat(255))
  .map(([size, byte]) => new Uint8Array(size).fill(byte))
const bytes = fc.oneof(fc.uint8Array({ maxLength: 200 }), large)
const array = fc.oneof(
  fc.int8Array(),
  fc.uint16Array(),
  fc.int32Array(),
  fc.float32Array(),
  fc.float64Array(),
  fc.bigInt64Array(),
)
const VALUES = {
  json: fc.array(jsonValue, { maxLength: 8 }),
  string: fc.array(anyString, { maxLength: 40 }),
  buffer: fc.array(bytes, { maxLength: 4 }),
  array,
} as const

export async function roundTripCampaign(
  isolation: 'shared' | 'namespace' | 'process',
  seed: number,
  until: number,
): ReturnType<Campaign> {
  const pool = await openPool({ isolation, size: isolation === 'shared' ? 1 : 2 })
  let executions = 0
  const properties = (['json', 'string', 'buffer', 'array'] as const).map((codec) => {
    const echo = pool.handler({ source: 'def handle(batch): return batch' }, { codec })
    return fc.asyncProperty(VALUES[codec] as fc.Arbitrary<unknown>, async (value) => {
      executions++
      assert.deepEqual(await echo.call(value as never), value)
    })
  })
  for (let round = 0; performance.now() < until; round++) {
    for (const property of properties) {
      if (performance.now() < until) await fc.assert(property, { seed: seed + round, numRuns: RUNS })
    }
  }
  await pool.close()
  return executions
}
