import { join } from 'node:path'
import { JobNodeError } from '../errors'
import { JobChild } from './child'
import type { JobLog } from './log'
import type { FromWorker } from './messages'
import { markOf } from './processes'
import type { JobRecord } from './records'

/** `waiting`: it failed, and starts again after a pause. */
export type HostedState = 'starting' | 'running' | 'suspended' | 'waiting' | 'completed' | 'failed'

export interface HostedOptions {
  /** The job's own folder. */
  folder: string
  log: JobLog
  /** Failures in a row after which a job is given up. */
  restarts: number
  /** Milliseconds that a job may take for what it is asked to do. */
  patience: number
  save(record: JobRecord): Promise<void>
  publish(topic: string, job: string, value: string): void
}

/** Milliseconds before the first restart; each one after it waits twice as long, up to `LONGEST_PAUSE`. */
const PAUSE = 500
const LONGEST_PAUSE = 30_000
/** A job that has run for so long starts counting its failures anew. */
const STEADY = 60_000
/** A job that fails within this time after its start has failed at once. */
const AT_ONCE = 300

/** A job of a node: its process, and what becomes of it. Requests are carried out one after the other. */
export class HostedJob {
  state: HostedState
  restarts = 0
  private child: JobChild | undefined
  private failures = 0
  private why: string | undefined
  private since = 0
  private timer: NodeJS.Timeout | undefined
  private leaving = false
  private queue: Promise<unknown> = Promise.resolve()
  private readonly watchers = new Set<() => void>()

  constructor(
    readonly record: JobRecord,
    private readonly options: HostedOptions,
  ) {
    this.state = record.ended?.state ?? (record.wanted === 'suspended' ? 'suspended' : 'starting')
    this.why = record.ended?.why
  }

  get over(): boolean {
    return this.record.ended !== undefined
  }

  get problem(): string | undefined {
    return this.why
  }

  /** Starts its process, unless it has ended or is to rest. */
  begin(): void {
    if (this.over || this.leaving || this.record.wanted === 'suspended') return
    this.state = 'starting'
    this.since = Date.now()
    const { record, options } = this
    const { name, file, args } = record
    const child = new JobChild(
      { name, file, args, folder: options.folder },
      record.cwd,
      (stream) => options.log.drain(stream),
      {
        message: (message) => this.heard(message),
        gone: (how) => {
          if (this.child === child) this.child = undefined
          this.gone(how)
        },
      },
    )
    this.child = child
    record.worker = child.pid === undefined ? undefined : markOf(child.pid)
    void this.save()
  }

  /**
   * Resolves when the job runs and has not failed within a moment.
   *
   * @throws JobNodeError with what it failed of
   */
  async settled(): Promise<void> {
    await this.when(() => this.state !== 'starting')
    if (this.state === 'running') {
      let timer: NodeJS.Timeout | undefined
      const moment = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, AT_ONCE)
      })
      await Promise.race([moment, this.when(() => this.state !== 'running')])
      clearTimeout(timer)
    }
    if (this.state === 'waiting' || this.state === 'failed') {
      throw new JobNodeError('ERR_JOB_NODE_START', `job '${this.record.name}' failed as it started: ${this.why}`)
    }
  }

  suspend(): Promise<void> {
    return this.exclusive(async () => {
      this.demandGoing('suspend')
      if (this.record.wanted === 'suspended') return
      if (this.state === 'running') await this.child?.ask('suspend', this.options.patience)
      else await this.rest()
      this.record.wanted = 'suspended'
      this.become('suspended')
      await this.save()
    })
  }

  resume(): Promise<void> {
    return this.exclusive(async () => {
      this.demandGoing('resume')
      if (this.record.wanted === 'running') return
      this.record.wanted = 'running'
      await this.save()
      if (this.child === undefined) this.begin()
      else {
        await this.child.ask('resume', this.options.patience)
        this.become('running')
      }
    })
  }

  /** Ends its process, by force where it does not answer; what came after the last checkpoint is not delivered. */
  cancel(): Promise<void> {
    this.leaving = true
    clearTimeout(this.timer)
    return this.exclusive(() => this.end('cancel'))
  }

  /** Takes a checkpoint and ends its process; a next node goes on with it. */
  stop(): Promise<void> {
    this.leaving = true
    clearTimeout(this.timer)
    return this.exclusive(() => this.end('stop'))
  }

  /** The last safe epoch, where its process says so. */
  async epoch(): Promise<number | undefined> {
    const status = await this.child?.ask('status', 1000).catch(() => undefined)
    return status?.epoch
  }

  private async end(order: 'cancel' | 'stop'): Promise<void> {
    const { child } = this
    if (child === undefined) return
    await child.ask(order, this.options.patience).catch((error) => this.note(`${order}: ${(error as Error).message}`))
    const timer = setTimeout(() => child.kill(), this.options.patience)
    await child.exited
    clearTimeout(timer)
  }

  /** Before its process has got anywhere: without it until it is resumed. */
  private async rest(): Promise<void> {
    clearTimeout(this.timer)
    this.record.wanted = 'suspended'
    this.child?.kill()
    await this.child?.exited
  }

  private heard(message: FromWorker): void {
    if (message.kind === 'topic') this.options.publish(message.topic, this.record.name, message.value)
    else if (message.kind === 'started') this.become('running')
    else if (message.kind === 'failed') this.why = message.why
    else if (message.kind === 'completed') {
      this.record.ended = { state: 'completed' }
      this.become('completed')
      void this.save()
    }
  }

  private gone(how: string): void {
    this.record.worker = undefined
    if (this.leaving || this.over || this.record.wanted === 'suspended') return
    const steady = this.state === 'running' && Date.now() - this.since >= STEADY
    this.failures = steady ? 1 : this.failures + 1
    this.why ??= `its process ${how}`
    if (this.failures > this.options.restarts) {
      this.note(`the job is given up: ${this.failures} failures in a row, the last one: ${firstLine(this.why)}`)
      this.record.ended = { state: 'failed', why: this.why }
      this.become('failed')
      void this.save()
      return
    }
    const pause = Math.min(LONGEST_PAUSE, PAUSE * 2 ** (this.failures - 1))
    this.note(`the job failed: ${firstLine(this.why)}; it starts again in ${pause / 1000} s`)
    this.become('waiting')
    this.timer = setTimeout(() => {
      this.restarts++
      this.why = undefined
      this.begin()
    }, pause)
  }

  private demandGoing(what: string): void {
    if (!this.over) return
    const { name, ended } = this.record
    throw new JobNodeError('ERR_JOB_NODE_JOB', `job '${name}' has ${ended!.state}: ${what} is of no use any more`)
  }

  private become(state: HostedState): void {
    this.state = state
    for (const watcher of [...this.watchers]) watcher()
  }

  private when(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!condition()) return
        this.watchers.delete(look)
        resolve()
      }
      this.watchers.add(look)
      look()
    })
  }

  private note(text: string): void {
    void this.options.log.write([`node: ${text}`])
  }

  private save(): Promise<void> {
    return this.options.save(this.record)
  }

  private exclusive<R>(act: () => Promise<R>): Promise<R> {
    const result = this.queue.then(act)
    this.queue = result.catch(() => {})
    return result
  }
}

export function logOf(folder: string): string {
  return join(folder, 'log')
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0]!
}
