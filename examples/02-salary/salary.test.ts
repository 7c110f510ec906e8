import assert from 'node:assert/strict'
import { needKafka } from '../../test/services/servers/kafka'
import { chartOf, measure, post } from './batching'
import { demo as kafkaDemo } from './kafka'
import { startService } from './service'

describe('example 2: salaries', () => {
  it('answers by REST, one by one and in batches, as the model does in the stream', async () => {
    for (const batched of [false, true]) {
      const { url, people, score, close } = await startService({ port: 0, batched, size: 1, records: 5000 })
      try {
        const some = people.slice(0, 40)
        const expected = await score.call(some)
        assert.deepEqual(await Promise.all(some.map((person) => post(url, person))), expected)
      } finally {
        await close()
      }
    }
  })

  it('is many times as quick in batches, and draws that', async () => {
    const throughput = await measure(300, () => {})
    const { stream, oneByOne, together } = throughput
    assert.ok(stream.get(1024)! > 5 * stream.get(1)!, `${[...stream]}`)
    assert.ok(together > 2 * oneByOne, `${together} against ${oneByOne}`)
    const chart = chartOf(throughput)
    assert.match(chart, /^<svg [\s\S]*Effect of batching on throughput[\s\S]*REST, one by one[\s\S]*<\/svg>\n$/)
  })

  it('goes from Kafka to Kafka, each person once, also when a worker comes while it runs', async function () {
    needKafka(this)
    const { answers, expected, workers } = await kafkaDemo(['4000'], () => {})
    assert.equal(answers.length, 4000)
    const byId = [...answers].sort((a, b) => a.id - b.id)
    byId.forEach(({ id, income, probability }, at) => {
      assert.deepEqual({ id, income, probability }, { id: at, ...expected[at]! })
    })
    // Both have worked, and each partition was one worker's at a time.
    assert.deepEqual(new Set(answers.map(({ worker }) => worker)), new Set(workers))
  })
})
