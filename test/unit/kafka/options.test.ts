import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { kafkaSink, kafkaSource, runKafkaJob } from '../../../lib/connectors/kafka'
import { OptionError } from '../../../lib/errors'

const SECRET = 'a-very-secret-word'

function problemsOf(act: () => unknown): readonly string[] {
  try {
    act()
  } catch (error) {
    assert.ok(error instanceof OptionError)
    return error.problems
  }
  throw new Error('it was accepted')
}

describe('options of Kafka', () => {
  it('says all problems of a job at once', async () => {
    const options = {
      name: 'a job',
      kafka: { brokers: 'kafka://nowhere', client: 'node-rdkafka' },
      source: { topics: [], from: 'middle', sessionTimeout: 1, readAhead: { records: 0 }, protocol: 'new' },
      pipeline: 7,
      sink: { topic: '', compression: 'zip', linger: -1 },
      checkpoint: { store: 'state', every: 0 },
      deadLetters: 'no spaces here',
      onEvent: true,
    }
    await assert.rejects(runKafkaJob(options as never), (error: OptionError) => {
      const all = error.problems.join('\n')
      const named = [
        'name',
        'kafka.brokers',
        'kafka.client',
        'source.topics',
        'from',
        'source.sessionTimeout',
        'pipeline',
      ]
      for (const one of [...named, 'source.readAhead.records', 'source.protocol', 'sink.topic', 'sink.compression']) {
        assert.ok(all.includes(`'${one}'`), `${one} is missing in ${all}`)
      }
      for (const one of ['sink.linger', 'checkpoint.every', 'deadLetters', 'onEvent'])
        assert.ok(all.includes(`'${one}'`), one)
      return true
    })
  })

  it('shows no credential', () => {
    const problems = problemsOf(() =>
      kafkaSource({
        kafka: {
          brokers: `me:${SECRET}@kafka:9092`,
          sasl: { mechanism: 'plain', username: 'me', password: SECRET, extra: 1 } as never,
          tls: { key: SECRET, unknown: 1 } as never,
        },
        group: 'group',
        topics: 'topic',
      }),
    )
    assert.ok(problems.length >= 3, problems.join('\n'))
    for (const problem of problems) assert.ok(!problem.includes(SECRET), problem)
  })

  it('knows where a source may begin', () => {
    const source = (from: unknown) => () =>
      kafkaSource({ kafka: { brokers: 'kafka:9092' }, group: 'g', topics: 't', from: from as never })
    for (const from of [
      'earliest',
      'latest',
      { timestamp: 5 },
      { timestamp: new Date() },
      { offsets: { t: { 0: 7 } } },
    ]) {
      assert.doesNotThrow(source(from))
    }
    for (const from of [7, {}, { timestamp: 'x' }, { offsets: { t: { a: 7 } } }, { offsets: { t: { 0: -1 } } }, null]) {
      assert.equal(problemsOf(source(from)).length, 1)
    }
  })

  it('refuses a sink without a topic, and options that are none', () => {
    const problems = problemsOf(() => kafkaSink({ kafka: { brokers: 'kafka:9092' }, codecs: 'json' } as never))
    assert.match(problems.join('\n'), /did you mean 'codec'/)
    assert.match(problems.join('\n'), /'sink\.topic'/)
  })
})
