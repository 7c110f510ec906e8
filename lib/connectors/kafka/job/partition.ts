import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { filter, map, type Observable } from 'rxjs'
import { JobError, KafkaError } from '../../../errors'
import { type Job, runIn } from '../../../jobs/job'
import type { Sink } from '../../../jobs/sinks'
import type { Source } from '../../../jobs/sources'
import type { KafkaAdmin, KafkaClient, KafkaConsumer, KafkaProducer, RawRecord, TopicPartition } from '../adapter'
import { nameOf } from '../adapter'
import type { ReadAhead } from '../readAhead'
import { deadLetterOf, type KafkaMessage, type KafkaRecord, messageOf, outgoingOf, preparing } from '../records'
import { startOffset } from '../startAt'
import { ChangelogStore, type Restored, SOURCE } from './changelog'
import type { CompleteKafkaJob } from './options'
import { Transactions } from './transactions'

/** What the partitions of a job share. */
export interface Shared<V, R, K, RK> {
  readonly options: CompleteKafkaJob<V, R, K, RK>
  readonly client: KafkaClient
  readonly admin: KafkaAdmin
  readonly consumer: () => KafkaConsumer
}

/** The topic with the state of the partitions of another. */
export function changelogOf(name: string, topic: string): string {
  return `${name}-${topic}-changelog`
}

/** One partition at work: a job of its own, with its transactions, and its state. */
export class PartitionRun {
  readonly job: Job
  readonly restored: Restored

  private constructor(
    job: Job,
    restored: Restored,
    private readonly producer: KafkaProducer,
    private readonly transactions: Transactions,
    private readonly temporary: string | undefined,
  ) {
    this.job = job
    this.restored = restored
  }

  /** Fences off whoever had the partition before, takes over its state, and begins where it ended. */
  static async open<V, R, K, RK>(
    shared: Shared<V, R, K, RK>,
    partition: TopicPartition,
    records: ReadAhead,
  ): Promise<PartitionRun> {
    const { options, client, admin } = shared
    const { name, compression, linger, every } = options
    const transaction = `${name}-${nameOf(partition)}`
    const producer = await client.producer({ compression, linger, transaction })
    const transactions = new Transactions(producer, shared.consumer(), partition)
    let store: ChangelogStore | undefined
    try {
      const changelog = { topic: changelogOf(name, partition.topic), partition: partition.partition }
      const local = openStore(options.store, transaction, (folder) => {
        return new ChangelogStore(folder, transaction, changelog, admin, transactions)
      })
      store = local.store
      const restored = await store.restore(client)
      await transactions.begin()
      const work = new PartitionWork(shared, partition, records, store, transactions)
      const job = await runIn<KafkaRecord<R, RK>>(
        {
          name: transaction,
          pipeline: (context) => work.pipeline(context.source(SOURCE, work.source())),
          sink: work.sink(),
          store: local.folder,
          every,
          from: undefined,
          dropState: false,
        },
        store,
      )
      return new PartitionRun(job, restored, producer, transactions, local.temporary)
    } catch (error) {
      await store?.close().catch(() => {})
      await transactions.abort().catch(() => {})
      await producer.close()
      throw error
    }
  }

  /** Works off what is under way, commits it, and gives the partition back. */
  async release(): Promise<void> {
    try {
      await this.job.suspend()
    } finally {
      await this.drop()
    }
  }

  /** Gives up what is not committed. */
  async drop(): Promise<void> {
    await this.job.cancel()
    await this.transactions.abort().catch(() => {})
    await this.producer.close()
    if (this.temporary !== undefined) await rm(this.temporary, { recursive: true, force: true })
  }
}

