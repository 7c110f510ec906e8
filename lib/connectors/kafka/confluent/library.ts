/** The part of @confluentinc/kafka-javascript that the adapter uses, as librdkafka has it. */

export interface LibraryError {
  readonly code: number
  readonly message: string
  readonly isFatal?: boolean
  readonly isRetriable?: boolean
  readonly isTxnRequiresAbort?: boolean
}

/** A line of its log. */
export interface LibraryLog {
  readonly fac: string
  readonly message: string
}

export interface LibraryPartition {
  topic: string
  partition: number
  offset?: number | null
  metadata?: string | null
}

export interface LibraryMessage {
  topic: string
  partition: number
  offset: number
  timestamp?: number
  key?: Buffer | null
  value: Buffer | null
  headers?: Record<string, Buffer>[]
}

type Done<R = unknown> = (error: LibraryError | null | undefined, result: R) => void

export interface LibraryClient {
  connect(options: object, done: Done): unknown
  disconnect(done: Done): unknown
  on(event: string, listener: (what: never) => void): unknown
  getMetadata(
    options: { topic?: string; timeout?: number },
    done: Done<{ topics: { name: string; partitions: unknown[] }[] }>,
  ): void
  queryWatermarkOffsets(
    topic: string,
    partition: number,
    timeout: number,
    done: Done<{ lowOffset: number; highOffset: number }>,
  ): void
}

export interface LibraryConsumer extends LibraryClient {
  setDefaultConsumeTimeout(milliseconds: number): void
  setDefaultIsTimeoutOnlyForFirstMessage?(first: boolean): void
  subscribe(topics: string[]): unknown
  unsubscribe(): unknown
  consume(max: number, done: Done<LibraryMessage[]>): void
  assign(partitions: LibraryPartition[]): unknown
  incrementalAssign(partitions: LibraryPartition[]): unknown
  incrementalUnassign(partitions: LibraryPartition[]): unknown
  assignments(): LibraryPartition[]
  assignmentLost(): boolean
  pause(partitions: LibraryPartition[]): unknown
  resume(partitions: LibraryPartition[]): unknown
  seek(at: LibraryPartition, timeout: number, done: Done): unknown
  committed(partitions: LibraryPartition[], timeout: number, done: Done<LibraryPartition[]>): unknown
  commitCb(offsets: LibraryPartition[], done: Done): unknown
  offsetsForTimes(partitions: LibraryPartition[], timeout: number, done: Done<LibraryPartition[]>): void
}

export interface LibraryProducer extends LibraryClient {
  setPollInBackground(on: boolean): unknown
  produce(
    topic: string,
    partition: number | null,
    value: Buffer | null,
    key: Buffer | null,
    timestamp: number | null,
    opaque: unknown,
    headers: Record<string, Buffer | string>[] | null,
  ): unknown
  flush(timeout: number, done: Done): unknown
  initTransactions(timeout: number, done: Done): void
  beginTransaction(done: Done): void
  commitTransaction(timeout: number, done: Done): void
  abortTransaction(timeout: number, done: Done): void
  sendOffsetsToTransaction(offsets: LibraryPartition[], consumer: LibraryConsumer, timeout: number, done: Done): void
}

export interface LibraryAdmin {
  createTopic(
    topic: { topic: string; num_partitions: number; replication_factor: number; config?: Record<string, string> },
    timeout: number,
    done: Done,
  ): void
  disconnect(): void
}

type Settings = Readonly<Record<string, unknown>>

export interface Library {
  KafkaConsumer: new (settings: Settings, topic: Settings) => LibraryConsumer
  Producer: new (settings: Settings, topic: Settings) => LibraryProducer
  AdminClient: { create(settings: Settings): LibraryAdmin }
}

/** librdkafka's own errors, by their numbers. */
export enum Code {
  QueueFull = -184,
  TimedOut = -185,
  AssignPartitions = -175,
  RevokePartitions = -174,
  State = -172,
  Fenced = -144,
  TopicExists = 36,
  ProducerFenced = 90,
  InvalidProducerEpoch = 47,
}

/** A call that tells by a function how it ended. */
export function ask<R>(call: (done: Done<R>) => unknown): Promise<R> {
  return new Promise((resolve, reject) => {
    call((error, result) => (error ? reject(error) : resolve(result)))
  })
}
