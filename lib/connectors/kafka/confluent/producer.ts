import { setTimeout as sleep } from 'node:timers/promises'
import { KafkaError } from '../../../errors'
import type { KafkaConsumer, KafkaProducer, OutgoingRecord, ProducerOptions, TopicOffset } from '../adapter'
import { ConfluentConsumer } from './consumer'
import { ATTEMPT, connected, errorOf, patiently } from './errors'
import { ask, Code, type Library, type LibraryError, type LibraryProducer } from './library'

/** Records that librdkafka holds at most; from then on who sends has to wait. */
const HELD = 50_000
/** A transaction ends within this time, or the job goes back to the last one. */
const PATIENCE = 120_000

export class ConfluentProducer implements KafkaProducer {
  private readonly producer: LibraryProducer
  private waiting: OutgoingRecord[] = []
  private room: Promise<void> | undefined
  private failure: LibraryError | undefined

  constructor(
    library: Library,
    settings: Readonly<Record<string, unknown>>,
    private readonly options: ProducerOptions,
  ) {
    const { compression, linger, transaction, transactionTimeout = 60_000 } = options
    this.producer = new library.Producer(
      {
        ...settings,
        'enable.idempotence': true,
        'compression.codec': compression,
        'linger.ms': linger,
        'queue.buffering.max.messages': HELD,
        'queue.buffering.max.kbytes': 65_536,
        'delivery.report.only.error': true,
        dr_cb: true,
        ...(transaction === undefined
          ? { 'message.timeout.ms': 0 }
          : { 'transactional.id': transaction, 'transaction.timeout.ms': transactionTimeout }),
      },
      // As Java's producer chooses partitions, so that a key is where other programs look for it.
      { partitioner: 'murmur2_random' },
    )
    this.producer.on('delivery-report', ((error: LibraryError | null) => {
      if (error) this.failure ??= error
    }) as never)
    this.producer.on('event.error', (error: LibraryError) => {
      if (error.isFatal) this.failure ??= error
    })
  }

  async open(): Promise<void> {
    await connected(this.producer)
    this.producer.setPollInBackground(true)
    if (this.options.transaction === undefined) return
    await this.end('the transactions cannot be initialised', (done) => this.producer.initTransactions(ATTEMPT, done))
  }

  send(record: OutgoingRecord): void | Promise<void> {
    if (this.room !== undefined) {
      this.waiting.push(record)
      return this.room
    }
    if (this.produce(record)) return
    this.waiting.push(record)
    this.room = this.untilRoom().finally(() => {
      this.room = undefined
    })
    // Whoever flushes is told, too.
    this.room.catch(() => {})
    return this.room
  }

  async flush(): Promise<void> {
    await this.room
    for (;;) {
      this.demandHealthy()
      try {
        await ask((done) => this.producer.flush(ATTEMPT, done))
        break
      } catch (error) {
        if ((error as LibraryError).code !== Code.TimedOut) throw errorOf('records cannot be delivered', error)
      }
    }
    // What could not be delivered is told by another thread.
    await sleep(0)
    this.demandHealthy()
  }

  async begin(): Promise<void> {
    this.demandHealthy()
    await this.end('a transaction cannot be begun', (done) => this.producer.beginTransaction(done))
  }

  async offsets(offsets: readonly TopicOffset[], consumer: KafkaConsumer): Promise<void> {
    if (!(consumer instanceof ConfluentConsumer)) throw new TypeError('the consumer is of another client')
    const list = offsets.map((one) => ({ ...one }))
    await this.end('offsets cannot be added to the transaction', (done) =>
      this.producer.sendOffsetsToTransaction(list, consumer.consumer, ATTEMPT, done),
    )
  }

  async commit(): Promise<void> {
    await this.room
    this.demandHealthy()
    await this.end('the transaction cannot be committed', (done) => this.producer.commitTransaction(ATTEMPT, done))
  }

  async abort(): Promise<void> {
    this.waiting = []
    await patiently('the transaction cannot be aborted', PATIENCE, (done) =>
      this.producer.abortTransaction(ATTEMPT, done),
    )
    this.failure = undefined
  }

  async close(): Promise<void> {
    this.waiting = []
    await ask((done) => this.producer.disconnect(done)).catch(() => {})
  }

  private produce({ topic, partition, key, value, timestamp, headers }: OutgoingRecord): boolean {
    const list = headers === undefined ? null : Object.entries(headers).map(([name, header]) => ({ [name]: header }))
    try {
      this.producer.produce(topic, partition ?? null, value, key ?? null, timestamp ?? null, null, list)
      return true
    } catch (error) {
      if ((error as LibraryError).code === Code.QueueFull) return false
      throw errorOf(`a record for ${topic} cannot be sent`, error)
    }
  }

  private async untilRoom(): Promise<void> {
    while (this.waiting.length > 0) {
      await sleep(5)
      this.demandHealthy()
      let at = 0
      while (at < this.waiting.length && this.produce(this.waiting[at]!)) at++
      this.waiting.splice(0, at)
    }
  }

  private demandHealthy(): void {
    if (this.failure !== undefined) throw errorOf('a record could not be delivered', this.failure)
  }

  private async end(what: string, call: Parameters<typeof patiently>[2]): Promise<void> {
    try {
      await patiently(what, PATIENCE, call)
    } catch (error) {
      throw error instanceof KafkaError ? error : errorOf(what, error)
    }
  }
}
