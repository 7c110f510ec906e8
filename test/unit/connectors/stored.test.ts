import assert from 'node:assert/strict'
import { StageMemory, type StoredBatch } from '../../../lib/connectors/tables/stored'

const batch = (value: number): StoredBatch<number> => ({
  truncate: false,
  columns: ['id'],
  deletes: [],
  upserts: [value],
})
const MIB = 1 << 20

describe('batches that are staged and kept', () => {
  const token = { sink: 's', run: 'r', epoch: 1 }

  it('are those of their epoch and run', () => {
    const memory = new StageMemory<number>()
    const [one, two] = [batch(1), batch(2)]
    memory.keep(token, 0, one, 10)
    memory.keep({ ...token, epoch: 2 }, 0, two, 10)
    assert.equal(memory.get(token, 0), one)
    assert.equal(memory.get({ ...token, epoch: 2 }, 0), two)
    assert.equal(memory.get({ ...token, run: 'other' }, 0), undefined)
    assert.equal(memory.get(token, 1), undefined)
  })

  it('are so many that their bytes are bounded, and make room when their epoch is applied', () => {
    const memory = new StageMemory<number>()
    for (let number = 0; number < 80; number++) memory.keep(token, number, batch(number), MIB)
    const kept = [...Array(80).keys()].filter((number) => memory.get(token, number) !== undefined)
    assert.ok(kept.length > 0 && kept.length < 80, `${kept.length} of 80 MiB`)
    memory.forget(token, [...Array(80).keys()])
    assert.ok(kept.every((number) => memory.get(token, number) === undefined))
    const next = { ...token, epoch: 2 }
    for (const number of kept) memory.keep(next, number, batch(number), MIB)
    assert.ok(kept.every((number) => memory.get(next, number) !== undefined))
  })
})
