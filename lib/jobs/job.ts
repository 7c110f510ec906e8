import { JobError } from '../errors'
import { StreamChecker } from '../streams/check'
import { type CompleteJobOptions, checkName, type JobOptions, validateJob } from './options'
import { Run, type RunListener } from './run'
import { type Checkpoint, JobStore } from './store'

export type JobState = 'running' | 'suspended' | 'completed' | 'failed' | 'cancelled'

/** A job that `runJob` has started. Calls are carried out one after the other. */
export interface Job {
  readonly name: string
  readonly state: JobState
  /** The last checkpoint that is safe. */
  readonly epoch: number
  /** Resolves when the job has completed or was cancelled; rejects when it failed. */
  readonly done: Promise<void>
  /** Takes a checkpoint now; resolves with its epoch when it is safe. */
  checkpoint(): Promise<number>
  /** Takes a checkpoint and rests: sources are not pulled, state stays in memory. */
  suspend(): Promise<void>
  resume(): Promise<void>
  /** Stops at once. What came after the last checkpoint is not delivered; `runJob` goes on from there. */
  cancel(): Promise<void>
  /** Takes a checkpoint and keeps it under a name, also when the job goes on. */
  snapshot(name: string): Promise<void>
  snapshots(): Promise<string[]>
  /** False where there is no snapshot of that name. */
  dropSnapshot(name: string): Promise<boolean>
  /** Starts the pipeline anew, from the last checkpoint or from a snapshot. */
  restart(options?: { snapshot?: string }): Promise<void>
}

/**
 * Runs a stream as a job: its state is saved at each epoch, and a start after a crash goes on from the last one, with each
 * result in the sink exactly once. Resolves when everything is back as it was and the job runs.
 *
 * @throws JobError where the job is running already, or what was saved does not fit
 */
export async function runJob<T>(options: JobOptions<T>): Promise<Job> {
  const complete = validateJob(options)
  return runIn(complete, new JobStore(complete.store, complete.name))
}

/** Runs a job whose checkpoints are in a store that is there already; the job closes it. */
export async function runIn<T>(options: CompleteJobOptions<T>, store: JobStore): Promise<Job> {
  const job = new RunningJob(options, store)
  await job.start()
  return job
}

class RunningJob<T> implements Job, RunListener {
  readonly name: string
  readonly done: Promise<void>
  state: JobState = 'running'
  epoch = 0
  private run: Run<T> | undefined
  private stopping = new AbortController()
  private hurrying = false
  private timer: NodeJS.Timeout | undefined
  private closing: Promise<void> | undefined
  private queue: Promise<unknown> = Promise.resolve()
  private ended = { resolve: () => {}, reject: (_error: unknown) => {} }

  constructor(
    private readonly options: CompleteJobOptions<T>,
    private readonly store: JobStore,
  ) {
    this.name = options.name
    this.done = new Promise((resolve, reject) => {
      this.ended = { resolve, reject }
    })
  }

  async start(): Promise<void> {
    const { from } = this.options
    try {
      await this.exclusive('start', async () => {
        if (from !== undefined && this.store.checkpoint()?.from !== from) await this.rewind(from)
        await this.begin(this.store.checkpoint())
      })
    } catch (error) {
      // Whoever started it is told by this call.
      this.done.catch(() => {})
      await this.fail(error)
      throw error
    }
  }

  checkpoint(): Promise<number> {
    return this.exclusive('checkpoint', async () => {
      if (this.state === 'running') await this.epochOf(false)
      return this.epoch
    })
  }

  suspend(): Promise<void> {
    return this.exclusive('suspend', async () => {
      if (this.state !== 'running') return
      this.stopTimer()
      await this.epochOf(true)
      if (this.state === 'running') this.state = 'suspended'
    })
  }

  resume(): Promise<void> {
    return this.exclusive('resume', async () => {
      if (this.state !== 'suspended') return
      this.state = 'running'
      this.run?.open()
      this.schedule()
    })
  }

  async cancel(): Promise<void> {
    if (!this.leave('cancelled')) return
    await this.queue
    await this.close()
    this.ended.resolve()
  }

  snapshot(name: string): Promise<void> {
    const check = new StreamChecker('job.snapshot', undefined, [])
    checkName(check, 'name', name)
    check.done()
    return this.exclusive('snapshot', async () => {
      if (this.state === 'running') await this.epochOf(false)
      await this.store.keep(name)
    })
  }

  snapshots(): Promise<string[]> {
    return this.exclusive('snapshots', async () => this.store.snapshots())
  }

