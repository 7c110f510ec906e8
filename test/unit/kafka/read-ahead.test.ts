import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { RawRecord } from '../../../lib/connectors/kafka/adapter'
import { ReadAhead } from '../../../lib/connectors/kafka/readAhead'

function record(offset: number, bytes = 10): RawRecord {
  return { topic: 't', partition: 0, offset, timestamp: 0, key: null, value: Buffer.alloc(bytes), headers: {} }
}

function ahead(records: number, bytes = 1 << 20) {
  const calls: string[] = []
  const queue = new ReadAhead(
    { records, bytes },
    () => calls.push('pause'),
    () => calls.push('resume'),
  )
  return { calls, queue }
}

describe('read-ahead of a partition', () => {
  it('pauses from so many records on, and resumes when half of them are worked off', () => {
    const { calls, queue } = ahead(10)
    for (let offset = 0; offset < 9; offset++) queue.push(record(offset))
    assert.deepEqual(calls, [])
    queue.push(record(9))
    queue.push(record(10))
    assert.deepEqual(calls, ['pause'])
    for (let offset = 0; offset < 5; offset++) assert.equal(queue.take()?.offset, offset)
    assert.deepEqual(calls, ['pause'])
    assert.equal(queue.take()?.offset, 5)
    assert.deepEqual(calls, ['pause', 'resume'])
  })

  it('counts bytes, too', () => {
    const { calls, queue } = ahead(1000, 1000)
    queue.push(record(0, 400))
    assert.deepEqual(calls, [])
    queue.push(record(1, 600))
    assert.deepEqual(calls, ['pause'])
    queue.take()
    assert.deepEqual(calls, ['pause'])
    queue.take()
    assert.deepEqual(calls, ['pause', 'resume'])
  })

  it('gives records in their order, however many there are', () => {
    const { queue } = ahead(100_000)
    for (let offset = 0; offset < 5000; offset++) queue.push(record(offset))
    for (let offset = 0; offset < 5000; offset++) {
      assert.equal(queue.take()?.offset, offset)
      queue.push(record(5000 + offset))
    }
    assert.equal(queue.size, 5000)
    assert.equal(queue.take()?.offset, 5000)
  })

  it('wakes who waits for a record', async () => {
    const { queue } = ahead(10)
    const more = queue.more()
    queue.push(record(1))
    assert.equal(await more, true)
  })

  it('gives nothing any more after its end', async () => {
    const { queue } = ahead(10)
    queue.push(record(1))
    queue.end()
    queue.push(record(2))
    assert.equal(queue.take(), undefined)
    assert.equal(await queue.more(), false)
  })

  it('is read by somebody else when one has left, and from another place', async () => {
    const { queue } = ahead(2)
    const leaving = new AbortController()
    const more = queue.more(leaving.signal)
    leaving.abort()
    assert.equal(await more, false)
    queue.push(record(1))
    queue.push(record(2))
    assert.equal(queue.paused, true)
    queue.reset()
    assert.equal(queue.paused, false)
    queue.push(record(3))
    queue.goOn()
    queue.push(record(1))
    assert.equal(await queue.more(), true)
    assert.equal(queue.take()?.offset, 1)
    assert.equal(queue.take(), undefined)
  })

  it('throws what has failed', async () => {
    const { queue } = ahead(10)
    const more = queue.more()
    queue.fail(new Error('gone'))
    await more
    assert.throws(() => queue.take(), /gone/)
  })
})
