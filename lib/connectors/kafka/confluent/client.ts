import type {
  GroupListener,
  GroupOptions,
  KafkaAdmin,
  KafkaClient,
  NewTopic,
  ProducerOptions,
  TopicOffset,
  TopicPartition,
} from '../adapter'
import type { Connection } from '../connection'
import { ConfluentConsumer, ConfluentReader } from './consumer'
import { ATTEMPT, connected, errorOf, patiently } from './errors'
import { ask, Code, type Library, type LibraryAdmin, type LibraryConsumer, type LibraryError } from './library'
import { ConfluentProducer } from './producer'

/** @confluentinc/kafka-javascript: librdkafka, with transactions that carry a group's offsets. */
export class ConfluentClient implements KafkaClient {
  readonly name = 'confluent'
  private readonly settings: Readonly<Record<string, unknown>>

  constructor(
    private readonly library: Library,
    connection: Connection,
  ) {
    this.settings = settingsOf(connection)
  }

  async group(options: GroupOptions, listener: GroupListener): Promise<ConfluentConsumer> {
    const consumer = new ConfluentConsumer(this.library, this.settings, options, listener)
    return this.opened('the consumer cannot connect', consumer)
  }

  async reader(from: TopicOffset): Promise<ConfluentReader> {
    const reader = new ConfluentReader(this.library, this.settings, from)
    return this.opened('the reader cannot connect', reader)
  }

  async producer(options: ProducerOptions): Promise<ConfluentProducer> {
    const producer = new ConfluentProducer(this.library, this.settings, options)
    return this.opened('the producer cannot connect', producer)
  }

  async admin(): Promise<KafkaAdmin> {
    const consumer = new this.library.KafkaConsumer({ ...this.settings, 'group.id': 'rxjs-python-admin' }, {})
    consumer.on('event.error', () => {})
    try {
      await connected(consumer)
    } catch (error) {
      throw errorOf('the cluster cannot be reached', error)
    }
    // It has no listeners, so it would print what it logs.
    return new ConfluentAdmin(this.library.AdminClient.create({ ...this.settings, log_level: 2 }), consumer)
  }

  private async opened<C extends { open(): Promise<void>; close(): Promise<void> }>(what: string, one: C): Promise<C> {
    try {
      await one.open()
      return one
    } catch (error) {
      await one.close().catch(() => {})
      throw errorOf(what, error)
    }
  }
}

class ConfluentAdmin implements KafkaAdmin {
  constructor(
    private readonly admin: LibraryAdmin,
    private readonly consumer: LibraryConsumer,
  ) {}

  async create(topics: readonly NewTopic[]): Promise<void> {
    for (const { topic, partitions, replicas = -1, config = {} } of topics) {
      try {
        const wanted = { topic, num_partitions: partitions, replication_factor: replicas, config: { ...config } }
        await ask((done) => this.admin.createTopic(wanted, ATTEMPT, done))
      } catch (error) {
        if ((error as LibraryError).code !== Code.TopicExists) throw errorOf(`${topic} cannot be created`, error)
      }
    }
    for (const { topic } of topics) {
      for (let look = 0; look < 200 && (await this.partitions(topic)) === 0; look++) {
        await new Promise((resolve) => setTimeout(resolve, 25))
      }
    }
  }

  async partitions(topic: string): Promise<number> {
    const { topics } = await this.ask<{ topics: { name: string; partitions: unknown[] }[] }>(
      `${topic} cannot be looked up`,
      (done) => this.consumer.getMetadata({ topic, timeout: ATTEMPT }, done),
    )
    return topics.find(({ name }) => name === topic)?.partitions.length ?? 0
  }

  async ends({ topic, partition }: TopicPartition): Promise<{ low: number; high: number }> {
    const { lowOffset, highOffset } = await this.ask<{ lowOffset: number; highOffset: number }>(
      `the offsets of ${topic}-${partition} cannot be looked up`,
      (done) => this.consumer.queryWatermarkOffsets(topic, partition, ATTEMPT, done),
    )
    return { low: lowOffset, high: highOffset }
  }

  async offsetAt({ topic, partition }: TopicPartition, timestamp: number): Promise<number> {
    const [found] = await this.ask<{ offset?: number | null }[]>(
      `the offset of ${topic}-${partition} at a time cannot be looked up`,
      (done) => this.consumer.offsetsForTimes([{ topic, partition, offset: timestamp }], ATTEMPT, done as never),
    )
    const offset = found?.offset
    return typeof offset === 'number' && offset >= 0 ? offset : (await this.ends({ topic, partition })).high
  }

  async close(): Promise<void> {
    this.admin.disconnect()
    await ask((done) => this.consumer.disconnect(done)).catch(() => {})
  }

  private async ask<R>(what: string, call: Parameters<typeof patiently<R>>[2]): Promise<R> {
    try {
      return await patiently<R>(what, 30_000, call)
    } catch (error) {
      throw errorOf(what, error)
    }
  }
}

function settingsOf({ brokers, clientId, tls, sasl, settings }: Connection): Record<string, unknown> {
  const security = `${sasl === undefined ? '' : 'sasl_'}${tls === undefined ? 'plaintext' : 'ssl'}`
  const pem = (value: string | Buffer | undefined) => (value === undefined ? undefined : String(value))
  const all: Record<string, unknown> = {
    'bootstrap.servers': brokers.join(','),
    'client.id': clientId,
    'security.protocol': security,
    'ssl.ca.pem': pem(tls?.ca),
    'ssl.certificate.pem': pem(tls?.cert),
    'ssl.key.pem': pem(tls?.key),
    'ssl.key.password': tls?.passphrase,
    'enable.ssl.certificate.verification': tls?.rejectUnauthorized === false ? false : undefined,
    'sasl.mechanism': sasl?.mechanism.toUpperCase(),
    'sasl.username': sasl?.username,
    'sasl.password': sasl?.password,
    'reconnect.backoff.ms': 100,
    'reconnect.backoff.max.ms': 2000,
    'socket.keepalive.enable': true,
    'topic.metadata.refresh.fast.interval.ms': 100,
    // Errors, which nobody prints: whoever connects looks at them.
    log_level: 3,
    ...settings,
  }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}
