import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, before, describe, it } from 'mocha'
import { map, of, tap } from 'rxjs'
import {
  type KafkaJobEvent,
  type KafkaMessage,
  kafkaSink,
  kafkaSource,
  runKafkaJob,
} from '../../../lib/connectors/kafka'
import { clientOf } from '../../../lib/connectors/kafka/clients'
import { checkConnection } from '../../../lib/connectors/kafka/connection'
import { KafkaError } from '../../../lib/errors'
import { idempotentSink, replay, runJob } from '../../../lib/jobs'
import { inWindows, keyBy, mapAsync, mapKeyed, sum, timestampBy, tumbling, values } from '../../../lib/streams'
import { StreamChecker } from '../../../lib/streams/check'
import type { EmbeddedKafka } from '../../../lib/testing'
import { needKafka, startKafka } from '../servers/kafka'
import { until } from './until'

interface Item {
  k: string
  i: number
}

function items(count: number, keys = 10) {
  return Array.from({ length: count }, (_, at) => {
    const k = `k${at % keys}`
    return { key: k, value: JSON.stringify({ k, i: Math.floor(at / keys) }), timestamp: 1_000_000 + at }
  })
}

describe('Kafka connectors on a broker', function () {
  this.timeout(120_000)
  let kafka: EmbeddedKafka
  let folder: string
  let number = 0

  before(async function () {
    needKafka(this)
    folder = mkdtempSync(join(tmpdir(), 'rxjs-python-kafka-'))
    kafka = await startKafka({ client: 'confluent' })
  })
  after(async () => {
    await kafka?.stop()
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  })

  const fresh = (what: string) => `${what}-${++number}`
  const textsOf = async (topic: string) => (await kafka.read(topic)).map(({ value }) => String(value))

  it('the sink writes keys, headers, timestamps and partitions, compressed; the source gives them', async () => {
    const topic = fresh('round')
    await kafka.createTopics({ topic, partitions: 2 })
    const written = items(500).map((one, at) => ({
      ...{ key: one.key, value: JSON.parse(one.value) as Item, timestamp: one.timestamp },
      ...{ headers: { at: String(at) }, partition: at % 2 },
    }))
    const sending = await runJob({
      name: 'sending',
      pipeline: (job) => job.source('items', replay(written)),
      sink: kafkaSink<Item>({ kafka: kafka.connection, topic, compression: 'gzip' }),
      checkpoint: join(folder, topic),
    })
    await sending.done
    const got: KafkaMessage<Item>[] = []
    const reading = await runJob({
      name: 'reading',
      pipeline: (job) =>
        job
          .source('records', kafkaSource<Item>({ kafka: kafka.connection, group: topic, topics: topic }))
          .pipe(tap((message) => got.push(message))),
      checkpoint: { store: join(folder, topic), every: 50 },
    })
    await until('all records', () => got.length === written.length)
    await reading.suspend()
    await reading.cancel()
    for (const partition of [0, 1]) {
      const mine = got.filter((message) => message.partition === partition)
      assert.deepEqual(
        mine.map(({ key, value, timestamp, headers }) => [key, value, timestamp, String(headers.at)]),
        written
          .filter((one) => one.partition === partition)
          .map(({ key, value, timestamp, headers }) => [key, value, timestamp, headers.at]),
      )
    }
  })

  it('the source goes on behind what its checkpoints hold', async () => {
    const topic = fresh('onward')
    await kafka.createTopics(topic)
    const got: number[] = []
    const run = () =>
      runJob({
        name: 'onward',
        pipeline: (job) =>
          job
            .source('records', kafkaSource<Item>({ kafka: kafka.connection, group: topic, topics: topic }))
            .pipe(map(({ value }) => value!.i)),
        sink: idempotentSink<number>(async ({ results }) => void got.push(...results)),
        checkpoint: { store: join(folder, topic), every: 50 },
      })
    await kafka.produce(topic, items(100, 1))
    const first = await run()
    await until('the first records', () => got.length === 100)
    await first.suspend()
    await first.cancel()
    await kafka.produce(topic, items(50, 1))
    const second = await run()
    await until('the others', () => got.length >= 150)
    await second.suspend()
    await second.cancel()
    assert.deepEqual(got, [...Array(100).keys(), ...Array(50).keys()])
  })

  it('begins with the latest, at a time, or at given offsets', async () => {
    const topic = fresh('begin')
    await kafka.createTopics(topic)
    await kafka.produce(topic, items(100, 1))
    const firstOf = async (from: 'latest' | object) => {
      const got: number[] = []
      const job = await runJob({
        name: fresh('from'),
        pipeline: (job) =>
          job
            .source(
              'r',
              kafkaSource<Item>({ kafka: kafka.connection, group: fresh('g'), topics: topic, from: from as never }),
            )
            .pipe(tap(({ value }) => got.push(value!.i))),
        checkpoint: { store: join(folder, topic), every: 50 },
      })
      if (from === 'latest') {
        await sleep(1500)
        await kafka.produce(topic, [{ key: 'k', value: '{"i":1000}' }])
      }
      await until('a record', () => got.length > 0)
      await job.cancel()
      return got[0]
    }
    assert.equal(await firstOf({ timestamp: 1_000_070 }), 70)
    assert.equal(await firstOf({ offsets: { [topic]: { 0: 42 } } }), 42)
    assert.equal(await firstOf('latest'), 1000)
  })

  it('a job sends what it cannot read to the dead-letter topic, with the error, once', async () => {
    const [topic, out, dead] = [fresh('in'), fresh('out'), fresh('dead')]
    await kafka.createTopics(topic, out, dead)
    await kafka.produce(topic, [
      { key: 'a', value: '{"i":1}' },
      { key: 'b', value: 'no json', headers: { h: 'x' } },
      { value: '{"i":-1}' },
    ])
    const job = await runKafkaJob<{ i: number }, number>({
      name: fresh('job'),
      kafka: kafka.connection,
      source: { topics: topic },
      pipeline: ({ source, deadLetter }) =>
        source.pipe(
          tap((message) => message.value!.i < 0 && deadLetter(message, new RangeError('below 0'))),
          map(({ value }) => ({ value: value!.i })),
        ),
      sink: { topic: out },
      checkpoint: { store: join(folder, out), every: 50 },
      deadLetters: dead,
    })
    await until('two dead letters', async () => (await kafka.read(dead)).length >= 2)
    await job.stop()
    const letters = await kafka.read(dead)
    assert.deepEqual(
      letters.map(({ key, value, headers }) => [
        ...[String(key ?? ''), String(value), String(headers['error.name']), String(headers['source.offset'])],
      ]),
      [
        ['b', 'no json', 'SyntaxError', '1'],
        ['', '{"i":-1}', 'RangeError', '2'],
      ],
    )
    assert.equal(String(letters[0]!.headers.h), 'x')
    assert.deepEqual(await textsOf(out), ['1', '-1'])
  })

  it('state moves: whoever takes over has it, and a local copy spares the reading', async () => {
    const [topic, out] = [fresh('in'), fresh('out')]
    await kafka.createTopics({ topic, partitions: 2 }, { topic: out, partitions: 2 })
    const name = fresh('counting')
    const events: (KafkaJobEvent & { who: string })[] = []
    const run = (who: string) =>
      runKafkaJob<Item, Item & { n: number }>({
        name,
        kafka: kafka.connection,
        source: { topics: topic, sessionTimeout: 3000 },
        pipeline: ({ source }) =>
          source.pipe(
            map(({ value }) => value!),
            timestampBy((item) => item.i),
            keyBy((item) => item.k),
            mapKeyed((item: Item, state: { get(): number | undefined; set(n: number): void }) => {
              const n = (state.get() ?? 0) + 1
              state.set(n)
              return { ...item, n }
            }),
            values(),
            map((value) => ({ key: value.k, value })),
          ),
        sink: { topic: out },
        checkpoint: { store: join(folder, name, who), every: 50 },
        onEvent: (event) => events.push({ ...event, who }),
      })
    const results = async () => (await textsOf(out)).map((text) => JSON.parse(text) as Item & { n: number })
    const started = (who: string) => events.filter((event) => event.kind === 'started' && event.who === who)

    const first = await run('first')
    await kafka.produce(topic, items(1000))
    await until('the first results', async () => (await results()).length === 1000)
    assert.equal(first.info().guarantee, 'exactly-once')
    const second = await run('second')
    await until('a partition has moved', () => started('second').length === 1)
    assert.deepEqual(
      started('second').map((event) => event.kind === 'started' && [event.restored > 0, event.reused]),
      [[true, false]],
    )
    await first.stop()
    await until('both are there', () => started('second').length === 2)
    const again = [...items(1000)].map((one) => {
      const { k, i } = JSON.parse(one.value) as Item
      return { ...one, value: JSON.stringify({ k, i: i + 100 }) }
    })
    await kafka.produce(topic, again)
    await until('the others', async () => (await results()).length >= 2000)
    await second.stop()
    const all = await results()
    assert.equal(all.length, 2000)
    assert.deepEqual(
      all.filter(({ i, n }) => n !== i + 1),
      [],
    )
    const third = await run('second')
    await until('it is back', () => started('second').length === 4)
    const last = started('second').slice(2)
    assert.ok(last.every((event) => event.kind === 'started' && event.reused))
    await third.stop()
  })

  it('windows close by the time of records', async () => {
    const [topic, out] = [fresh('in'), fresh('out')]
    await kafka.createTopics(topic, out)
    const job = await runKafkaJob<Item, number>({
      name: fresh('windows'),
      kafka: kafka.connection,
      source: { topics: topic },
      pipeline: ({ source }) =>
        source.pipe(
          timestampBy(({ timestamp }) => timestamp),
          inWindows(
            tumbling(10),
            sum(() => 1),
          ),
          values(),
          map(({ value }) => ({ value })),
        ),
      sink: { topic: out },
      checkpoint: { store: join(folder, out), every: 50 },
    })
    await kafka.produce(topic, items(100))
    await until('nine windows', async () => (await textsOf(out)).length >= 9)
    await job.stop()
    assert.deepEqual(await textsOf(out), Array(9).fill('10'))
  })

  it('an error of the pipeline fails the job, and nothing of its epoch is seen', async () => {
    const [topic, out] = [fresh('in'), fresh('out')]
    await kafka.createTopics(topic, out)
    await kafka.produce(topic, items(10, 1))
    const job = await runKafkaJob<Item, Item>({
      name: fresh('failing'),
      kafka: kafka.connection,
      source: { topics: topic },
      pipeline: ({ source }) =>
        source.pipe(
          map(({ value }) => {
            if (value!.i === 9) throw new Error('the ninth')
            return { value }
          }),
        ),
      sink: { topic: out },
      checkpoint: { store: join(folder, out), every: 10_000 },
    })
    await assert.rejects(job.done, /the ninth/)
    assert.equal(job.info().state, 'failed')
    await job.stop()
    assert.deepEqual(await textsOf(out), [])
  })

  it('a partition whose transactions were fenced off is begun anew, with its state and what was read ahead', async function () {
    this.timeout(300_000)
    const [topic, out, name] = [fresh('in'), fresh('out'), fresh('fenced')]
    await kafka.createTopics(topic, out)
    await kafka.produce(topic, items(1000))
    const events: KafkaJobEvent['kind'][] = []
    let held = true
    const job = await runKafkaJob<Item, Item & { n: number }>({
      name,
      kafka: kafka.connection,
      source: { topics: topic, readAhead: { records: 100 } },
      pipeline: ({ source }) =>
        source.pipe(
          timestampBy(({ timestamp }) => timestamp),
          keyBy(({ key }) => key!),
          mapKeyed(({ value }, seen) => {
            const n = ((seen.get() as number | undefined) ?? 0) + 1
            seen.set(n)
            return { value: { ...value!, n } }
          }),
          values(),
          mapAsync(async (result) => {
            while (held && result.value.i >= 50) await sleep(10)
            return result
          }),
        ),
      sink: { topic: out },
      checkpoint: { store: join(folder, out), every: 100 },
      onEvent: ({ kind }) => events.push(kind),
    })
    const check = new StreamChecker('test', undefined, [])
    const client = await clientOf(checkConnection(check, 'kafka', kafka.connection))
    await until('the queue is full', () => (job.info().partitions[0]?.ahead ?? 0) >= 50)
    const rival = await client.producer({ compression: 'none', linger: 0, transaction: `${name}-${topic}-0` })
    await rival.close()
    held = false
    // A client that does not say that it was fenced off, but that it could not be reached, is given two minutes.
    await until('all results', async () => (await textsOf(out)).length >= 1000, 180_000)
    assert.ok(events.includes('retry'), `${events}`)
    const results = (await textsOf(out)).map((text) => JSON.parse(text) as Item & { n: number })
    for (let key = 0; key < 10; key++) {
      const mine = results.filter(({ k }) => k === `k${key}`)
      assert.deepEqual(
        mine.map(({ i, n }) => [i, n]),
        Array.from({ length: 100 }, (_, at) => [at, at + 1]),
      )
    }
    await kafka.produce(topic, items(10))
    await until('it goes on', async () => (await textsOf(out)).length === 1010)
    await job.stop()
  })

  it('refuses a topic that is not there', async () => {
    const job = runKafkaJob({
      name: fresh('nowhere'),
      kafka: kafka.connection,
      source: { topics: 'not-there' },
      pipeline: () => of({ value: 1 }),
      sink: { topic: 'out' },
      checkpoint: folder,
    })
    await assert.rejects(job, (error: KafkaError) => error instanceof KafkaError && error.code === 'ERR_KAFKA_TOPIC')
  })
})
