import type { KafkaAdmin, KafkaClient, NewTopic, OutgoingRecord, RawRecord } from '../connectors/kafka/adapter'
import { clientOf } from '../connectors/kafka/clients'
import { checkConnection, type KafkaOptions } from '../connectors/kafka/connection'
import { StreamChecker } from '../streams/check'
import { BrokerProcess, defaultJars } from './broker'

export interface EmbeddedKafkaOptions {
  /**
   * The folder with Kafka's jars. Where they are not in it, Maven fetches them, once. Default: `$RXJS_PYTHON_KAFKA`, else a
   * folder in the cache of this package.
   */
  jars?: string
  /** The `java` to run it by, of version 17 or later (default: that of the path). */
  java?: string
  /** The most memory for Java's heap (default '256m'). */
  heap?: string
  /** The address that it listens at (default 127.0.0.1). */
  host?: string
  /** Default: one that is free, which stays over restarts. */
  port?: number
  /** Properties of the broker beside those that it needs. */
  properties?: Readonly<Record<string, string>>
  /** Where its data lives; default: a temporary folder that `stop` removes. */
  folder?: string
  /** By which client topics are made and records written and read. */
  client?: KafkaOptions['client']
}

const KNOWN = ['jars', 'java', 'heap', 'host', 'port', 'properties', 'folder', 'client']

/** What `produce` takes: a record without its topic; texts are UTF-8. */
export interface TestRecord {
  key?: string | Buffer | null
  value: string | Buffer | null
  partition?: number
  timestamp?: number
  headers?: Readonly<Record<string, Buffer | string>>
}

/**
 * A real broker for tests: Apache Kafka, one node in KRaft mode, in a temporary folder. It can be killed and
 * started again, with its data. Needs Java, and Maven once.
 *
 * @throws KafkaError `ERR_KAFKA_BROKER` where it cannot be started
 */
export class EmbeddedKafka {
  private readonly broker: BrokerProcess
  private readonly clientName: KafkaOptions['client']
  private client: Promise<KafkaClient> | undefined

  /** Starts one. */
  static async start(options: EmbeddedKafkaOptions = {}): Promise<EmbeddedKafka> {
    const kafka = new EmbeddedKafka(options)
    await kafka.broker.start()
    return kafka
  }

  private constructor(options: EmbeddedKafkaOptions) {
    const check = new StreamChecker('EmbeddedKafka.start', options, KNOWN)
    const { properties = {} } = options
    if (typeof properties !== 'object' || properties === null)
      check.problem("'properties' must be an object", properties)
    this.clientName = check.oneOf('client', options.client, ['confluent'] as const)
    const heap = check.text('heap', options.heap) ?? '256m'
    if (!/^\d+[kmg]$/i.test(heap)) check.problem("'heap' must be an amount of memory such as '256m'", heap)
    this.broker = new BrokerProcess({
      jars: check.text('jars', options.jars) ?? defaultJars(),
      java: check.text('java', options.java) ?? 'java',
      heap,
      host: check.text('host', options.host) ?? '127.0.0.1',
      port: check.whole('port', options.port, 1, 65535),
      properties,
      folder: check.text('folder', options.folder),
    })
    check.done()
  }

  /** `host:port`, for the options of whoever connects. */
  get brokers(): string {
    return this.broker.address
  }

  /** What connectors take to reach it. */
  get connection(): KafkaOptions {
    return { brokers: this.brokers, ...(this.clientName === undefined ? {} : { client: this.clientName }) }
  }

  get running(): boolean {
    return this.broker.running
  }

  /** The process, for tests that look at it or stop it for a while. */
  get pid(): number | undefined {
    return this.broker.pid
  }

  /** Makes topics that are not there: a name has one partition, and an object what it says. */
  async createTopics(...topics: readonly (string | NewTopic)[]): Promise<void> {
    const all = topics.map((one) => (typeof one === 'string' ? { topic: one, partitions: 1 } : one))
    await this.withAdmin((admin) => admin.create(all))
  }

  /** Writes records; resolves when they are safe. */
  async produce(topic: string, records: Iterable<TestRecord>): Promise<void> {
    const client = await this.open()
    const producer = await client.producer({ compression: 'none', linger: 5 })
    try {
      for (const record of records) {
        const room = producer.send(outgoing(topic, record))
        if (room !== undefined) await room
      }
      await producer.flush()
    } finally {
      await producer.close()
    }
  }

  /** All committed records of a topic, partition by partition: none of a transaction that is open or was aborted. */
  async read(topic: string): Promise<RawRecord[]> {
    const records: RawRecord[] = []
    for await (const some of this.readBatches(topic)) records.push(...some)
    return records
  }

  /** The same for topics that are too large for one array. */
  async *readBatches(topic: string): AsyncGenerator<readonly RawRecord[]> {
    const client = await this.open()
    const partitions = await this.withAdmin((admin) => admin.partitions(topic))
    for (let partition = 0; partition < partitions; partition++) {
      const reader = await client.reader({ topic, partition, offset: 0 })
      try {
        for (let some = await reader.next(); some !== undefined; some = await reader.next()) {
          if (some.length > 0) yield some
        }
      } finally {
        await reader.close()
      }
    }
  }

  /** The end of a broker by SIGKILL; its data stays. */
  kill(): Promise<void> {
    return this.broker.end('SIGKILL')
  }

  /** Starts it again on the same port, with what it had; one that runs is shut down first. */
  async restart(): Promise<void> {
    await this.broker.end('SIGTERM')
    await this.broker.start()
  }

  /** Shuts it down and removes its folder. */
  stop(): Promise<void> {
    return this.broker.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  private async withAdmin<R>(use: (admin: KafkaAdmin) => Promise<R>): Promise<R> {
    const admin = await (await this.open()).admin()
    try {
      return await use(admin)
    } finally {
      await admin.close()
    }
  }

  private open(): Promise<KafkaClient> {
    const check = new StreamChecker('EmbeddedKafka', undefined, [])
    this.client ??= clientOf(checkConnection(check, 'connection', this.connection))
    return this.client
  }
}

function outgoing(topic: string, { key, value, partition, timestamp, headers }: TestRecord): OutgoingRecord {
  return { topic, key: bytes(key ?? null), value: bytes(value), partition, timestamp, headers }
}

function bytes(value: string | Buffer | null): Buffer | null {
  return typeof value === 'string' ? Buffer.from(value) : value
}
