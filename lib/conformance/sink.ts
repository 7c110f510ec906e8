import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { deserialize, serialize } from 'node:v8'
import { runJob } from '../jobs/job'
import type { Sink } from '../jobs/sinks'
import { replay } from '../jobs/sources'
import { type Check, type ConformanceOptions, type Disposes, declare, within } from './runner'

/** A sink and its outside, made for one test. */
export interface SinkSubject<T> extends Disposes {
  /** A sink to the outside; each call is as another process that starts. */
  open(): Promise<Sink<T>> | Sink<T>
  /** Item number `at`: each another one. */
  item(at: number): T
  /** What a reader sees outside at this moment. */
  contents(): Promise<readonly T[]> | readonly T[]
  /** Whether it keeps the order of items. Default true. */
  ordered?: boolean
  /**
   * `'exactly-once'`: whatever happens, each result is seen once. `'at-least-once'`: results of epochs that a crash has taken back may
   * be seen twice.
   */
  guarantee: 'exactly-once' | 'at-least-once'
  /** Kills the server that is outside, and starts it again. */
  interrupt?(): Promise<void>
}

const COUNT = 100

/** What `runJob` asks of a sink, as tests; see `sourceConformance`. */
export function sinkConformance<T>(
  title: string,
  setup: () => Promise<SinkSubject<T>> | SinkSubject<T>,
  options: ConformanceOptions & { interrupts?: boolean } = {},
): void {
  const { interrupts = false, ...rest } = options
  const checks: (readonly [string, Check<SinkSubject<T>>])[] = [
    ['shows what was committed, in its order, epoch after epoch', shows],
    ['gives prepare() something that can be saved', saves],
    ['takes what comes while an epoch is made safe as part of the next one', separates],
    ['shows an epoch whose checkpoint is safe, also where its commit was cut off', recovers],
    ['takes back what came after the last checkpoint', takesBack],
    ['can be closed more than once, and be opened after that', closes],
    ['has every result of a job that is stopped anywhere and started again', inJob],
  ]
  if (interrupts) checks.push(['has every result while the server is killed and comes back', survives])
  declare(`the sink ${title}`, setup, checks, rest)
}

/** A sink that is driven as `runJob` does it. */
class Driver<T> {
  private epoch: number

  private constructor(
    private readonly sink: Sink<T>,
    private readonly patience: number,
    epoch: number,
  ) {
    this.epoch = epoch
  }

  static async open<T>(subject: SinkSubject<T>, patience: number, saved?: unknown, epoch = 0): Promise<Driver<T>> {
    const sink = await subject.open()
    const stays = new AbortController().signal
    await within(patience, 'opening', Promise.resolve(sink.open(saved, stays)))
    return new Driver(sink, patience, epoch)
  }

  async write(items: readonly T[]): Promise<void> {
    for (const item of items) await within(this.patience, 'writing', Promise.resolve(this.sink.write(item)))
  }

  /** What a checkpoint keeps, as it comes back from there. */
  async prepare(): Promise<unknown> {
    this.epoch++
    return copyOf(await within(this.patience, 'prepare()', this.sink.prepare(this.epoch)))
  }

  async commit(): Promise<void> {
    await within(this.patience, 'commit()', this.sink.commit(this.epoch))
  }

  async epochOf(items: readonly T[]): Promise<unknown> {
    await this.write(items)
    const saved = await this.prepare()
    await this.commit()
    return saved
  }

  async close(): Promise<void> {
    await within(this.patience, 'closing', Promise.resolve(this.sink.close()))
  }
}

function copyOf(saved: unknown): unknown {
  return deserialize(serialize(saved ?? null)) ?? null
}

function itemsOf<T>({ item }: { item(at: number): T }, count: number, from = 0): T[] {
  return Array.from({ length: count }, (_, at) => item(from + at))
}

/** Whether a reader sees the items: once each where the sink promises that, and wherever nothing was taken back. */
async function demand<T>(subject: SinkSubject<T>, expected: readonly T[], once: boolean): Promise<void> {
  const texts = (items: readonly T[]) => items.map((item) => JSON.stringify(item))
  const seen = texts(await subject.contents())
  const wanted = texts(expected)
  if (!once) assert.deepEqual([...new Set(seen)].sort(), wanted.sort())
  else if (subject.ordered === false) assert.deepEqual(seen.sort(), wanted.sort())
  else assert.deepEqual(seen, wanted)
}

function exactly(subject: SinkSubject<unknown>): boolean {
  return subject.guarantee === 'exactly-once'
}

const shows: Check<SinkSubject<unknown>> = async (subject, patience) => {
  const driver = await Driver.open(subject, patience)
  // The job's first epoch is empty.
  await driver.epochOf([])
  for (let epoch = 0; epoch < 3; epoch++) {
    await driver.epochOf(itemsOf(subject, COUNT, epoch * COUNT))
    await demand(subject, itemsOf(subject, (epoch + 1) * COUNT), true)
  }
  await driver.epochOf([])
  await driver.close()
  await demand(subject, itemsOf(subject, 3 * COUNT), true)
}

