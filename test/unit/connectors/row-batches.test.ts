import assert from 'node:assert/strict'
import fc from 'fast-check'
import { BatchBuilder, type RowBatch } from '../../../lib/connectors/tables/batch'
import type { Row, RowOperation } from '../../../lib/connectors/tables/change'

function batchesOf(operations: readonly RowOperation[], limit: number): RowBatch[] {
  const batches: RowBatch[] = []
  const builder = new BatchBuilder(['id'], limit, (batch) => batches.push(batch))
  for (const operation of operations) builder.add(operation)
  builder.cut()
  return batches
}

/** What a database does with a statement each. */
function applyBatch(table: Map<unknown, Row>, { truncate, deletes, upserts, columns }: RowBatch): void {
  if (truncate) table.clear()
  for (const row of deletes) table.delete(row.id)
  for (const row of upserts) {
    assert.deepEqual(Object.keys(row).sort(), [...columns].sort())
    table.set(row.id, { ...table.get(row.id), ...row })
  }
}

function applyOne(table: Map<unknown, Row>, operation: RowOperation): void {
  if ('truncate' in operation) table.clear()
  else if ('delete' in operation) table.delete(operation.delete.id)
  else {
    if (operation.old && operation.old.id !== operation.upsert.id) table.delete(operation.old.id)
    table.set(operation.upsert.id, { ...table.get(operation.upsert.id), ...operation.upsert })
  }
}

const id = fc.integer({ min: 0, max: 4 })
const row = fc.record({ id, a: fc.nat(9), b: fc.nat(9) })
const operation: fc.Arbitrary<RowOperation> = fc.oneof(
  { weight: 6, arbitrary: row.map((upsert) => ({ upsert })) },
  { weight: 2, arbitrary: fc.record({ upsert: row, old: fc.record({ id }) }) },
  { weight: 3, arbitrary: id.map((one) => ({ delete: { id: one } })) },
  { weight: 1, arbitrary: fc.constant({ truncate: true as const }) },
)

describe('batches of rows', () => {
  it('do the same as their operations one by one', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 30 }), fc.integer({ min: 1, max: 8 }), (operations, limit) => {
        const [byBatches, byOne] = [new Map<unknown, Row>(), new Map<unknown, Row>()]
        for (const batch of batchesOf(operations, limit)) {
          const keys = [...batch.deletes, ...batch.upserts].map((one) => one.id)
          assert.equal(new Set(keys).size, keys.length)
          applyBatch(byBatches, batch)
        }
        for (const one of operations) applyOne(byOne, one)
        assert.deepEqual([...byBatches].sort(), [...byOne].sort())
      }),
    )
  })

  it('begin anew where rows have other columns', () => {
    const rows = [
      { id: 1, a: 1 },
      { a: 2, id: 2 },
      { id: 3, a: undefined, b: 1 },
      { id: 4, b: 2 },
    ]
    const batches = batchesOf(
      rows.map((upsert) => ({ upsert })),
      100,
    )
    assert.deepEqual(
      batches.map(({ columns, upserts }) => [columns, upserts.length]),
      [
        [['id', 'a'], 2],
        [['id', 'b'], 2],
      ],
    )
  })

  it('refuse what is no data', () => {
    assert.throws(() => batchesOf([{ upsert: { id: 1, a: () => 1 } }], 10), { name: 'TypeError', message: /'a'/ })
  })

  it('refuse a row without its key', () => {
    for (const wrong of [{ a: 1 }, { id: null }]) {
      assert.throws(() => batchesOf([{ upsert: wrong }], 10), { name: 'TypeError', message: /'id'/ })
    }
  })
})
