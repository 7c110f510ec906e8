import type { Observable } from 'rxjs'
import { checkCheckpoint } from '../../../jobs/options'
import { StreamChecker } from '../../../streams/check'
import type { Compression } from '../adapter'
import { type Connection, checkConnection, type KafkaOptions } from '../connection'
import { type Codecs, checkCodecs, type KafkaMessage, type KafkaRecord, type RecordCodecs } from '../records'
import { checkStart, type StartAt } from '../startAt'

/** What a pipeline of one partition gets. */
export interface PartitionContext<V = unknown, K = string> {
  readonly name: string
  readonly topic: string
  readonly partition: number
  /** The records of the partition, in order. */
  readonly source: Observable<KafkaMessage<V, K>>
  /** Sends a message to the dead-letter topic, in the same transaction as the results. */
  deadLetter(message: KafkaMessage<V, K>, error: unknown): void
}

export interface KafkaSourceOptions<V, K> extends RecordCodecs<V, K> {
  topics: string | readonly string[]
  /** Where a partition begins that has no offset yet (default 'earliest'). */
  from?: StartAt
  /** A name of this member that stays over restarts (static membership). */
  instance?: string
  /** Milliseconds after which a member that is not heard of loses its partitions (default 10,000). */
  sessionTimeout?: number
  /** Milliseconds that a hand-over may take (default 60,000). */
  rebalanceTimeout?: number
  /** `'classic'` (default: cooperative, for brokers of any version) or `'consumer'` (KIP-848, Kafka 4). */
  protocol?: 'classic' | 'consumer'
  /** For each partition, what may wait to be worked on (default 5,000 records or 8 MiB); then it is paused. */
  readAhead?: { records?: number; bytes?: number }
}

export interface KafkaSinkPart<V, K> extends RecordCodecs<V, K> {
  /** Where records go that do not say. */
  topic: string
  /** Default 'lz4'. */
  compression?: Compression
  /** Milliseconds that records wait for company (default 5). */
  linger?: number
}

export interface KafkaJobOptions<V, R, K, RK> {
  /** The consumer group's name; transactions and changelog topics are named after it. */
  name: string
  kafka: KafkaOptions
  source: KafkaSourceOptions<V, K>
  /** Makes the stream of one partition. Called for each partition that comes; its state moves with the partition. */
  pipeline: (partition: PartitionContext<V, K>) => Observable<KafkaRecord<R, RK>>
  sink: KafkaSinkPart<R, RK>
  /** The folder for local copies of state, and how often (default 500 ms) an epoch is committed. One folder for each process. */
  checkpoint: string | { store: string; every?: number }
  /** A topic for records that the codecs refuse. Without one such a record fails the job. */
  deadLetters?: string
  /** Replicas of the changelog topics that it creates (default: as the broker has it). */
  changelogReplicas?: number
  /** Told of what happens to partitions, for logs and metrics. */
  onEvent?: (event: KafkaJobEvent) => void
}

export type KafkaJobEvent =
  | {
      readonly kind: 'started'
      readonly topic: string
      readonly partition: number
      /** Milliseconds from the assignment until records are asked for. */
      readonly milliseconds: number
      /** Records read from the changelog, and whether the local store was there. */
      readonly restored: number
      readonly reused: boolean
    }
  | { readonly kind: 'released' | 'lost'; readonly topic: string; readonly partition: number }
  | { readonly kind: 'retry'; readonly topic: string; readonly partition: number; readonly error: unknown }

export interface CompleteKafkaJob<V, R, K, RK> {
  readonly name: string
  readonly connection: Connection
  readonly topics: readonly string[]
  readonly from: StartAt
  readonly instance: string | undefined
  readonly sessionTimeout: number
  readonly rebalanceTimeout: number
  readonly protocol: 'classic' | 'consumer'
  readonly readAhead: { readonly records: number; readonly bytes: number }
  readonly inCodecs: Codecs<V, K>
  readonly outCodecs: Codecs<R, RK>
  readonly pipeline: (partition: PartitionContext<V, K>) => Observable<KafkaRecord<R, RK>>
  readonly topic: string
  readonly compression: Compression
  readonly linger: number
  readonly store: string
  readonly every: number
  readonly deadLetters: string | undefined
  readonly changelogReplicas: number | undefined
  readonly onEvent: (event: KafkaJobEvent) => void
}

