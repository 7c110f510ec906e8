import type { Source } from '../../jobs/sources'
import { StreamChecker } from '../../streams/check'
import { checkDeadLetters, type DeadLetterOption, DeadLetters } from '../deadLetters'
import { type KafkaAdmin, type KafkaClient, nameOf, type RawRecord, type TopicPartition } from './adapter'
import { clientOf } from './clients'
import { checkConnection, type KafkaOptions } from './connection'
import { GroupMember, type GroupOwner } from './group'
import { checkReading, checkTopic, type KafkaSourceOptions, SOURCE_OPTIONS } from './job/options'
import type { ReadAhead } from './readAhead'
import { type KafkaMessage, messageOf, preparing } from './records'
import { startOffset } from './startAt'

export interface KafkaGroupOptions<V, K> extends KafkaSourceOptions<V, K> {
  kafka: KafkaOptions
  /** The consumer group. */
  group: string
  /** Where records go that the codecs refuse (default: left out with a warning). */
  deadLetters?: DeadLetterOption<RawRecord, KafkaPosition>
  /** Milliseconds that a partition waits, when it goes to another member, for what was given to be in a checkpoint (default 5,000). */
  handOver?: number
}

/** The next offset of each partition, by `topic-partition`. */
export type KafkaPosition = Readonly<Record<string, number>>

/**
 * The records of topics, as a member of a consumer group: at least once. Offsets are committed when a checkpoint that holds
 * them is safe. Partitions that go to another member are handed over behind their last checkpoint.
 */
export function kafkaSource<V = unknown, K = string>(
  options: KafkaGroupOptions<V, K>,
): Source<KafkaMessage<V, K>, KafkaPosition> {
  const { kafka, group, deadLetters, handOver, ...reading } = options ?? {}
  const check = new StreamChecker('kafkaSource', options, [
    ...SOURCE_OPTIONS,
    'kafka',
    'group',
    'deadLetters',
    'handOver',
  ])
  const connection = checkConnection(check, 'kafka', kafka)
  checkTopic(check, 'group', group)
  checkDeadLetters(check, deadLetters)
  const wait = check.time('handOver', handOver, true) ?? 5000
  const complete = checkReading<V, K>(check, reading)
  check.done()
  const letters = new DeadLetters<RawRecord, KafkaPosition>(`kafka: ${complete.topics.join(', ')}`, deadLetters)
  let current: GroupReading<V, K> | undefined
  return {
    read(position, signal, commitSoon) {
      current = new GroupReading<V, K>(
        { ...complete, group, wait, letters, open: () => clientOf(connection) },
        position ?? {},
        commitSoon,
      )
      return current.items(signal)
    },
    commit: (position) => current?.commit(position),
    close: () => current?.close(),
  }
}

interface Settings<V, K> extends Omit<ReturnType<typeof checkReading<V, K>>, never> {
  readonly group: string
  readonly wait: number
  readonly letters: DeadLetters<RawRecord, KafkaPosition>
  readonly open: () => Promise<KafkaClient>
}

/** A partition that is ours. */
interface Mine {
  readonly partition: TopicPartition
  readonly records: ReadAhead
  /** The next offset that was given, and the one that is committed. */
  given: number
  committed: number
  /** Called when what was given is committed. */
  settled: (() => void) | undefined
}

class GroupReading<V, K> implements GroupOwner {
  private member: GroupMember | undefined
  private admin: KafkaAdmin | undefined
  private readonly mine = new Map<string, Mine>()
  /** Behind the last item, for partitions that are ours. */
  private position: KafkaPosition
  private wake: () => void = () => {}
  private failure: { error: unknown } | undefined
  private ended = false
  private closing: Promise<void> | undefined

  constructor(
    private readonly settings: Settings<V, K>,
    private readonly from: KafkaPosition,
    private readonly commitSoon: (() => void) | undefined,
  ) {
    this.position = from
  }

  async *items(signal: AbortSignal | undefined): AsyncGenerator<readonly [KafkaMessage<V, K>, KafkaPosition]> {
    const end = () => {
      this.ended = true
      this.wake()
    }
    signal?.addEventListener('abort', end, { once: true })
    await this.join()
    while (!this.ended) {
      if (this.failure !== undefined) throw this.failure.error
      const burst = this.burst()
      if (burst === undefined) {
        await new Promise<void>((resolve) => {
          this.wake = resolve
          // Whatever came before this moment has woken nobody.
          if (this.ended || this.failure !== undefined || this.hasRecords()) resolve()
          else setTimeout(resolve, 20).unref()
        })
        continue
      }
      yield* burst
    }
  }