  dropSnapshot(name: string): Promise<boolean> {
    return this.exclusive('dropSnapshot', () => this.store.drop(name))
  }

  restart(options: { snapshot?: string } = {}): Promise<void> {
    const check = new StreamChecker('job.restart', options, ['snapshot'])
    if (options.snapshot !== undefined) checkName(check, 'snapshot', options.snapshot)
    check.done()
    const { snapshot } = options
    return this.exclusive('restart', async () => {
      this.stopTimer()
      if (snapshot !== undefined) this.demandSnapshot(snapshot)
      this.stop()
      await this.run?.close()
      await this.options.sink?.close()
      this.stopping = new AbortController()
      try {
        if (snapshot !== undefined) await this.rewind(snapshot)
        this.state = 'running'
        await this.begin(this.store.checkpoint())
      } catch (error) {
        void this.fail(error)
        throw error
      }
    })
  }

  failed(error: unknown): void {
    void this.fail(error)
  }

  completed(): void {
    const { run } = this
    this.exclusive('complete', async () => {
      if (run !== this.run) return
      await this.epochOf(true)
      if (this.leave('completed')) await this.close()
      this.ended.resolve()
    }).catch((error) => this.fail(error))
  }

  commitSoon(): void {
    if (this.hurrying) return
    this.hurrying = true
    const over = () => {
      this.hurrying = false
    }
    this.exclusive('checkpoint', async () => {
      this.hurrying = false
      if (this.state === 'running') await this.epochOf(false)
    }).then(over, over)
  }

  private async begin(checkpoint: Checkpoint | undefined): Promise<void> {
    this.epoch = checkpoint?.epoch ?? 0
    if (checkpoint?.finished) {
      // The process may have died between the last checkpoint and its commit.
      await this.options.sink?.open(checkpoint.sink, this.stopping.signal)
      if (this.leave('completed')) await this.close()
      this.ended.resolve()
      return
    }
    const run = new Run(this.options, this.store, this, this.stopping.signal)
    this.run = run
    await run.start(checkpoint)
    // What Python and the sink begin with is known from now on, whenever the process dies.
    this.epoch = await run.checkpoint(false)
    this.schedule()
  }

  private async epochOf(rest: boolean): Promise<void> {
    try {
      this.epoch = await this.run!.checkpoint(rest)
    } catch (error) {
      void this.fail(error)
      throw error
    }
  }

  private schedule(): void {
    if (this.state !== 'running') return
    this.timer = setTimeout(() => {
      this.exclusive('checkpoint', async () => {
        if (this.state === 'running') await this.epochOf(false)
      }).then(
        () => this.schedule(),
        () => {},
      )
    }, this.options.every)
  }

  private stopTimer(): void {
    clearTimeout(this.timer)
  }

  private exclusive<R>(method: string, act: () => Promise<R>): Promise<R> {
    const result = this.queue.then(() => {
      if (this.state === 'running' || this.state === 'suspended') return act()
      throw new JobError('ERR_JOB_STATE', `job '${this.name}' is ${this.state}: ${method}() is of no use any more`)
    })
    this.queue = result.catch(() => {})
    return result
  }

  private demandSnapshot(snapshot: string): void {
    if (this.store.checkpoint(snapshot) !== undefined) return
    const known = this.store.snapshots()
    const list = known.length === 0 ? 'there are none' : `there are ${known.join(', ')}`
    throw new JobError('ERR_JOB_RECOVERY', `job '${this.name}' has no snapshot '${snapshot}': ${list}`)
  }

  private async rewind(snapshot: string): Promise<void> {
    this.demandSnapshot(snapshot)
    await this.store.rewind(snapshot)
  }

  /** Stops the stream and takes on a last state; false where the job has one already. */
  private leave(state: 'completed' | 'failed' | 'cancelled'): boolean {
    if (this.state !== 'running' && this.state !== 'suspended') return false
    this.state = state
    this.stopTimer()
    this.stop()
    return true
  }

  private stop(): void {
    this.stopping.abort()
    this.run?.stop()
  }

  private async fail(error: unknown): Promise<void> {
    if (!this.leave('failed')) return
    // A checkpoint that is being written comes to its end.
    await this.queue
    await this.close().catch(() => {})
    this.ended.reject(error)
  }

  private close(): Promise<void> {
    this.closing ??= (async () => {
      await this.run?.close()
      await this.options.sink?.close()
      await this.store.close()
    })()
    return this.closing
  }
}