/** Where another process of this machine has the folder's store, one of our own, which goes again. */
function openStore(folder: string, name: string, make: (folder: string) => ChangelogStore) {
  try {
    return { store: make(folder), folder, temporary: undefined }
  } catch (error) {
    if (!(error instanceof JobError) || error.code !== 'ERR_JOB_RUNNING') throw error
    const temporary = join(folder, `process-${process.pid}-${name}`)
    return { store: make(temporary), folder: temporary, temporary }
  }
}

/** The source, the pipeline and the sink of one partition. */
class PartitionWork<V, R, K, RK> {
  constructor(
    private readonly shared: Shared<V, R, K, RK>,
    private readonly partition: TopicPartition,
    private readonly records: ReadAhead,
    private readonly store: ChangelogStore,
    private readonly transactions: Transactions,
  ) {}

  source(): Source<RawRecord, number> {
    const { records } = this
    const { inCodecs } = this.shared.options
    const start = (position: number | undefined) => this.start(position)
    return {
      async *read(position, signal) {
        await start(position)
        // After a fault the next run of the partition reads from the same queue.
        while (await records.more(signal)) {
          while (!signal?.aborted) {
            const record = records.take()
            if (record === undefined) break
            const prepared = preparing(record, inCodecs)
            if (prepared !== undefined) await prepared
            yield [record, record.offset + 1] as const
          }
        }
      },
    }
  }

  pipeline(raw: Observable<RawRecord>): Observable<KafkaRecord<R, RK>> {
    const { inCodecs, pipeline, name } = this.shared.options
    const source = raw.pipe(
      map((record) => {
        try {
          return messageOf(record, inCodecs)
        } catch (error) {
          this.refuse(record, error)
          return undefined
        }
      }),
      filter((message) => message !== undefined),
    )
    const { topic, partition } = this.partition
    const deadLetter = (message: KafkaMessage<V, K>, error: unknown) => this.refuse(this.encoded(message), error)
    return pipeline({ name, topic, partition, source, deadLetter })
  }

  sink(): Sink<KafkaRecord<R, RK>> {
    const { transactions } = this
    const { topic, outCodecs } = this.shared.options
    return {
      open: () => {},
      write: (record) => transactions.send(outgoingOf(record, topic, outCodecs)),
      prepare: async () => {
        transactions.close()
        return null
      },
      commit: () => transactions.reopen(),
      close: () => {},
    }
  }

  /** Lets records come, from where the last transaction ended. */
  private async start(position: number | undefined): Promise<void> {
    const { admin, options } = this.shared
    const consumer = this.shared.consumer()
    const [committed] = await consumer.committed([this.partition])
    let offset = committed?.offset ?? position
    if (position !== undefined && committed !== undefined && committed.offset !== position) {
      const hasState = Object.keys(this.store.checkpoint()?.steps ?? {}).length > 0
      if (hasState) {
        throw new KafkaError(
          'ERR_KAFKA_STATE',
          `${nameOf(this.partition)}: the group's offset is ${committed.offset}, and the state in the changelog is that of ` +
            `${position}: the offsets were changed from outside. Set them back, or give the job another name to begin anew.`,
        )
      }
    }
    offset ??= await startOffset(admin, this.partition, options.from)
    // What a run before has read ahead comes again, unless it is committed.
    const started = consumer.start({ ...this.partition, offset })
    this.records.reset()
    await started
    this.records.goOn()
  }

  private refuse(record: RawRecord, error: unknown): void {
    const { deadLetters } = this.shared.options
    if (deadLetters === undefined) throw error
    // Where the producer is full, it keeps the record all the same.
    void this.transactions.send(deadLetterOf(deadLetters, record, error))
  }

  private encoded({ topic, partition, offset, timestamp, key, value, headers }: KafkaMessage<V, K>): RawRecord {
    const { inCodecs } = this.shared.options
    return {
      ...{ topic, partition, offset, timestamp, headers },
      key: key === null ? null : Buffer.from(inCodecs.key.encode(key)),
      value: value === null ? null : Buffer.from(inCodecs.value.encode(value)),
    }
  }
}