  async commit(position: KafkaPosition): Promise<void> {
    const offsets = [...this.mine.values()].flatMap((one) => {
      const offset = position[nameOf(one.partition)]
      return offset === undefined || offset <= one.committed ? [] : [{ one, offset }]
    })
    if (offsets.length === 0 || this.member === undefined) return
    await this.member.consumer.commit(offsets.map(({ one, offset }) => ({ ...one.partition, offset })))
    for (const { one, offset } of offsets) {
      one.committed = offset
      if (one.committed >= one.given) one.settled?.()
    }
  }

  close(): Promise<void> {
    this.closing ??= (async () => {
      this.ended = true
      this.wake()
      for (const one of this.mine.values()) one.settled?.()
      await this.member?.leave()
      await this.admin?.close()
    })()
    return this.closing
  }

  assigned(partition: TopicPartition, records: ReadAhead): void {
    const one: Mine = { partition, records, given: -1, committed: -1, settled: undefined }
    this.mine.set(nameOf(partition), one)
    this.start(one).catch((error) => {
      if (this.mine.get(nameOf(partition)) === one) this.failed(error)
    })
  }

  async revoked(partition: TopicPartition): Promise<void> {
    const one = this.mine.get(nameOf(partition))
    if (one === undefined) return
    one.records.end()
    if (one.given > one.committed && this.commitSoon !== undefined && this.closing === undefined) {
      await new Promise<void>((resolve) => {
        one.settled = resolve
        this.commitSoon?.()
        setTimeout(resolve, this.settings.wait)
      })
    }
    this.forget(partition)
  }

  lost(partition: TopicPartition): void {
    this.forget(partition)
  }

  failed(error: unknown): void {
    this.failure ??= { error }
    this.wake()
  }

  private async join(): Promise<void> {
    const { group, topics, instance, sessionTimeout, rebalanceTimeout, protocol, readAhead, open } = this.settings
    const client = await open()
    this.admin = await client.admin()
    const fetchBytes = Math.max(1 << 20, readAhead.bytes)
    const membership = { group, topics, instance, sessionTimeout, rebalanceTimeout, protocol, fetchBytes }
    this.member = await GroupMember.join(client, membership, readAhead, this)
    this.member.run()
  }

  /** What has come of the partitions, one after the other; undefined where nothing has. */
  private burst(): AsyncGenerator<readonly [KafkaMessage<V, K>, KafkaPosition]> | undefined {
    return this.hasRecords() ? this.take() : undefined
  }

  private hasRecords(): boolean {
    for (const { records } of this.mine.values()) if (records.size > 0) return true
    return false
  }

  private async *take(): AsyncGenerator<readonly [KafkaMessage<V, K>, KafkaPosition]> {
    for (const [name, one] of [...this.mine]) {
      for (let raw = one.records.take(); raw !== undefined && !this.ended; raw = one.records.take()) {
        one.given = raw.offset + 1
        this.position = { ...this.position, [name]: raw.offset + 1 }
        const prepared = preparing(raw, this.settings.codecs)
        if (prepared !== undefined) await prepared
        let message: KafkaMessage<V, K>
        try {
          message = messageOf(raw, this.settings.codecs)
        } catch (error) {
          this.settings.letters.add(error, raw, this.position)
          continue
        }
        yield [message, this.position]
      }
    }
  }

  /** From the group's offset, or from the checkpoint where that is further: its commit may have been missed. */
  private async start(one: Mine): Promise<void> {
    const { partition } = one
    const consumer = this.member!.consumer
    const [found] = await consumer.committed([partition])
    const saved = this.from[nameOf(partition)]
    let offset = found?.offset
    if (saved !== undefined && (offset === undefined || saved > offset)) offset = saved
    offset ??= await startOffset(this.admin!, partition, this.settings.from)
    one.given = one.committed = found?.offset ?? offset
    await consumer.start({ ...partition, offset })
  }

  private forget(partition: TopicPartition): void {
    const name = nameOf(partition)
    this.mine.get(name)?.records.end()
    this.mine.delete(name)
    const { [name]: _gone, ...rest } = this.position
    this.position = rest
  }
}
