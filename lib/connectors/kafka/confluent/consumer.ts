import { setTimeout as sleep } from 'node:timers/promises'
import type {
  GroupListener,
  GroupOptions,
  KafkaConsumer,
  PartitionReader,
  RawRecord,
  TopicOffset,
  TopicPartition,
} from '../adapter'
import { nameOf } from '../adapter'
import { ATTEMPT, connected, errorOf, patiently } from './errors'
import { ask, Code, type Library, type LibraryConsumer, type LibraryError, type LibraryMessage } from './library'

/** How long a poll waits for its first record: it keeps a thread of Node's pool meanwhile. */
const WAIT = 100

const NO_HEADERS: RawRecord['headers'] = Object.freeze({})

export class ConfluentConsumer implements KafkaConsumer {
  /** For transactions, which have the consumer's membership in them. */
  readonly consumer: LibraryConsumer
  /** Where the partitions began that are being read. */
  private readonly started = new Map<string, number>()
  private handingOver = 0
  /** What is held was handed over already, and is not given back to the group. */
  private staying = false
  private polling: Promise<LibraryMessage[]> | undefined
  private fatal: LibraryError | undefined

  constructor(
    library: Library,
    settings: Readonly<Record<string, unknown>>,
    private readonly options: GroupOptions,
    private readonly listener: GroupListener,
  ) {
    const { group, instance, sessionTimeout, rebalanceTimeout, protocol, fetchBytes } = options
    const classic = {
      'partition.assignment.strategy': 'cooperative-sticky',
      'session.timeout.ms': sessionTimeout,
      'heartbeat.interval.ms': Math.max(100, Math.min(3000, Math.floor(sessionTimeout / 4))),
    }
    this.consumer = new library.KafkaConsumer(
      {
        ...settings,
        'group.id': group,
        ...(instance === undefined ? {} : { 'group.instance.id': instance }),
        ...(protocol === 'classic' ? classic : { 'group.protocol': 'consumer' }),
        'max.poll.interval.ms': Math.max(rebalanceTimeout, sessionTimeout),
        'enable.auto.commit': false,
        'enable.auto.offset.store': false,
        'isolation.level': 'read_committed',
        'queued.max.messages.kbytes': Math.max(1, Math.ceil(fetchBytes / 1024)),
        'fetch.wait.max.ms': 100,
        'fetch.error.backoff.ms': 100,
        rebalance_cb: (error: LibraryError, partitions: TopicPartition[]) => this.rebalance(error, partitions),
      },
      // What was to be read next has been deleted: it goes on with the oldest that is there.
      { 'auto.offset.reset': 'earliest' },
    )
    this.consumer.setDefaultConsumeTimeout(WAIT)
    this.consumer.setDefaultIsTimeoutOnlyForFirstMessage?.(true)
    this.consumer.on('event.error', (error: LibraryError) => {
      if (error.isFatal) this.fatal = error
    })
  }

  async open(): Promise<void> {
    await connected(this.consumer)
    this.consumer.subscribe([...this.options.topics])
  }

  async poll(max: number): Promise<readonly RawRecord[]> {
    if (this.fatal !== undefined) throw errorOf('the consumer', this.fatal)
    let messages: LibraryMessage[]
    try {
      this.polling = ask<LibraryMessage[]>((done) => this.consumer.consume(max, done))
      messages = await this.polling
    } catch (error) {
      if ((error as LibraryError).isFatal) throw errorOf('the consumer', error)
      // The brokers are away for a while: librdkafka looks for them.
      await sleep(WAIT)
      return []
    }
    const records: RawRecord[] = []
    for (const message of messages) {
      const began = this.started.get(nameOf(message))
      if (began !== undefined && message.offset >= began) records.push(recordOf(message))
    }
    return records
  }

  async start({ topic, partition, offset }: TopicOffset): Promise<void> {
    if (this.started.delete(nameOf({ topic, partition }))) {
      try {
        this.pause([{ topic, partition }])
      } catch {
        // It is going just now: the next call says so.
      }
    }
    // A partition that is new here takes a moment until it can be told where to begin.
    for (let attempt = 1; ; attempt++) {
      try {
        await ask((done) => this.consumer.seek({ topic, partition, offset }, ATTEMPT, done))
        break
      } catch (error) {
        const { code } = error as LibraryError
        if ((code !== Code.State && code !== Code.TimedOut) || attempt > 500) {
          throw errorOf(`${topic}-${partition} cannot be read from ${offset} on`, error)
        }
        await sleep(20)
      }
    }
    // What a poll that is under way brings was read before.
    await this.polling?.catch(() => {})
    this.started.set(nameOf({ topic, partition }), offset)
    this.resume([{ topic, partition }])
  }

  pause(partitions: readonly TopicPartition[]): void {
    this.consumer.pause(plain(partitions))
  }

  resume(partitions: readonly TopicPartition[]): void {
    this.consumer.resume(plain(partitions))
  }

