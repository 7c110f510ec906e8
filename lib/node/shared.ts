import { type KafkaJob, type KafkaJobOptions, runKafkaJob } from '../connectors/kafka'
import type { Job } from '../jobs'

/** What a node asks of a job that runs, whichever kind it is. */
export type Running = Pick<Job, 'state' | 'epoch' | 'done' | 'suspend' | 'resume' | 'cancel'>

/** What `runKafkaJob` takes, but for the name and the checkpoints, which the node sees to. */
export interface KafkaJobDefinition<V, R, K, RK> extends Omit<KafkaJobOptions<V, R, K, RK>, 'name' | 'checkpoint'> {
  /** Milliseconds from one transaction to the next (default 500). */
  every?: number
}

/** A job that several nodes share. */
export interface SharedJob {
  /** Becomes one of those who work on the job of this name; `folder` is for local copies of its state. */
  join(name: string, folder: string): Promise<Running>
}

/**
 * A job from Kafka to Kafka: submitted under one name to several nodes, it is one job, whose partitions they share. A node that is
 * killed, stopped, or suspends it leaves its partitions, with their state, to the others.
 */
export function kafkaJob<V = unknown, R = unknown, K = string, RK = string>(
  definition: KafkaJobDefinition<V, R, K, RK>,
): SharedJob {
  const { every, ...options } = definition ?? {}
  return {
    async join(name, folder) {
      const checkpoint = { store: folder, ...(every === undefined ? {} : { every }) }
      const part = new KafkaPart(() => runKafkaJob<V, R, K, RK>({ ...options, name, checkpoint }))
      await part.resume()
      return part
    },
  }
}

export function isShared(job: object): job is SharedJob {
  return typeof (job as SharedJob).join === 'function'
}

/** This node's part in such a job: to rest is to leave the group, to go on is to join it again. */
class KafkaPart implements Running {
  state: Job['state'] = 'suspended'
  readonly done: Promise<void>
  private job: KafkaJob | undefined
  private ended = { resolve: () => {}, reject: (_error: unknown) => {} }

  constructor(private readonly start: () => Promise<KafkaJob>) {
    this.done = new Promise((resolve, reject) => {
      this.ended = { resolve, reject }
    })
    // Until somebody looks at it.
    this.done.catch(() => {})
  }

  /** The highest of its partitions' epochs: each partition has its own. */
  get epoch(): number {
    return Math.max(0, ...(this.job?.info().partitions ?? []).map(({ epoch }) => epoch))
  }

  async resume(): Promise<void> {
    if (this.state !== 'suspended') return
    this.job = await this.start()
    this.state = 'running'
    this.job.done.catch((error) => {
      this.state = 'failed'
      this.ended.reject(error)
    })
  }

  async suspend(): Promise<void> {
    if (this.state !== 'running') return
    await this.job!.stop()
    this.state = 'suspended'
  }

  /** What is under way is committed: other nodes go on behind it. */
  async cancel(): Promise<void> {
    await this.suspend()
    this.state = 'cancelled'
    this.ended.resolve()
  }
}
