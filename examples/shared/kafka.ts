import type { EmbeddedKafka } from '../../lib/testing'
import { startKafka } from '../../test/services/servers/kafka'
import { install } from '../../test/services/services'

/** Runs `use` beside a real broker with these topics, four partitions each, which goes with it. */
export async function withBroker<T>(topics: readonly string[], use: (kafka: EmbeddedKafka) => Promise<T>): Promise<T> {
  const [problem] = install(['kafka', 'kafka-client'])
  if (problem !== undefined) throw new Error(`a broker and its client are needed: ${problem}`)
  const kafka = await startKafka()
  try {
    await kafka.createTopics(...topics.map((topic) => ({ topic, partitions: 4 })))
    return await use(kafka)
  } finally {
    await kafka.stop()
  }
}

/** Resolves with a topic's values when there are so many. */
export async function valuesOf(kafka: EmbeddedKafka, topic: string, count: number): Promise<string[]> {
  for (const end = Date.now() + 120_000; ; ) {
    const records = await kafka.read(topic)
    if (records.length >= count) return records.map(({ value }) => String(value))
    if (Date.now() > end) throw new Error(`${topic} has ${records.length} records of ${count} after two minutes`)
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}
