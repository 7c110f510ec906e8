import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { RowBatch } from '../../../lib/connectors/tables/batch'
import { type EpochToken, TableSink, type TableStore } from '../../../lib/connectors/tables/sink'

/** What a database would have: epochs that are staged, and rows that are seen. */
class Store implements TableStore<RowBatch> {
  readonly stages: { token: EpochToken; first: number; batches: readonly RowBatch[] }[] = []
  readonly seen: unknown[] = []
  failing = false
  bad: number | undefined

  async open() {}
  async begin() {}
  knows = async () => true
  encode(batch: RowBatch) {
    if (batch.upserts.some(({ id }) => id === this.bad)) throw new TypeError('no form for it')
    return batch
  }

  async close() {}

  async stage(token: EpochToken, first: number, batches: readonly RowBatch[]) {
    await new Promise(setImmediate)
    if (this.failing) throw new Error('no room')
    this.stages.push({ token, first, batches })
  }

  async apply({ epoch }: EpochToken) {
    for (const { token, batches } of this.stages) if (token.epoch === epoch) this.add(batches)
  }

  async write(batch: RowBatch) {
    await new Promise(setImmediate)
    this.add([batch])
  }

  private add(batches: readonly RowBatch[]): void {
    for (const { upserts } of batches) for (const { id } of upserts) this.seen.push(id)
  }
}

function sinkOf(store: Store, batch: number, exactly = true) {
  const to = (id: number) => ({ upsert: { id } })
  return new TableSink(
    { table: 'items', key: ['id'], to, exactly, name: 'sink' },
    store,
    batch,
    (error) => {
      throw error
    },
    undefined,
  )
}

describe('the sink of a table', () => {
  it('stages several batches at a time, numbered without a gap in each epoch, and all of them before it is prepared', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 7 }),
        fc.array(fc.nat(120), { maxLength: 4 }),
        async (batch, epochs) => {
          const store = new Store()
          const sink = sinkOf(store, batch)
          await sink.open(undefined)
          let id = 0
          for (const [at, count] of epochs.entries()) {
            for (let each = 0; each < count; each++) await sink.write(id++)
            await sink.prepare()
            const mine = store.stages.filter(({ token }) => token.epoch === at + 1)
            const rows = mine.flatMap(({ batches }) => batches.flatMap(({ upserts }) => upserts))
            assert.equal(rows.length, count)
            const numbers = mine.flatMap(({ first, batches }) => batches.map((_, next) => first + next))
            assert.deepEqual(numbers, [...numbers.keys()])
            assert.ok(mine.length <= Math.ceil(count / (4 * batch)) + 1, `${mine.length} times for ${count} rows`)
            assert.equal(store.seen.length, id - count, 'nothing is seen before the commit')
            await sink.commit()
          }
          assert.deepEqual(store.seen, [...Array(id).keys()])
        },
      ),
      { numRuns: 60 },
    )
  })

  it('forgets what was full and not staged where it is opened again', async () => {
    const store = new Store()
    const sink = sinkOf(store, 2)
    await sink.open(undefined)
    for (const id of [1, 2, 3]) await sink.write(id)
    await sink.close()
    await sink.open(undefined)
    await sink.write(4)
    await sink.prepare()
    await sink.commit()
    assert.deepEqual(store.seen, [4])
  })

  it('holds back whoever writes, and tells of a stage that failed', async () => {
    const store = new Store()
    const sink = sinkOf(store, 1)
    await sink.open(undefined)
    let waited = 0
    for (let id = 0; id < 100; id++) {
      const room = sink.write(id)
      if (room !== undefined) waited++
      await room
    }
    assert.ok(waited > 5, `it waited ${waited} times`)
    store.failing = true
    for (let id = 100; id < 104; id++) await sink.write(id)
    await assert.rejects(sink.prepare(), /no room/)
  })

  it('fails where a batch has no form in the database, and does not blame the row that made it full', async () => {
    const store = new Store()
    store.bad = 1
    const sink = sinkOf(store, 3)
    await sink.open(undefined)
    for (const id of [1, 2, 3]) await sink.write(id)
    await assert.rejects(sink.prepare(), /no form for it/)
    assert.throws(() => sink.write(4), /no form for it/)
  })

  it('writes batch by batch where rows may be seen at once', async () => {
    const store = new Store()
    const sink = sinkOf(store, 3, false)
    await sink.open(undefined)
    for (let id = 0; id < 10; id++) await sink.write(id)
    await sink.prepare()
    assert.deepEqual(store.seen, [...Array(10).keys()])
    assert.equal(store.stages.length, 0)
  })
})
