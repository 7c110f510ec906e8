/** The process of one job: it loads the job's module, runs it, and does what its node asks for. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import { JobError, JobNodeError, RxjsPythonError } from '../errors'
import { type Job, runJob } from '../jobs'
import { type AnyJob, defineJob, type JobModule, type NodeContext } from './definition'
import type { FromWorker, ToWorker, WorkerOrder, WorkerTask } from './messages'
import { isShared, type Running } from './shared'

/** Milliseconds that the process of a node before may take to leave the job's store. */
const STORE_PATIENCE = 10_000

/** Runs in a process that a node has forked; ends with that process. */
export function workAsJob(): void {
  if (process.send === undefined) {
    throw new JobNodeError(
      'ERR_JOB_NODE_REQUEST',
      'this is what a node starts for a job: `rxjs-python submit` is for people',
    )
  }
  // Without its node a job has nobody who could suspend or cancel it; its next node starts it from its last checkpoint.
  process.on('disconnect', () => process.exit(1))
  // Signals from a terminal go to the whole group: the node decides what becomes of its jobs.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
  const worker = new Worker()
  process.on('uncaughtException', (error) => void worker.fail(error))
  process.on('message', (message: ToWorker) => {
    if (message.kind === 'task') worker.begin(message.task).catch((error) => worker.fail(error))
    else void worker.obey(message.id, message.order)
  })
  void tell({ kind: 'ready' })
}

class Worker {
  private job: Running | undefined
  private readonly closers: (() => void | Promise<void>)[] = []
  private leaving = false

  async begin(task: WorkerTask): Promise<void> {
    const module = await load(task.file)
    mkdirSync(join(task.folder, 'files'), { recursive: true })
    const context: NodeContext = {
      name: task.name,
      folder: join(task.folder, 'files'),
      args: task.args,
      publish: (topic, value) => tell({ kind: 'topic', topic, value: String(value) }),
      onClose: (close) => void this.closers.push(close),
    }
    const job = await start(typeof module === 'function' ? await module(context) : module, task)
    this.job = job
    job.done.then(
      () => this.leave({ kind: 'completed' }, 0),
      (error) => this.fail(error),
    )
    await tell({ kind: 'started' })
  }

  async fail(error: unknown): Promise<void> {
    console.error(error)
    await this.leave({ kind: 'failed', why: textOf(error) }, 1)
  }

  async obey(id: number, order: WorkerOrder): Promise<void> {
    try {
      const { job } = this
      if (job === undefined && order !== 'cancel' && order !== 'stop') throw new Error('the job has not started yet')
      if (order === 'cancel' || order === 'stop') {
        this.leaving = true
        if (order === 'stop') await job?.suspend()
        await job?.cancel()
        await this.close()
      } else if (order !== 'status') await job?.[order]()
      await tell({ kind: 'answer', id, ...(job && { status: { state: job.state, epoch: job.epoch } }) })
    } catch (error) {
      await tell({ kind: 'answer', id, problem: textOf(error) })
    }
    if (this.leaving && (order === 'cancel' || order === 'stop')) process.exit(0)
  }

  private async leave(last: FromWorker, status: number): Promise<void> {
    if (this.leaving) return
    this.leaving = true
    await this.close().catch((error) => console.error(error))
    await tell(last)
    process.exit(status)
  }

  private async close(): Promise<void> {
    for (const close of this.closers.splice(0).reverse()) await close()
  }
}

function start(definition: AnyJob, { name, folder }: WorkerTask): Promise<Running> {
  const store = join(folder, 'checkpoints')
  if (isShared(definition)) return definition.join(name, store)
  const { every, ...options } = definition
  return patiently(() => runJob({ ...options, name, checkpoint: { store, every } }))
}

async function load(file: string): Promise<JobModule> {
  // A CommonJS module that was compiled from an ES module has its default inside of the default.
  const { default: outer } = (await import(pathToFileURL(file).href)) as { default?: unknown }
  const inner = (outer as { default?: unknown } | undefined)?.default ?? outer
  if (inner === undefined)
    throw new JobNodeError('ERR_JOB_NODE_START', `${file} has no default export: a job's module has one`)
  return defineJob(inner as JobModule)
}

/** The process that ran the job for a node before may still be on its way out. */
async function patiently(start: () => Promise<Job>): Promise<Job> {
  for (const end = Date.now() + STORE_PATIENCE; ; ) {
    try {
      return await start()
    } catch (error) {
      if (!(error instanceof JobError) || error.code !== 'ERR_JOB_RUNNING' || Date.now() > end) throw error
      await sleep(100)
    }
  }
}

function textOf(error: unknown): string {
  if (error instanceof RxjsPythonError) return `${error} [${error.code}]`
  return error instanceof Error ? (error.stack ?? String(error)) : inspect(error)
}

/** Resolves when it is on its way; a node that is gone hears nothing more. */
function tell(message: FromWorker): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send!(message, () => resolve())
    else resolve()
  })
}
