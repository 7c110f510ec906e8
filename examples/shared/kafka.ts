import type { EmbeddedKafka } from '../../lib/testing'
import { startKafka } from '../../test/services/servers/kafka'
import { install } from '../../test/services/services'

export interface Topic {
  readonly topic: string
  readonly partitions: number
  readonly config?: Readonly<Record<string, string>>
}

/** Runs `use` beside a real broker, which goes with it; topics that are but names have four partitions each. */
export async function withBroker<T>(
  topics: readonly (string | Topic)[],
  use: (kafka: EmbeddedKafka) => Promise<T>,
): Promise<T> {
  const [problem] = install(['kafka', 'kafka-client'])
  if (problem !== undefined) throw new Error(`a broker and its client are needed: ${problem}`)
  const kafka = await startKafka()
  try {
    await kafka.createTopics(...topics.map((one) => (typeof one === 'string' ? { topic: one, partitions: 4 } : one)))
    return await use(kafka)
  } finally {
    await kafka.stop()
  }
}

/** Resolves with a topic's values when there are so many. */
export async function valuesOf(kafka: EmbeddedKafka, topic: string, count: number): Promise<string[]> {
  for (const end = Date.now() + 120_000; ; ) {
    // A broker that a busy machine keeps waiting is asked again.
    const records = await kafka.read(topic).catch(() => [])
    if (records.length >= count) return records.map(({ value }) => String(value))
    if (Date.now() > end) throw new Error(`${topic} has ${records.length} records of ${count} after two minutes`)
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}
