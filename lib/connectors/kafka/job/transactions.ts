import type { KafkaConsumer, KafkaProducer, OutgoingRecord, TopicPartition } from '../adapter'
import type { EpochWriter } from './changelog'

/** Records of the next epoch that may wait while an epoch is committed; from then on its sources rest. */
const WAITING = 10_000

/**
 * The transactions of one partition, one for each epoch: results, dead letters, changed state, and the offset behind the last
 * record that all this comes from.
 */
export class Transactions implements EpochWriter {
  private open = false
  private closing = false
  private written = 0
  private waiting: OutgoingRecord[] = []
  private room: { promise: Promise<void>; resolve: () => void; reject: (error: unknown) => void } | undefined

  constructor(
    private readonly producer: KafkaProducer,
    private readonly consumer: KafkaConsumer,
    private readonly partition: TopicPartition,
  ) {}

  get dirty(): boolean {
    return this.written > 0
  }

  /** Begins the first one. */
  async begin(): Promise<void> {
    await this.producer.begin()
    this.open = true
  }

  send(record: OutgoingRecord): void | Promise<void> {
    if (this.open && !this.closing) {
      this.written++
      return this.producer.send(record)
    }
    this.waiting.push(record)
    if (this.waiting.length < WAITING) return
    this.room ??= withResolvers()
    return this.room.promise
  }

  /** What is sent from now on belongs to the next epoch. */
  close(): void {
    this.closing = true
  }

  /** The epoch had nothing in it after all. */
  async reopen(): Promise<void> {
    if (!this.closing) return
    this.closing = false
    await this.release()
  }

  async commit(records: readonly OutgoingRecord[], position: number | undefined, epoch: number): Promise<void> {
    const { producer } = this
    try {
      for (const record of records) {
        const room = producer.send(record)
        if (room !== undefined) await room
      }
      if (position !== undefined) {
        await producer.offsets([{ ...this.partition, offset: position, metadata: `epoch ${epoch}` }], this.consumer)
      }
      await producer.commit()
      this.open = false
      this.written = 0
      await this.begin()
    } catch (error) {
      this.room?.reject(error)
      throw error
    }
    this.closing = false
    await this.release()
  }

  /** Gives up what is not committed. */
  async abort(): Promise<void> {
    this.waiting = []
    this.room?.resolve()
    if (this.open) await this.producer.abort()
    this.open = false
  }

  private async release(): Promise<void> {
    const { waiting, room } = this
    this.waiting = []
    this.room = undefined
    for (const record of waiting) void this.send(record)
    room?.resolve()
  }
}

function withResolvers() {
  let resolve = () => {}
  let reject = (_error: unknown) => {}
  const promise = new Promise<void>((yes, no) => {
    resolve = yes
    reject = no
  })
  // Whoever wrote is told; where nobody waits any more it is of no use.
  promise.catch(() => {})
  return { promise, resolve, reject }
}
