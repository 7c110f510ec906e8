import { setTimeout as sleep } from 'node:timers/promises'
import { JobError, KafkaError, SchemaError } from '../../../errors'
import { type KafkaAdmin, type KafkaClient, type KafkaConsumer, nameOf, type TopicPartition } from '../adapter'
import { clientOf } from '../clients'
import { GroupMember, type GroupOwner } from '../group'
import type { ReadAhead } from '../readAhead'
import { type CompleteKafkaJob, type KafkaJobOptions, validateKafkaJob } from './options'
import { changelogOf, PartitionRun } from './partition'

/** What a Kafka job is doing. */
export interface KafkaJobInfo {
  readonly name: string
  readonly client: string
  /** What its results can be relied on for. */
  readonly guarantee: 'exactly-once'
  readonly state: 'running' | 'stopped' | 'failed'
  readonly rebalances: number
  readonly partitions: readonly {
    readonly topic: string
    readonly partition: number
    readonly state: 'opening' | 'running' | 'releasing'
    readonly epoch: number
    /** Records that were read ahead. */
    readonly ahead: number
  }[]
}

/** One process's part in a job that may run in many: those with the same name share the partitions. */
export interface KafkaJob {
  readonly name: string
  /** Resolves when it was stopped; rejects when it failed. */
  readonly done: Promise<void>
  info(): KafkaJobInfo
  /** Works off what is under way, commits it, hands its partitions over and leaves. */
  stop(): Promise<void>
}

/**
 * Runs Kafka → pipeline → Kafka, exactly once. Each partition has a pipeline of its own, and for each epoch one transaction
 * with its results, what has changed in its state, and its offset. Start the same program elsewhere, and partitions move there,
 * with their state.
 *
 * @throws OptionError
 * @throws KafkaError where the cluster cannot be reached, or a topic is missing
 */
export async function runKafkaJob<V = unknown, R = unknown, K = string, RK = string>(
  options: KafkaJobOptions<V, R, K, RK>,
): Promise<KafkaJob> {
  const complete = validateKafkaJob(options)
  const client = await clientOf(complete.connection)
  const admin = await client.admin()
  try {
    await prepareTopics(admin, complete)
    const job = new RunningKafkaJob(complete, client, admin)
    await job.start()
    return job
  } catch (error) {
    await admin.close()
    throw error
  }
}

/** A partition that is ours, from the assignment until it is released. */
interface Held {
  readonly partition: TopicPartition
  readonly records: ReadAhead
  state: 'opening' | 'running' | 'releasing'
  run: PartitionRun | undefined
  /** Ends when the partition is given back. */
  life: Promise<void>
  readonly over: AbortController
}

class RunningKafkaJob<V, R, K, RK> implements KafkaJob, GroupOwner {
  readonly name: string
  readonly done: Promise<void>
  private state: KafkaJobInfo['state'] = 'running'
  private member!: GroupMember
  private readonly held = new Map<string, Held>()
  private ended = { resolve: () => {}, reject: (_error: unknown) => {} }
  private stopping: Promise<void> | undefined

  constructor(
    private readonly options: CompleteKafkaJob<V, R, K, RK>,
    private readonly client: KafkaClient,
    private readonly admin: KafkaAdmin,
  ) {
    this.name = options.name
    this.done = new Promise((resolve, reject) => {
      this.ended = { resolve, reject }
    })
    // Whoever does not look at it finds the state in info().
    this.done.catch(() => {})
  }

  async start(): Promise<void> {
    const { name, topics, instance, sessionTimeout, rebalanceTimeout, protocol, readAhead } = this.options
    const fetchBytes = Math.max(1 << 20, readAhead.bytes)
    const group = { group: name, topics, instance, sessionTimeout, rebalanceTimeout, protocol, fetchBytes }
    this.member = await GroupMember.join(this.client, group, readAhead, this)
    this.member.run()
  }

  info(): KafkaJobInfo {
    const partitions = Array.from(this.held.values(), ({ partition, state, run, records }) => ({
      ...partition,
      state,
      epoch: run?.job.epoch ?? 0,
      ahead: records.size,
    }))
    const { name, client, state } = this
    return {
      name,
      client: client.name,
      guarantee: 'exactly-once',
      state,
      rebalances: this.member.rebalances,
      partitions,
    }
  }

  stop(): Promise<void> {
    this.stopping ??= this.leave().then(
      () => {
        if (this.state === 'running') this.state = 'stopped'
        this.ended.resolve()
      },
      (error) => {
        this.state = 'failed'
        this.ended.reject(error)
        throw error
      },
    )
    return this.stopping
  }

