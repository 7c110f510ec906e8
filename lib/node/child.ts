import { type ChildProcess, fork } from 'node:child_process'
import { JobNodeError } from '../errors'
import type { FromWorker, ToWorker, WorkerOrder, WorkerStatus, WorkerTask } from './messages'
import { execArguments, programFor } from './program'

interface Waiting {
  resolve(status: WorkerStatus | undefined): void
  reject(error: Error): void
}

export interface ChildListener {
  message(message: FromWorker): void
  /** Called once, when the process is gone and everything that it has printed was read. */
  gone(how: string): void
}

/** The process of a job, as its node sees it. */
export class JobChild {
  private readonly process: ChildProcess
  private readonly waiting = new Map<number, Waiting>()
  private count = 0
  readonly exited: Promise<void>

  constructor(
    task: WorkerTask,
    cwd: string,
    drain: (stream: NodeJS.ReadableStream) => Promise<void>,
    to: ChildListener,
  ) {
    const stdio = ['ignore' as const, 'pipe' as const, 'pipe' as const, 'ipc' as const]
    this.process = fork(programFor(task.file), ['worker'], { cwd, stdio, execArgv: execArguments() })
    const { stdout, stderr } = this.process
    const printed = Promise.all([drain(stdout!), drain(stderr!)]).catch(() => {})
    this.process.on('message', (message: FromWorker) => {
      if (message.kind === 'ready') this.send({ kind: 'task', task })
      else if (message.kind === 'answer') this.answer(message)
      else to.message(message)
    })
    this.exited = new Promise((resolve) => {
      const end = (how: string) => {
        for (const { reject } of this.waiting.values()) reject(new Error(`its process ${how}`))
        this.waiting.clear()
        printed.then(() => {
          to.gone(how)
          resolve()
        })
      }
      this.process.once('error', (error) => {
        if (this.process.pid === undefined) end(`could not be started: ${error.message}`)
      })
      this.process.once('exit', (code, signal) =>
        end(signal === null ? `ended with ${code}` : `was ended by ${signal}`),
      )
    })
  }

  get pid(): number | undefined {
    return this.process.pid
  }

  /** @throws where the job could not, its process ended, or there was no answer within `limit` milliseconds */
  ask(order: WorkerOrder, limit: number): Promise<WorkerStatus | undefined> {
    const id = ++this.count
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(id)
        reject(
          new JobNodeError('ERR_JOB_NODE_REQUEST', `the job did not answer to '${order}' within ${limit / 1000} s`),
        )
      }, limit)
      const end = () => clearTimeout(timer)
      this.waiting.set(id, {
        resolve: (status) => {
          end()
          resolve(status)
        },
        reject: (error) => {
          end()
          reject(error)
        },
      })
      this.send({ kind: 'order', id, order })
    })
  }

  kill(): void {
    this.process.kill('SIGKILL')
  }

  private send(message: ToWorker): void {
    // A process that is on its way out hears nothing more; its exit says so.
    if (this.process.connected) this.process.send(message, () => {})
  }

  private answer({ id, status, problem }: FromWorker & { kind: 'answer' }): void {
    const waiting = this.waiting.get(id)
    this.waiting.delete(id)
    if (problem === undefined) waiting?.resolve(status)
    else waiting?.reject(new Error(problem))
  }
}
