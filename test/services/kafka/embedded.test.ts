import assert from 'node:assert/strict'
import { before, describe, it } from 'mocha'
import { KafkaError, OptionError } from '../../../lib/errors'
import { EmbeddedKafka } from '../../../lib/testing'
import { needKafka, startKafka } from '../servers/kafka'

describe('the broker of rxjs-python/testing', function () {
  this.timeout(120_000)

  before(function () {
    needKafka(this)
  })

  it('keeps its port and its data over a kill, and gives committed records alone', async () => {
    const kafka = await startKafka({ client: 'confluent' })
    try {
      const { brokers } = kafka
      await kafka.createTopics({ topic: 'letters', partitions: 3, config: { 'cleanup.policy': 'compact' } }, 'other')
      await kafka.createTopics('letters')
      await kafka.produce('letters', [
        { key: 'a', value: '1', partition: 2, timestamp: 7, headers: { h: 'x' } },
        { key: 'b', value: null, partition: 0 },
      ])
      await kafka.kill()
      assert.equal(kafka.running, false)
      await kafka.restart()
      assert.equal(kafka.brokers, brokers)
      const records = await kafka.read('letters')
      assert.deepEqual(
        records.map(({ partition, offset, key, value, headers }) => [
          partition,
          offset,
          `${key}`,
          `${value}`,
          `${headers.h}`,
        ]),
        [
          [0, 0, 'b', 'null', 'undefined'],
          [2, 0, 'a', '1', 'x'],
        ],
      )
      assert.equal(records[1]!.timestamp, 7)
      assert.deepEqual(await kafka.read('other'), [])
    } finally {
      await kafka.stop()
    }
    assert.equal(kafka.running, false)
  })

  it('says what is wrong', async () => {
    await assert.rejects(EmbeddedKafka.start({ heap: 'much', port: 0, jar: 'x' } as never), (error: OptionError) => {
      return error instanceof OptionError && error.problems.length === 3
    })
    await assert.rejects(startKafka({ java: 'no-such-java' }), (error: KafkaError) => {
      return error instanceof KafkaError && error.code === 'ERR_KAFKA_BROKER' && error.message.includes('no-such-java')
    })
  })
})
