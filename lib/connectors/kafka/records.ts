import type { StreamChecker } from '../../streams/check'
import { type CodecOption, checkCodec, type RecordCodec } from '../codec'
import type { OutgoingRecord, RawRecord } from './adapter'

/** A record as pipelines get it. */
export interface KafkaMessage<V = unknown, K = string> {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Milliseconds since 1970: event time, for `timestampBy(({ timestamp }) => timestamp)`. */
  readonly timestamp: number
  readonly key: K | null
  /** Null is how a compacted topic says that its key is gone. */
  readonly value: V | null
  readonly headers: Readonly<Record<string, Buffer>>
}

/** A record as pipelines give it; a `KafkaMessage` is not one, as it names the topic that it comes from. */
export interface KafkaRecord<V = unknown, K = string> {
  /** Default: the topic of the sink. */
  readonly to?: string
  /** Default: by the key, as Java's producer does it. */
  readonly partition?: number
  readonly key?: K | null
  readonly value: V | null
  /** Milliseconds since 1970; default: now. */
  readonly timestamp?: number
  readonly headers?: Readonly<Record<string, Buffer | string>>
}

/** Which codecs records have. */
export interface RecordCodecs<V, K> {
  /** Of values (default `'json'`): `'json'`, `'string'`, `'buffer'`, `avroCodec(…)`, or `{ decode, encode }`. */
  codec?: KafkaCodecOption<V>
  /** Of keys (default `'string'`). */
  keyCodec?: KafkaCodecOption<K>
}

/** A codec that may have to ask a registry first: `prepare` is awaited before `decode`. */
export interface KafkaCodec<V> extends RecordCodec<V> {
  /** Resolves when the record can be decoded, or never will be; undefined where it can be at once. */
  prepare?(data: Buffer): Promise<void> | undefined
}

export type KafkaCodecOption<V> = CodecOption<V> | KafkaCodec<V>

export interface Codecs<V, K> {
  readonly value: KafkaCodec<V>
  readonly key: KafkaCodec<K>
}

export function checkCodecs<V, K>(check: StreamChecker, options: RecordCodecs<V, K>): Codecs<V, K> {
  return {
    value: checkCodec<V>(check, options.codec as CodecOption<V> | undefined),
    key: checkCodec<K>(check, (options.keyCodec ?? 'string') as CodecOption<K>),
  }
}

/** What has to be awaited before a record can be decoded, if anything. */
export function preparing<V, K>({ key, value }: RawRecord, codecs: Codecs<V, K>): Promise<unknown> | undefined {
  const first = value === null ? undefined : codecs.value.prepare?.(value)
  const second = key === null ? undefined : codecs.key.prepare?.(key)
  return first === undefined || second === undefined ? (first ?? second) : Promise.all([first, second])
}

export function messageOf<V, K>(raw: RawRecord, { value, key }: Codecs<V, K>): KafkaMessage<V, K> {
  const { topic, partition, offset, timestamp, headers } = raw
  return {
    topic,
    partition,
    offset,
    timestamp,
    key: raw.key === null ? null : key.decode(raw.key),
    value: raw.value === null ? null : value.decode(raw.value),
    headers,
  }
}

/** `topic` is where a record goes that names none. */
export function outgoingOf<V, K>(
  record: KafkaRecord<V, K>,
  topic: string,
  { value, key }: Codecs<V, K>,
): OutgoingRecord {
  if (typeof record !== 'object' || record === null || record.value === undefined) {
    throw new TypeError(
      'what goes to Kafka must be { value } with key, headers, timestamp, partition or to where needed',
    )
  }
  return {
    topic: record.to ?? topic,
    partition: record.partition,
    key: record.key === undefined || record.key === null ? null : bytesOf(key.encode(record.key)),
    value: record.value === null ? null : bytesOf(value.encode(record.value)),
    timestamp: record.timestamp,
    headers: record.headers,
  }
}

function bytesOf(data: string | Uint8Array): Buffer {
  if (typeof data === 'string') return Buffer.from(data)
  return Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength)
}

/** A bad record on its way to a dead-letter topic: as it was, with what was wrong in its headers. */
export function deadLetterOf(topic: string, raw: RawRecord, error: unknown): OutgoingRecord {
  const { name, message, code } = error instanceof Error ? (error as Error & { code?: unknown }) : unnamed(error)
  return {
    topic,
    key: raw.key,
    value: raw.value,
    timestamp: raw.timestamp,
    headers: {
      ...raw.headers,
      'error.name': name,
      'error.message': message.slice(0, 4000),
      ...(typeof code === 'string' ? { 'error.code': code } : {}),
      'source.topic': raw.topic,
      'source.partition': String(raw.partition),
      'source.offset': String(raw.offset),
    },
  }
}

function unnamed(error: unknown): { name: string; message: string; code?: unknown } {
  return { name: 'Error', message: String(error) }
}
