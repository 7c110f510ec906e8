import type { GroupListener, GroupOptions, KafkaClient, KafkaConsumer, RawRecord, TopicPartition } from './adapter'
import { nameOf } from './adapter'
import { ReadAhead, type ReadAheadOptions } from './readAhead'

/** Records that one poll takes at most. */
const POLL = 2000

/** What whoever reads by a group does about its partitions. */
export interface GroupOwner {
  assigned(partition: TopicPartition, records: ReadAhead): void
  /** Resolves when nothing of the partition is under way any more, and what was done is committed. */
  revoked(partition: TopicPartition): Promise<void>
  /** The partition belongs to somebody else already. */
  lost(partition: TopicPartition): void
  failed(error: unknown): void
}

/** A member of a consumer group: pulls records, keeps a bounded number for each partition, and pauses those that have enough. */
export class GroupMember implements GroupListener {
  consumer!: KafkaConsumer
  rebalances = 0
  private readonly queues = new Map<string, ReadAhead>()
  private stopping = false
  private polling: Promise<void> | undefined

  private constructor(
    private readonly readAhead: ReadAheadOptions,
    private readonly owner: GroupOwner,
  ) {}

  static async join(
    client: KafkaClient,
    options: GroupOptions,
    readAhead: ReadAheadOptions,
    owner: GroupOwner,
  ): Promise<GroupMember> {
    const member = new GroupMember(readAhead, owner)
    member.consumer = await client.group(options, member)
    return member
  }

  /** Begins to pull. Before, nothing is assigned. */
  run(): void {
    this.polling ??= this.poll()
  }

  /** Hands everything over and leaves the group. */
  async leave(): Promise<void> {
    this.stopping = true
    await this.polling
    await this.consumer.close()
    for (const queue of this.queues.values()) queue.end()
    this.queues.clear()
  }

  assigned(partitions: readonly TopicPartition[]): void {
    this.rebalances++
    for (const partition of partitions) {
      const queue = new ReadAhead(
        this.readAhead,
        () => this.guard(() => this.consumer.pause([partition])),
        () => this.guard(() => this.consumer.resume([partition])),
      )
      this.queues.set(nameOf(partition), queue)
      this.owner.assigned(partition, queue)
    }
  }

  async revoked(partitions: readonly TopicPartition[]): Promise<void> {
    this.rebalances++
    await Promise.all(partitions.map((partition) => this.owner.revoked(partition)))
    this.forget(partitions)
  }

  lost(partitions: readonly TopicPartition[]): void {
    this.rebalances++
    for (const partition of partitions) this.owner.lost(partition)
    this.forget(partitions)
  }

  private async poll(): Promise<void> {
    while (!this.stopping) {
      let records: readonly RawRecord[]
      try {
        records = await this.consumer.poll(POLL)
      } catch (error) {
        this.owner.failed(error)
        return
      }
      for (const record of records) this.queues.get(nameOf(record))?.push(record)
    }
  }

  private forget(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) {
      const name = nameOf(partition)
      this.queues.get(name)?.end()
      this.queues.delete(name)
    }
  }

  /** A partition may have gone at this very moment; then it need not be paused or resumed. */
  private guard(act: () => void): void {
    try {
      act()
    } catch (error) {
      if (this.consumer !== undefined && (error as { isFatal?: boolean }).isFatal) this.owner.failed(error)
    }
  }
}
