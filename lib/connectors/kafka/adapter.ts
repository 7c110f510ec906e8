/**
 * What the connector asks of a Kafka client. Each client library has an adapter behind this; nothing else in the package knows
 * which one is in use.
 */

/** A partition of a topic. */
export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** A place in a partition: the offset of the next record. */
export interface TopicOffset extends TopicPartition {
  readonly offset: number
  /** A text that is kept with a committed offset. */
  readonly metadata?: string
}

/** A record as it comes from a broker. */
export interface RawRecord extends TopicPartition {
  readonly offset: number
  /** Milliseconds since 1970, by the producer's clock or the broker's, as the topic is set up. */
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, Buffer>>
}

/** A record on its way to a broker. */
export interface OutgoingRecord {
  readonly topic: string
  /** Default: by the key. */
  readonly partition?: number | undefined
  readonly key?: Buffer | null | undefined
  /** Null deletes the key in a compacted topic. */
  readonly value: Buffer | null
  /** Milliseconds since 1970; default: now. */
  readonly timestamp?: number | undefined
  readonly headers?: Readonly<Record<string, Buffer | string>> | undefined
}

/** What a group consumer is told. */
export interface GroupListener {
  /** Partitions are ours from now on. Records come when they are started. */
  assigned(partitions: readonly TopicPartition[]): void
  /** Partitions go to somebody else, who gets them when this has resolved. */
  revoked(partitions: readonly TopicPartition[]): Promise<void>
  /** Partitions belong to somebody else already. */
  lost(partitions: readonly TopicPartition[]): void
}

export interface GroupOptions {
  readonly group: string
  readonly topics: readonly string[]
  /** A name that stays over restarts: its partitions wait for it during the session's timeout. */
  readonly instance: string | undefined
  /** Milliseconds after which a member that is not heard of is out. */
  readonly sessionTimeout: number
  /** Milliseconds that a hand-over may take. */
  readonly rebalanceTimeout: number
  readonly protocol: 'classic' | 'consumer'
  /** Most bytes that the client reads ahead by itself. */
  readonly fetchBytes: number
}

/** Reads records: of the partitions that a group gives it, or of those that it is told. */
export interface KafkaConsumer {
  /** Records that are there, at most so many; waits a moment for the first one, and returns none where there is none. */
  poll(max: number): Promise<readonly RawRecord[]>
  /**
   * Lets the records of a partition come, from an offset on; none of those that were on their way comes after the call, so a
   * partition that comes already is begun anew.
   */
  start(at: TopicOffset): Promise<void>
  pause(partitions: readonly TopicPartition[]): void
  resume(partitions: readonly TopicPartition[]): void
  /** The offsets that the group has committed; those without one are left out. Waits for transactions that are under way. */
  committed(partitions: readonly TopicPartition[]): Promise<readonly TopicOffset[]>
  commit(offsets: readonly TopicOffset[]): Promise<void>
  /** Leaves the group; what is held is revoked first. */
  close(): Promise<void>
}

/** Reads one partition up to where it ends now, committed records alone, and without a group. */
export interface PartitionReader {
  /** The next records, or undefined behind the last one. */
  next(): Promise<readonly RawRecord[] | undefined>
  close(): Promise<void>
}

export interface ProducerOptions {
  readonly compression: Compression
  /** Milliseconds that records wait for company. */
  readonly linger: number
  /** Where given: a producer of transactions, which fences off any other with this name. */
  readonly transaction?: string
  /** Milliseconds after which the broker aborts a transaction that nobody ends. */
  readonly transactionTimeout?: number
}

export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

export interface KafkaProducer {
  /** Takes a record. A promise where the producer holds as many as it should. */
  send(record: OutgoingRecord): void | Promise<void>
  /** Resolves when all that was sent is safe; rejects where something could not be delivered. */
  flush(): Promise<void>
  begin(): Promise<void>
  /** Adds the offsets of a group's consumer to the transaction. */
  offsets(offsets: readonly TopicOffset[], consumer: KafkaConsumer): Promise<void>
  commit(): Promise<void>
  abort(): Promise<void>
  close(): Promise<void>
}

export interface NewTopic {
  readonly topic: string
  readonly partitions: number
  readonly replicas?: number
  readonly config?: Readonly<Record<string, string>>
}

export interface KafkaAdmin {
  /** Makes topics that are not there yet. */
  create(topics: readonly NewTopic[]): Promise<void>
  /** How many partitions a topic has; 0 where there is none. */
  partitions(topic: string): Promise<number>
  /** The first and the next offset of a partition. */
  ends(partition: TopicPartition): Promise<{ low: number; high: number }>
  /** The first offset at or behind a time; where there is none, the end. */
  offsetAt(partition: TopicPartition, timestamp: number): Promise<number>
  close(): Promise<void>
}

/** One client library, connected to one cluster. */
export interface KafkaClient {
  readonly name: ClientName
  group(options: GroupOptions, listener: GroupListener): Promise<KafkaConsumer>
  reader(from: TopicOffset): Promise<PartitionReader>
  producer(options: ProducerOptions): Promise<KafkaProducer>
  admin(): Promise<KafkaAdmin>
}

/** The clients that there is an adapter for. */
export type ClientName = 'confluent'

export function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`
}
