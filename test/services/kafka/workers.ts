import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { EmbeddedKafka } from '../../../lib/testing/embeddedKafka'

/** What a worker is told; see worker.mjs. */
export interface WorkerOptions {
  main: string
  name: string
  brokers: string
  input: string
  output: string
  store: string
  every?: number
  python?: string
  handlers?: readonly string[]
  session?: number
  instance?: string
  readAhead?: { records?: number; bytes?: number }
  pipeline: {
    name: 'count' | 'state' | 'model' | 'copy' | 'alone'
    handler?: string
    init?: string
    records?: number
    pool?: object
  }
}

export interface Said {
  kind: string
  at?: number
  done?: number
  rss?: number
  error?: string
  partition?: number
  milliseconds?: number
  restored?: number
  reused?: boolean
  info?: { partitions: { partition: number; state: string; epoch: number }[] }
}

/** A process that runs worker.mjs. */
export class Worker {
  readonly said: Said[] = []
  status: Said | undefined
  private readonly child: ChildProcess
  private readonly over: Promise<unknown>
  private errors = ''

  constructor(
    options: WorkerOptions,
    env: Readonly<Record<string, string>> = {},
    /** What goes before the command, such as a network namespace to run it in. */
    prefix: readonly string[] = [],
  ) {
    const command = [
      ...prefix,
      process.execPath,
      '--import=tsx',
      join(__dirname, 'worker.mjs'),
      JSON.stringify(options),
    ]
    this.child = spawn(command[0]!, command.slice(1), {
      cwd: join(__dirname, '..', '..', '..'),
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.over = once(this.child, 'close')
    createInterface({ input: this.child.stdout! }).on('line', (line) => {
      const what = JSON.parse(line) as Said
      if (what.kind === 'status') this.status = what
      else this.said.push(what)
    })
    this.child.stderr!.on('data', (data: Buffer) => {
      this.errors = (this.errors + data).slice(-4000)
    })
    this.child.stdin!.on('error', () => {})
  }

  get pid(): number {
    return this.child.pid!
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null
  }

  /** Waits until it has said something of this kind, `count` times. */
  async heard(kind: string, count = 1, patience = 60_000): Promise<Said> {
    const end = Date.now() + patience
    for (;;) {
      const found = this.said.filter((one) => one.kind === kind)
      if (found.length >= count) return found[count - 1]!
      const failed = this.said.find((one) => one.kind === 'failed')
      if (!this.running || failed !== undefined || Date.now() > end) {
        throw new Error(
          `the worker has not said ${kind}: ${failed?.error ?? ''}\n${JSON.stringify(this.said)}\n${this.errors}`,
        )
      }
      await sleep(20)
    }
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL')
    await this.over
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  /** Asks it to hand over and leave. */
  async stop(): Promise<void> {
    this.child.stdin!.end()
    const late = setTimeout(() => this.child.kill('SIGKILL'), 90_000)
    await this.over
    clearTimeout(late)
    if (!this.said.some(({ kind }) => kind === 'stopped')) {
      throw new Error(`the worker did not stop as it should: ${JSON.stringify(this.said.slice(-3))}\n${this.errors}`)
    }
  }
}

/**
 * Waits until a topic has so many committed records, as far as the offsets say (those count transactions, too). It gives up
 * after `patience` milliseconds without a further one: how long all of them take is up to the machine.
 */
export async function untilCommitted(
  kafka: EmbeddedKafka,
  topic: string,
  count: number,
  patience: number,
): Promise<void> {
  let end = Date.now() + patience
  let most = 0
  for (;;) {
    const began = Date.now()
    let found = 0
    try {
      for await (const some of kafka.readBatches(topic)) found += some.length
    } catch (error) {
      if (Date.now() > end) throw error
    }
    if (found >= count) return
    if (found > most) end = Date.now() + patience
    most = Math.max(most, found)
    if (Date.now() > end)
      throw new Error(`${topic} has ${found} of ${count} records, and for ${patience} ms no more came`)
    // To look takes time that the workers could have.
    await sleep(Math.max(1000, 3 * (Date.now() - began)))
  }
}

/** How results differ from what they should be. */
export interface Verdict {
  records: number
  lost: number
  doubled: number
  disordered: number
}

/** Whether each key's results are those of its numbers 0, 1, 2 … `counts` of them, once each and in this order. */
export async function judge(
  kafka: EmbeddedKafka,
  topic: string,
  counts: ReadonlyMap<string, number>,
  read: (value: string) => { key: string; number: number },
): Promise<Verdict> {
  const seen = new Map<string, Set<number>>()
  const last = new Map<string, number>()
  const verdict: Verdict = { records: 0, lost: 0, doubled: 0, disordered: 0 }
  for await (const records of kafka.readBatches(topic)) {
    for (const record of records) {
      verdict.records++
      const { key, number } = read(String(record.value))
      const numbers = seen.get(key) ?? new Set()
      seen.set(key, numbers)
      if (numbers.has(number)) verdict.doubled++
      else if (number < (last.get(key) ?? -1)) verdict.disordered++
      numbers.add(number)
      last.set(key, number)
    }
  }
  for (const [key, count] of counts) verdict.lost += count - (seen.get(key)?.size ?? 0)
  return verdict
}