const saves: Check<SinkSubject<unknown>> = async (subject, patience) => {
  const driver = await Driver.open(subject, patience)
  const saved = await driver.epochOf(itemsOf(subject, COUNT))
  await driver.close()
  const next = await Driver.open(subject, patience, saved, 1)
  await next.epochOf(itemsOf(subject, COUNT, COUNT))
  await next.close()
  await demand(subject, itemsOf(subject, 2 * COUNT), true)
}

const separates: Check<SinkSubject<unknown>> = async (subject, patience) => {
  const driver = await Driver.open(subject, patience)
  await driver.write(itemsOf(subject, COUNT))
  const preparing = driver.prepare()
  const writing = driver.write(itemsOf(subject, COUNT, COUNT))
  const saved = await preparing
  await writing
  await driver.commit()
  await driver.close()
  // The second half was never prepared: who starts again writes it again.
  const next = await Driver.open(subject, patience, saved, 1)
  await next.epochOf(itemsOf(subject, COUNT, COUNT))
  await next.close()
  await demand(subject, itemsOf(subject, 2 * COUNT), exactly(subject))
}

const recovers: Check<SinkSubject<unknown>> = async (subject, patience) => {
  const driver = await Driver.open(subject, patience)
  await driver.epochOf(itemsOf(subject, COUNT))
  await driver.write(itemsOf(subject, COUNT, COUNT))
  const saved = await driver.prepare()
  await driver.close()
  const next = await Driver.open(subject, patience, saved, 2)
  await next.epochOf([])
  await next.close()
  await demand(subject, itemsOf(subject, 2 * COUNT), exactly(subject))
}

const takesBack: Check<SinkSubject<unknown>> = async (subject, patience) => {
  const driver = await Driver.open(subject, patience)
  const saved = await driver.epochOf(itemsOf(subject, COUNT))
  await driver.write(itemsOf(subject, COUNT, COUNT))
  // Made safe, but the checkpoint that knows of it never was.
  await driver.prepare()
  await driver.write(itemsOf(subject, COUNT, 2 * COUNT))
  await driver.close()
  const next = await Driver.open(subject, patience, saved, 1)
  if (exactly(subject)) await demand(subject, itemsOf(subject, COUNT), true)
  await next.epochOf(itemsOf(subject, 2 * COUNT, COUNT))
  await next.close()
  await demand(subject, itemsOf(subject, 3 * COUNT), exactly(subject))
}

const closes: Check<SinkSubject<unknown>> = async (subject, patience) => {
  const sink = await subject.open()
  await sink.close()
  for (const from of [0, COUNT]) {
    await within(patience, 'opening', Promise.resolve(sink.open(undefined)))
    for (const item of itemsOf(subject, COUNT, from)) await sink.write(item)
    await within(patience, 'prepare()', sink.prepare(1))
    await within(patience, 'commit()', sink.commit(1))
    await sink.close()
    await sink.close()
  }
  await demand(subject, itemsOf(subject, 2 * COUNT), true)
}

/** A source that a job has to stay with for some epochs. */
function slowly<T>(items: readonly T[]) {
  return replay(async function* () {
    for (let at = 0; at < items.length; at++) {
      if (at % 25 === 0) await sleep(1)
      yield items[at]!
    }
  })
}

const inJob: Check<SinkSubject<unknown>> = async (subject, patience) => {
  const expected = itemsOf(subject, 20 * COUNT)
  const store = await mkdtemp(join(tmpdir(), 'rxjs-python-conformance-'))
  const until = performance.now() + patience
  try {
    for (let run = 1; ; run++) {
      assert.ok(performance.now() < until, `the job is not through after ${run} starts`)
      const job = await runJob({
        name: 'conformance',
        pipeline: (context) => context.source('items', slowly(expected)),
        sink: await subject.open(),
        checkpoint: { store, every: 5 },
      })
      // Longer from run to run, so that an outside that is slow to begin with comes to its end, too.
      await Promise.race([sleep(run < 6 ? 9 * run : 300 * Math.max(1, run - 10)), job.done])
      await job.cancel()
      await job.done
      if (job.state === 'completed') break
    }
  } finally {
    await rm(store, { recursive: true, force: true })
  }
  await demand(subject, expected, exactly(subject))
}

const survives: Check<SinkSubject<unknown>> = async (subject, patience) => {
  assert.ok(subject.interrupt, 'the set-up has no interrupt()')
  const expected = itemsOf(subject, 20 * COUNT)
  const driver = await Driver.open(subject, patience)
  let interrupted: Promise<void> | undefined
  for (let at = 0; at < expected.length; at += COUNT) {
    if (at === 10 * COUNT) interrupted = subject.interrupt()
    await driver.epochOf(expected.slice(at, at + COUNT))
  }
  await interrupted
  await driver.close()
  await demand(subject, expected, exactly(subject))
}
