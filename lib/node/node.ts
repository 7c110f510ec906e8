import { existsSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { JobNodeError } from '../errors'
import { HostedJob, type HostedState, logOf } from './hosted'
import { JobLog } from './log'
import { killLeftover } from './processes'
import { type JobRecord, JobRecords } from './records'

export interface JobNodeOptions {
  folder: string
  /** The most jobs that have not ended. */
  maxJobs: number
  /** Failures in a row after which a job is given up. */
  restarts: number
  /** Milliseconds that a job may take to checkpoint, to suspend or to stop. */
  patience: number
  /** What the node itself prints: its jobs' output and topics. */
  print(text: string): void
}

export interface Submission {
  readonly name: string
  readonly file: string
  readonly args: readonly string[]
  readonly cwd: string
}

/** A line of `rxjs-python list`. */
export interface JobLine {
  readonly name: string
  readonly state: HostedState
  readonly epoch: number | null
  readonly restarts: number
  readonly submitted: number
  readonly file: string
  readonly problem: string | null
}

export interface TopicValue {
  readonly topic: string
  readonly job: string
  readonly value: string
}

const NAME = /^(?!\.{1,2}$)[\w.-]{1,100}$/
const RULE = '*'.repeat(63)

/** Keeps jobs, each in a process of its own, and brings them back when it starts again. */
export class JobNode {
  private readonly jobs = new Map<string, HostedJob>()
  private readonly logs = new Map<string, JobLog>()
  private readonly records: JobRecords
  private readonly saving = new Map<string, Promise<void>>()
  private readonly listeners = new Set<(value: TopicValue) => void>()
  private stopping = false

  constructor(private readonly options: JobNodeOptions) {
    this.records = new JobRecords(options.folder)
  }

  /** Brings back the jobs of the node that was here before; ends processes that it has left behind. */
  async open(): Promise<number> {
    const records = await this.records.all()
    for (const record of records) {
      if (record.worker !== undefined) await killLeftover(record.worker)
      record.worker = undefined
      const job = this.host(record)
      this.jobs.set(record.name, job)
      job.begin()
    }
    return records.length
  }

  /** Resolves when the job runs. One that fails as it starts is not kept. */
  async submit({ name, file, args, cwd }: Submission): Promise<{ state: HostedState }> {
    if (typeof name !== 'string' || !NAME.test(name)) {
      const rule = "1 to 100 letters, digits, '.', '-' or '_'"
      throw new JobNodeError('ERR_JOB_NODE_JOB', `'${name}' cannot be the name of a job: ${rule}; --name gives another`)
    }
    if (this.stopping) throw new JobNodeError('ERR_JOB_NODE_FULL', 'the node is stopping and takes no further job')
    if (typeof file !== 'string' || !isAbsolute(file) || !existsSync(file)) {
      throw new JobNodeError('ERR_JOB_NODE_START', `there is no file ${file}`)
    }
    const there = this.jobs.get(name)
    if (there !== undefined) {
      const advice = `\`rxjs-python cancel ${name}\` removes it, --name gives this one another name`
      throw new JobNodeError('ERR_JOB_NODE_JOB', `a job '${name}' is there already (${there.state}): ${advice}`)
    }
    const going = [...this.jobs.values()].filter(({ over }) => !over).length
    if (going >= this.options.maxJobs) {
      throw new JobNodeError(
        'ERR_JOB_NODE_FULL',
        `the node is full: it has ${going} ${going === 1 ? 'job' : 'jobs'} and takes no more than ${this.options.maxJobs}; ` +
          'cancel one, or start the node with a higher --max-jobs',
      )
    }
    const job = this.host({ name, file, args, cwd, submitted: Date.now(), wanted: 'running' })
    this.jobs.set(name, job)
    try {
      await this.save(job.record)
      job.begin()
      await job.settled()
      return { state: job.state }
    } catch (error) {
      await this.remove(job, true)
      throw error
    }
  }

  async list(): Promise<JobLine[]> {
    return await Promise.all(
      Array.from(this.jobs.values(), async (job) => ({
        name: job.record.name,
        state: job.state,
        epoch: (await job.epoch()) ?? null,
        restarts: job.restarts,
        submitted: job.record.submitted,
        file: job.record.file,
        problem: job.problem ?? null,
      })),
    )
  }

  suspend(name: string): Promise<void> {
    return this.find(name).suspend()
  }

  resume(name: string): Promise<void> {
    return this.find(name).resume()
  }

  /** Ends a job and forgets it; with `keep` its checkpoints stay for the next one of that name. */
  async cancel(name: string, keep: boolean): Promise<void> {
    await this.remove(this.find(name), keep)
  }

  logOf(name: string): JobLog {
    this.find(name)
    return this.log(name)
  }

  /** Hears what jobs publish from now on; returns what ends that. */
  listen(listener: (value: TopicValue) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  /** Jobs that should run and do not, with what keeps them: none means that the node is ready. */
  troubles(): string[] {
    return [...this.jobs.values()]
      .filter(({ state }) => state === 'starting' || state === 'waiting' || state === 'failed')
      .map(({ record, state }) => `${record.name}: ${state}`)
  }

  /** Each job takes a checkpoint and ends; the next node goes on with them. */
  async close(): Promise<void> {
    this.stopping = true
    await Promise.all(Array.from(this.jobs.values(), (job) => job.stop()))
    await Promise.all(this.saving.values())
  }

  private find(name: string): HostedJob {
    const job = this.jobs.get(name)
    if (job !== undefined) return job
    const names = [...this.jobs.keys()]
    const known =
      names.length === 0 ? 'there are none' : `there ${names.length === 1 ? 'is' : 'are'} ${names.join(', ')}`
    throw new JobNodeError('ERR_JOB_NODE_JOB', `the node has no job '${name}': ${known}`)
  }

  private async remove(job: HostedJob, keep: boolean): Promise<void> {
    await job.cancel()
    const { name } = job.record
    await this.saving.get(name)
    this.jobs.delete(name)
    this.logs.delete(name)
    this.saving.delete(name)
    await this.records.remove(name, keep)
  }

  private host(record: JobRecord): HostedJob {
    const { restarts, patience } = this.options
    return new HostedJob(record, {
      folder: this.records.folderOf(record.name),
      log: this.log(record.name),
      restarts,
      patience,
      save: () => this.save(record),
      publish: (topic, job, value) => this.publish({ topic, job, value }),
    })
  }

  private log(name: string): JobLog {
    let log = this.logs.get(name)
    if (log === undefined) {
      log = new JobLog(logOf(this.records.folderOf(name)), (line) => this.options.print(`[${name}] ${line}`))
      this.logs.set(name, log)
    }
    return log
  }

  private publish(value: TopicValue): void {
    const { topic, job, value: text } = value
    this.options.print(`${RULE}\nTopic '${topic}' : Job '${job}' : Value '${text}'\n${RULE}`)
    for (const listener of this.listeners) listener(value)
  }

  /** One write of a record after the other. */
  private save(record: JobRecord): Promise<void> {
    const before = this.saving.get(record.name) ?? Promise.resolve()
    const saved = before.catch(() => {}).then(() => this.records.save(record))
    this.saving.set(record.name, saved)
    saved.catch((error) => this.options.print(`the record of job '${record.name}' could not be written: ${error}`))
    return saved
  }
}