  async committed(partitions: readonly TopicPartition[]): Promise<readonly TopicOffset[]> {
    const found = await patiently<TopicOffset[]>('the committed offsets', 60_000, (done) =>
      this.consumer.committed(plain(partitions), ATTEMPT, done as never),
    )
    return found.filter(({ offset }) => typeof offset === 'number' && offset >= 0)
  }

  async commit(offsets: readonly TopicOffset[]): Promise<void> {
    if (offsets.length === 0) return
    try {
      await ask((done) =>
        this.consumer.commitCb(
          offsets.map((one) => ({ ...one })),
          done,
        ),
      )
    } catch (error) {
      throw errorOf('offsets cannot be committed', error)
    }
  }

  async close(): Promise<void> {
    try {
      await (this.options.instance === undefined ? this.leave() : this.stay())
    } finally {
      await ask((done) => this.consumer.disconnect(done)).catch(() => {})
    }
  }

  /** The others get at once what is held. */
  private async leave(): Promise<void> {
    this.consumer.unsubscribe()
    const end = Date.now() + this.options.rebalanceTimeout
    // What is held is revoked by the calls of poll.
    await this.poll(1)
    while ((this.handingOver > 0 || this.consumer.assignments().length > 0) && Date.now() < end) await this.poll(1)
  }

  /**
   * The group keeps what is held for a member of this name, until its session runs out. A member that unsubscribes has left, whatever its
   * name; one that only goes has not.
   */
  private async stay(): Promise<void> {
    this.staying = true
    const held = plain(this.consumer.assignments())
    for (const one of held) this.started.delete(nameOf(one))
    await this.listener.revoked(held)
  }

  private rebalance(error: LibraryError, partitions: readonly TopicPartition[]): void {
    const these = plain(partitions)
    if (error.code === Code.AssignPartitions) {
      // With an offset, or the client asks the broker for one, and goes there even if it was told another one meanwhile: librdkafka asks again
      // when the answer comes behind a seek.
      this.consumer.incrementalAssign(these.map((one) => ({ ...one, offset: 0 })))
      if (these.length === 0) return
      this.consumer.pause(these)
      this.listener.assigned(these)
    } else if (error.code === Code.RevokePartitions && this.staying) {
      this.consumer.incrementalUnassign(these)
    } else if (error.code === Code.RevokePartitions) {
      const isLost = this.consumer.assignmentLost()
      for (const one of these) this.started.delete(nameOf(one))
      const release = () => {
        this.handingOver--
        try {
          this.consumer.incrementalUnassign(these)
        } catch {
          // They are gone already.
        }
      }
      this.handingOver++
      if (isLost) {
        this.listener.lost(these)
        release()
      } else {
        this.listener.revoked(these).then(release, release)
      }
    }
  }
}

/** Reads to the end of a partition, as librdkafka tells where that is. */
export class ConfluentReader implements PartitionReader {
  private readonly consumer: LibraryConsumer
  private ended = false

  constructor(
    library: Library,
    settings: Readonly<Record<string, unknown>>,
    private readonly from: TopicOffset,
  ) {
    this.consumer = new library.KafkaConsumer(
      {
        ...settings,
        'group.id': 'rxjs-python-reader',
        'enable.auto.commit': false,
        'isolation.level': 'read_committed',
        'enable.partition.eof': true,
        'fetch.wait.max.ms': 10,
      },
      { 'auto.offset.reset': 'earliest' },
    )
    this.consumer.setDefaultConsumeTimeout(WAIT)
    this.consumer.setDefaultIsTimeoutOnlyForFirstMessage?.(true)
    this.consumer.on('partition.eof', () => {
      this.ended = true
    })
    this.consumer.on('event.error', () => {})
  }

  async open(): Promise<void> {
    await connected(this.consumer)
    const { topic, partition, offset } = this.from
    this.consumer.assign([{ topic, partition, offset }])
  }

  async next(): Promise<readonly RawRecord[] | undefined> {
    if (this.ended) return undefined
    const messages = await ask<LibraryMessage[]>((done) => this.consumer.consume(2000, done)).catch((error) => {
      throw errorOf(`${nameOf(this.from)} cannot be read`, error)
    })
    if (messages.length === 0 && this.ended) return undefined
    return messages.map(recordOf)
  }

  async close(): Promise<void> {
    await ask((done) => this.consumer.disconnect(done)).catch(() => {})
  }
}

function recordOf({ topic, partition, offset, timestamp, key, value, headers }: LibraryMessage): RawRecord {
  return {
    topic,
    partition,
    offset,
    timestamp: timestamp ?? 0,
    key: key ?? null,
    value,
    headers: headers === undefined || headers.length === 0 ? NO_HEADERS : Object.assign({}, ...headers),
  }
}

function plain(partitions: readonly TopicPartition[]): { topic: string; partition: number }[] {
  return partitions.map(({ topic, partition }) => ({ topic, partition }))
}