  assigned(partition: TopicPartition, records: ReadAhead): void {
    const over = new AbortController()
    const held: Held = { partition, records, state: 'opening', run: undefined, life: Promise.resolve(), over }
    this.held.set(nameOf(partition), held)
    held.life = this.keep(held)
  }

  async revoked(partition: TopicPartition): Promise<void> {
    const held = this.held.get(nameOf(partition))
    if (held === undefined) return
    held.over.abort()
    await held.life
    this.options.onEvent({ kind: 'released', ...partition })
  }

  lost(partition: TopicPartition): void {
    const held = this.held.get(nameOf(partition))
    if (held === undefined) return
    this.held.delete(nameOf(partition))
    held.records.end()
    held.over.abort('lost')
    this.options.onEvent({ kind: 'lost', ...partition })
  }

  failed(error: unknown): void {
    if (this.state !== 'running') return
    this.state = 'failed'
    this.ended.reject(error)
    this.stopping ??= this.leave().catch(() => {})
  }

  /** Runs a partition until it goes; after a fault of the cluster, again from the last transaction on. */
  private async keep(held: Held): Promise<void> {
    const { partition, over } = held
    const { signal } = over
    const gone = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    for (let attempt = 0; !signal.aborted; attempt++) {
      held.state = 'opening'
      const began = performance.now()
      try {
        const run = await PartitionRun.open(this.shared(), partition, held.records)
        held.run = run
        try {
          held.state = 'running'
          const { records: restored, reused } = run.restored
          const milliseconds = performance.now() - began
          this.options.onEvent({ kind: 'started', ...partition, milliseconds, restored, reused })
          await Promise.race([run.job.done, gone])
          attempt = 0
        } finally {
          held.state = 'releasing'
          held.run = undefined
          if (signal.aborted && signal.reason !== 'lost') await run.release()
          else await run.drop()
        }
      } catch (error) {
        if (signal.aborted) break
        if (!isPassing(error)) {
          this.failed(error)
          break
        }
        this.options.onEvent({ kind: 'retry', ...partition, error })
        await Promise.race([sleep(Math.min(5000, 100 * 2 ** attempt)), gone])
      }
    }
    if (this.held.get(nameOf(partition)) === held) this.held.delete(nameOf(partition))
  }

  private shared() {
    const { options, client, admin } = this
    return { options, client, admin, consumer: (): KafkaConsumer => this.member.consumer }
  }

  private async leave(): Promise<void> {
    try {
      await this.member.leave()
      for (const held of this.held.values()) held.over.abort()
      await Promise.all(Array.from(this.held.values(), ({ life }) => life))
    } finally {
      await this.admin.close()
    }
  }
}

/** Whether another attempt may succeed: the cluster's fault, or another producer's, not the pipeline's. */
function isPassing(error: unknown): boolean {
  if (error instanceof KafkaError) return error.code === 'ERR_KAFKA_CLIENT' || error.code === 'ERR_KAFKA_FENCED'
  if (error instanceof SchemaError) return error.code === 'ERR_SCHEMA_REGISTRY'
  return error instanceof JobError && (error.code === 'ERR_JOB_STATE' || error.code === 'ERR_JOB_RUNNING')
}

/** Changelog topics are made; the others must be there. */
async function prepareTopics<V, R, K, RK>(admin: KafkaAdmin, options: CompleteKafkaJob<V, R, K, RK>): Promise<void> {
  const { name, topics, changelogReplicas } = options
  for (const topic of topics) {
    const partitions = await admin.partitions(topic)
    if (partitions === 0) throw new KafkaError('ERR_KAFKA_TOPIC', `the topic ${topic} is not there: create it first`)
    const changelog = changelogOf(name, topic)
    const config = { 'cleanup.policy': 'compact', 'min.cleanable.dirty.ratio': '0.3' }
    const replicas = changelogReplicas === undefined ? {} : { replicas: changelogReplicas }
    await admin.create([{ topic: changelog, partitions, config, ...replicas }])
    const has = await admin.partitions(changelog)
    if (has < partitions) {
      throw new KafkaError(
        'ERR_KAFKA_TOPIC',
        `${changelog} has ${has} partitions, and ${topic} has ${partitions}: state of keys cannot follow them. Give the job ` +
          'another name to begin anew.',
      )
    }
  }
}
