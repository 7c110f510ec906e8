import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'mocha'
import { map } from 'rxjs'
import { type KafkaJobEvent, runKafkaJob } from '../../../lib/connectors/kafka'
import type { EmbeddedKafka } from '../../../lib/testing'
import { needKafka, startKafka } from '../servers/kafka'
import { until } from './until'

const PARTITIONS = 4
/** Milliseconds; longer than anything here takes, so nothing moves because a session has run out. */
const SESSION = 100_000

describe('members of a Kafka job', function () {
  this.timeout(180_000)
  let kafka: EmbeddedKafka
  let folder: string

  before(async function () {
    needKafka(this)
    folder = mkdtempSync(join(tmpdir(), 'rxjs-python-members-'))
    kafka = await startKafka({ client: 'confluent' })
  })
  after(async () => {
    await kafka?.stop()
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  })

  /** A job that copies `in` to `out`, and who of its members began and gave up how many partitions. */
  async function copying(name: string) {
    const [topic, out] = [`${name}-in`, `${name}-out`]
    await kafka.createTopics({ topic, partitions: PARTITIONS }, { topic: out, partitions: PARTITIONS })
    let produced = 0
    return {
      async member(who: string, source: { instance?: string; protocol?: 'classic' | 'consumer' }) {
        const kinds: KafkaJobEvent['kind'][] = []
        const job = await runKafkaJob<number, number>({
          name,
          kafka: kafka.connection,
          source: { topics: topic, sessionTimeout: SESSION, ...source },
          pipeline: ({ source }) => source.pipe(map(({ value, partition }) => ({ value: value!, partition }))),
          sink: { topic: out },
          checkpoint: { store: join(folder, name, who), every: 50 },
          onEvent: ({ kind }) => kinds.push(kind),
        })
        const count = (kind: KafkaJobEvent['kind']) => kinds.filter((one) => one === kind).length
        return { job, kinds, count, has: () => count('started') - count('released') - count('lost') }
      },
      /** Items into each partition; resolves when their copies are there. */
      async through(count: number) {
        const values = Array.from({ length: count }, (_, at) => produced + at)
        await kafka.produce(
          topic,
          values.map((value) => ({ value: String(value), partition: value % PARTITIONS })),
        )
        produced += count
        const copies = async () => (await kafka.read(out)).map(({ value }) => Number(value)).sort((a, b) => a - b)
        await until('all copies', async () => (await copies()).length >= produced)
        assert.deepEqual(await copies(), [...Array(produced).keys()])
      },
    }
  }

  it('one with a name of its own is back before the others get its partitions', async () => {
    const { member, through } = await copying('named')
    const first = await member('first', { instance: 'first' })
    const second = await member('second', { instance: 'second' })
    await until('both have a half', () => first.has() === PARTITIONS / 2 && second.has() === PARTITIONS / 2)
    await through(100)
    await first.job.stop()
    const before = second.kinds.length
    const again = await member('first', { instance: 'first' })
    await until('it has its half again', () => again.has() === PARTITIONS / 2)
    await through(100)
    assert.deepEqual(second.kinds.slice(before), [], 'the other one was not disturbed')
    await Promise.all([again.job.stop(), second.job.stop()])
  })

  it('one without a name gives its partitions to the others at once', async () => {
    const { member, through } = await copying('nameless')
    const first = await member('first', {})
    const second = await member('second', {})
    await until('both have a half', () => first.has() === PARTITIONS / 2 && second.has() === PARTITIONS / 2)
    await first.job.stop()
    await until('the other one has all', () => second.has() === PARTITIONS, SESSION / 2)
    await through(100)
    await second.job.stop()
  })

  it("share by the protocol 'consumer', too", async () => {
    const { member, through } = await copying('newer')
    const first = await member('first', { protocol: 'consumer' })
    await until('the first has all', () => first.has() === PARTITIONS)
    await through(100)
    const second = await member('second', { protocol: 'consumer' })
    await until('both have a half', () => first.has() === PARTITIONS / 2 && second.has() === PARTITIONS / 2)
    await through(100)
    await first.job.stop()
    await until('the second has all', () => second.has() === PARTITIONS)
    await through(100)
    await second.job.stop()
  })
})
