import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import { kafkaSink } from '../../../lib/connectors/kafka'
import type { EmbeddedKafka } from '../../../lib/testing'
import { needKafka, startKafka } from '../servers/kafka'

describe('a Kafka sink with transactions', function () {
  this.timeout(120_000)
  let kafka: EmbeddedKafka

  before(async function () {
    needKafka(this)
    kafka = await startKafka({ client: 'confluent' })
  })
  after(() => kafka?.stop())

  const sinkOf = (topic: string) => kafkaSink<number>({ kafka: kafka.connection, topic, transaction: `of-${topic}` })
  const valuesOf = async (topic: string) => (await kafka.read(topic)).map(({ value }) => Number(value))

  it('shows an epoch at its checkpoint, as a whole', async () => {
    await kafka.createTopics('epochs')
    const sink = sinkOf('epochs')
    await sink.open(undefined)
    for (let value = 0; value < 10; value++) await sink.write({ value })
    assert.deepEqual(await valuesOf('epochs'), [])
    const prepared = sink.prepare(1)
    // It belongs to the next epoch: the first one is being committed.
    await sink.write({ value: 10 })
    await prepared
    await sink.commit(1)
    assert.deepEqual(await valuesOf('epochs'), [...Array(10).keys()])
    await sink.prepare(2)
    assert.deepEqual(await valuesOf('epochs'), [...Array(11).keys()])
    await sink.close()
  })

  it('takes back what no checkpoint has seen', async () => {
    await kafka.createTopics('back')
    const sink = sinkOf('back')
    await sink.open(undefined)
    await sink.write({ value: 1 })
    await sink.prepare(1)
    await sink.write({ value: 2 })
    await sink.close()
    await sink.open(undefined)
    await sink.write({ value: 3 })
    await sink.prepare(1)
    await sink.close()
    assert.deepEqual(await valuesOf('back'), [1, 3])
  })

  it('is fenced off by another one of its name, and says so', async () => {
    await kafka.createTopics('fenced')
    const first = sinkOf('fenced')
    await first.open(undefined)
    await first.write({ value: 1 })
    const second = sinkOf('fenced')
    await second.open(undefined)
    await second.write({ value: 2 })
    await second.prepare(1)
    await assert.rejects(async () => first.prepare(1), { code: 'ERR_KAFKA_FENCED' })
    await first.close()
    await second.close()
    assert.deepEqual(await valuesOf('fenced'), [2])
  })
})