const KNOWN = [
  'name',
  'kafka',
  'source',
  'pipeline',
  'sink',
  'checkpoint',
  'deadLetters',
  'changelogReplicas',
  'onEvent',
]
const CODECS = ['codec', 'keyCodec']
export const SOURCE_OPTIONS = [
  ...['topics', 'from', 'instance', 'sessionTimeout', 'rebalanceTimeout', 'protocol', 'readAhead'],
  ...CODECS,
]
const COMPRESSIONS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

export function validateKafkaJob<V, R, K, RK>(options: KafkaJobOptions<V, R, K, RK>): CompleteKafkaJob<V, R, K, RK> {
  const check = new StreamChecker('runKafkaJob', options ?? {}, KNOWN)
  const { name, pipeline, source, sink, checkpoint, onEvent } = options ?? {}
  checkTopic(check, 'name', name)
  const connection = checkConnection(check, 'kafka', options.kafka)
  check.fn('pipeline', pipeline, true)
  const reading = checkReading(check, source)
  const writing = checkWriting(check, sink)
  const { store, every } = checkCheckpoint(check, checkpoint)
  if (options.deadLetters !== undefined) checkTopic(check, 'deadLetters', options.deadLetters)
  const changelogReplicas = check.whole('changelogReplicas', options.changelogReplicas, 1, 32767)
  check.fn('onEvent', onEvent)
  check.done()
  return {
    name,
    connection,
    ...reading,
    inCodecs: reading.codecs,
    ...writing,
    outCodecs: writing.codecs,
    pipeline,
    store: store!,
    every: every ?? 500,
    deadLetters: options.deadLetters,
    changelogReplicas,
    onEvent: onEvent ?? (() => {}),
  }
}

/** Options of reading by a group. */
export function checkReading<V, K>(check: StreamChecker, source: KafkaSourceOptions<V, K>) {
  if (source === undefined) check.problem("'source' is missing: { topics }")
  const given = source !== undefined && check.object('source', source, SOURCE_OPTIONS) ? source : { topics: [] }
  const topics = typeof given.topics === 'string' ? [given.topics] : given.topics
  if (source !== undefined && (!Array.isArray(topics) || topics.length === 0)) {
    check.problem("'source.topics' must be the name of a topic, or a list of such", topics)
  } else for (const topic of topics ?? []) checkTopic(check, 'source.topics', topic)
  const { readAhead = {} } = given
  check.object('source.readAhead', readAhead, ['records', 'bytes'])
  return {
    topics: [...(topics ?? [])] as readonly string[],
    codecs: checkCodecs(check, given),
    from: checkStart(check, given.from),
    instance: check.text('source.instance', given.instance),
    sessionTimeout: check.whole('source.sessionTimeout', given.sessionTimeout, 1000, 1_800_000) ?? 10_000,
    rebalanceTimeout: check.whole('source.rebalanceTimeout', given.rebalanceTimeout, 1000, 1_800_000) ?? 60_000,
    protocol: check.oneOf('source.protocol', given.protocol, ['classic', 'consumer'] as const) ?? ('classic' as const),
    readAhead: {
      records: check.whole('source.readAhead.records', readAhead.records, 1, 10_000_000) ?? 5000,
      bytes: check.whole('source.readAhead.bytes', readAhead.bytes, 1, 2 ** 31) ?? 8 << 20,
    },
  }
}

/** Options of writing. */
export function checkWriting<V, K>(check: StreamChecker, sink: KafkaSinkPart<V, K>) {
  if (sink === undefined) check.problem("'sink' is missing: { topic }")
  const known = ['topic', 'compression', 'linger', ...CODECS]
  const given = sink !== undefined && check.object('sink', sink, known) ? sink : { topic: 'unknown' }
  checkTopic(check, 'sink.topic', given.topic)
  return {
    topic: given.topic,
    codecs: checkCodecs(check, given),
    compression: check.oneOf('sink.compression', given.compression, COMPRESSIONS) ?? ('lz4' as const),
    linger: check.time('sink.linger', given.linger, true) ?? 5,
  }
}

/** Kafka's rule for names of topics; groups and transactions keep to it, too. */
export function checkTopic(check: StreamChecker, what: string, name: unknown): void {
  if (typeof name === 'string' && /^[\w.-]{1,200}$/.test(name) && name !== '.' && name !== '..') return
  check.problem(`'${what}' must be 1 to 200 letters, digits, '.', '-' or '_'`, name)
}
