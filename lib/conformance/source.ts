import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { serialize } from 'node:v8'
import { runJob } from '../jobs/job'
import type { Sink } from '../jobs/sinks'
import type { Source } from '../jobs/sources'
import { type Check, type ConformanceOptions, type Disposes, declare, MOMENT, within } from './runner'

/** A source and its outside, made for one test. */
export interface SourceSubject<T, P> extends Disposes {
  /** A source over the outside; each call is as another process that starts. */
  open(): Promise<Source<T, P>> | Source<T, P>
  /** Puts items there, in this order. */
  put(items: readonly T[]): Promise<void> | void
  /** Item number `at`: each another one. */
  item(at: number): T
  /** Whether reading ends behind the last item, or waits for more. */
  ends: boolean
  /** Whether any position can be read from again (a log, a file), or only what was not committed (a queue). */
  replays: boolean
  /** Whether what a reader had and did not commit may come again in another order; default false. */
  reorders?: boolean
  /**
   * Whether a job reads each item once, however it was stopped; default true where it replays. Else: at least once.
   */
  exactlyOnce?: boolean
  /** Puts something there that the codec refuses; `letters` tells how many dead letters there have been. */
  putBad?(): Promise<void> | void
  letters?(): number
  /** Kills the server that is outside, and starts it again. */
  interrupt?(): Promise<void>
}

const COUNT = 200

/**
 * What `runJob` asks of a source, as tests: `sourceConformance('my queue', async () => ({ … }))` in a file of mocha's; for another
 * runner give its `describe` and `it`.
 */
export function sourceConformance<T, P>(
  title: string,
  setup: () => Promise<SourceSubject<T, P>> | SourceSubject<T, P>,
  options: ConformanceOptions & { interrupts?: boolean; refuses?: boolean } = {},
): void {
  const { interrupts = false, refuses = false, ...rest } = options
  const checks: (readonly [string, Check<SourceSubject<T, P>>])[] = [
    ['gives all items in their order, each with a position that can be saved', inOrder],
    ['goes on behind a position', goesOn],
    ['gives by readMany, where it has that, what it gives by read', givesMany],
    ['leaves positions as they were given', keepsPositions],
    ['ends, without an error, when its signal aborts, whatever it waits for', endsBySignal],
    ['gives nothing where its signal has aborted before', abortedBefore],
    ['takes a commit after reading has ended', commitsLate],
    ['gives what was not committed again', givesAgain],
    ['can be closed at any time, more than once, and read after that', closes],
    ['loses nothing in a job that is stopped anywhere and started again', inJob],
  ]
  if (refuses) checks.push(['passes bad records to the dead letters and goes on', deadLetters])
  if (interrupts) checks.push(['loses nothing while the server is killed and comes back', survives])
  declare(`the source ${title}`, setup, checks, rest)
}

/** Reading by hand, one item at a time. */
class Reader<T, P> {
  readonly items: T[] = []
  readonly positions: P[] = []
  private readonly over = new AbortController()
  private readonly iterator: Iterator<readonly [T, P]> | AsyncIterator<readonly [T, P]>

  constructor(
    private readonly source: Source<T, P>,
    position: P | undefined,
    private readonly patience: number,
  ) {
    // A source that lets only so much be on its way gets its commits.
    const commitSoon = () => void Promise.resolve(this.commit()).catch(() => {})
    const items = source.read(position, this.over.signal, commitSoon)
    this.iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]()
  }

  async next(): Promise<boolean> {
    const what = `item ${this.items.length}`
    const result = await within(this.patience, what, Promise.resolve(this.iterator.next()))
    if (result.done) return false
    this.items.push(result.value[0])
    this.positions.push(result.value[1])
    return true
  }

  async take(count: number): Promise<this> {
    while (this.items.length < count) assert.ok(await this.next(), `it ended after ${this.items.length} items`)
    return this
  }

  commit(): Promise<void> | void {
    const position = this.positions.at(-1)
    if (position !== undefined) return this.source.commit?.(structuredClone(position))
  }

  /** What comes from now on until the signal aborts. */
  abort(): void {
    this.over.abort()
  }

  async stop(): Promise<void> {
    this.abort()
    await within(this.patience, 'ending after the signal', Promise.resolve(this.iterator.return?.()))
  }
}

function itemsOf<T>({ item }: { item(at: number): T }, count: number, from = 0): T[] {
  return Array.from({ length: count }, (_, at) => item(from + at))
}

/** For comparing items whose order is left open. */
function keysOf(items: readonly unknown[]): string[] {
  return items.map((item) => JSON.stringify(item)).sort()
}

/** What comes behind a commit: the reader before may have had some of it already. */
function sameItems({ reorders = false }: { reorders?: boolean }, items: unknown[], expected: unknown[]): void {
  if (reorders) assert.deepEqual(keysOf(items), keysOf(expected))
  else assert.deepEqual(items, expected)
}

const inOrder: Check<SourceSubject<unknown, unknown>> = async (subject, patience) => {
  const expected = itemsOf(subject, COUNT)
  await subject.put(expected)
  const source = await subject.open()
  const reader = await new Reader(source, undefined, patience).take(COUNT)
  assert.deepEqual(reader.items, expected)
  for (const position of reader.positions) {
    assert.notEqual(position, undefined, 'a position is missing')
    serialize(structuredClone(position))
  }
  if (subject.ends) assert.equal(await reader.next(), false)
  await reader.stop()
  await source.close?.()
}

const goesOn: Check<SourceSubject<unknown, unknown>> = async (subject, patience) => {
  await subject.put(itemsOf(subject, COUNT))
  const first = await subject.open()
  const reader = await new Reader(first, undefined, patience).take(COUNT / 2)
  await reader.commit()
  const position = structuredClone(reader.positions.at(-1))
  await reader.stop()
  await first.close?.()
  const second = await subject.open()
  const rest = await new Reader(second, position, patience).take(COUNT / 2)
  const expected = itemsOf(subject, COUNT / 2, COUNT / 2)
  sameItems(subject, rest.items, expected)
  await rest.stop()
  await second.close?.()
  if (!subject.replays) return
  const third = await subject.open()
  const again = await new Reader(third, structuredClone(reader.positions[9]), patience).take(5)
  assert.deepEqual(again.items, itemsOf(subject, 5, 10))
  await again.stop()
  await third.close?.()
}

const givesMany: Check<SourceSubject<unknown, unknown>> = async (subject, patience) => {
  await subject.put(itemsOf(subject, COUNT))
  const source = await subject.open()
  const read = async (from: unknown, count: number) => {
    const pairs: (readonly [unknown, unknown])[] = []
    const over = new AbortController()
    const commitSoon = () => void Promise.resolve(source.commit?.(structuredClone(pairs.at(-1)![1]))).catch(() => {})
    const lists = source.readMany!(from, over.signal, commitSoon)[Symbol.asyncIterator]()
    while (pairs.length < count) {
      const result = await within(patience, `item ${pairs.length}`, lists.next())
      assert.ok(!result.done, `it ended after ${pairs.length} items`)
      pairs.push(...result.value)
    }
    over.abort()
    await within(patience, 'ending after the signal', Promise.resolve(lists.return?.()))
    return pairs
  }
  if (source.readMany !== undefined) {
    const pairs = await read(undefined, COUNT)
    assert.deepEqual(
      pairs.map(([item]) => item),
      itemsOf(subject, COUNT),
    )
    const rest = subject.replays ? await read(structuredClone(pairs[9]![1]), COUNT - 10) : []
    assert.deepEqual(
      rest.map(([item]) => item),
      subject.replays ? itemsOf(subject, COUNT - 10, 10) : [],
    )
  }
  await source.close?.()
}

const keepsPositions: Check<SourceSubject<unknown, unknown>> = async (subject, patience) => {
  await subject.put(itemsOf(subject, COUNT))
  const source = await subject.open()
  const reader = new Reader(source, undefined, patience)
  const copies: unknown[] = []
  for (let at = 0; at < COUNT; at++) {
    await reader.next()
    copies.push(structuredClone(reader.positions.at(-1)))
  }
  assert.deepEqual(reader.positions, copies)
  await reader.stop()
  await source.close?.()
}

const endsBySignal: Check<SourceSubject<unknown, unknown>> = async (subject, patience) => {
  await subject.put(itemsOf(subject, 3))
  const source = await subject.open()
  const reader = await new Reader(source, undefined, patience).take(3)
  const waiting = reader.next()
  setTimeout(() => reader.abort(), MOMENT)
  assert.equal(await waiting, false, 'another item came')
  await reader.stop()
  await source.close?.()
}

const abortedBefore: Check<SourceSubject<unknown, unknown>> = async (subject, patience) => {
  await subject.put(itemsOf(subject, 3))
  const source = await subject.open()
  const reader = new Reader(source, undefined, patience)
  reader.abort()
  // A source that holds its items anyway may give them.
  while (await reader.next()) assert.ok(reader.items.length <= 3)
  await source.close?.()
}

const commitsLate: Check<SourceSubject<unknown, unknown>> = async (subject, patience) => {
  await subject.put(itemsOf(subject, COUNT))
  const first = await subject.open()
  const reader = await new Reader(first, undefined, patience).take(COUNT / 2)
  await reader.stop()
  await within(patience, 'the commit', Promise.resolve(reader.commit()))
  await within(patience, 'closing', Promise.resolve(first.close?.()))
  if (subject.replays) return
  const second = await subject.open()
  const rest = await new Reader(second, undefined, patience).take(COUNT / 2)
  sameItems(subject, rest.items, itemsOf(subject, COUNT / 2, COUNT / 2))
  await rest.stop()
  await second.close?.()
}

const givesAgain: Check<SourceSubject<unknown, unknown>> = async (subject, patience) => {
  await subject.put(itemsOf(subject, COUNT))
  const first = await subject.open()
  const reader = await new Reader(first, undefined, patience).take(COUNT / 2)
  await reader.stop()
  await first.close?.()
  const second = await subject.open()
  const again = await new Reader(second, undefined, patience).take(COUNT)
  // A queue may give what it takes back behind the rest.
  assert.deepEqual(keysOf(again.items), keysOf(itemsOf(subject, COUNT)))
  await again.stop()
  await second.close?.()
}

const closes: Check<SourceSubject<unknown, unknown>> = async (subject, patience) => {
  const source = await subject.open()
  await source.close?.()
  await source.close?.()
  await subject.put(itemsOf(subject, 5))
  const reader = await new Reader(source, undefined, patience).take(5)
  assert.deepEqual(reader.items, itemsOf(subject, 5))
  const waiting = reader.next().catch(() => false)
  reader.abort()
  await within(patience, 'closing while it reads', Promise.resolve(source.close?.()))
  await within(patience, 'the end of reading', waiting)
  await source.close?.()
}

const deadLetters: Check<SourceSubject<unknown, unknown>> = async (subject, patience) => {
  assert.ok(subject.putBad && subject.letters, 'the set-up has no putBad() and letters()')
  await subject.put(itemsOf(subject, 2))
  await subject.putBad()
  await subject.put(itemsOf(subject, 2, 2))
  const source = await subject.open()
  const reader = await new Reader(source, undefined, patience).take(4)
  assert.deepEqual(reader.items, itemsOf(subject, 4))
  assert.equal(subject.letters(), 1)
  await reader.stop()
  await source.close?.()
}

/** A sink that keeps what is committed: what was only written goes with the process. */
class Kept<T> implements Sink<T> {
  readonly items: T[] = []
  private epoch: T[] = []
  private prepared: T[] = []
  private saved = 0

  open(saved: unknown): void {
    this.items.length = (saved as number | undefined) ?? 0
    this.saved = this.items.length
    this.epoch = []
  }
  write(item: T): void {
    this.epoch.push(item)
  }
  async prepare(): Promise<number> {
    this.prepared = this.epoch
    this.epoch = []
    // Safe from here on: a start after the checkpoint knows how many there are.
    this.items.length = this.saved
    this.items.push(...this.prepared)
    this.saved = this.items.length
    return this.saved
  }
  async commit(): Promise<void> {}
  close(): void {}
}

const inJob: Check<SourceSubject<unknown, unknown>> = async (subject, patience) => {
  const all = 10 * COUNT
  const expected = itemsOf(subject, all)
  await subject.put(expected)
  const { exactlyOnce = subject.replays } = subject
  const store = await mkdtemp(join(tmpdir(), 'rxjs-python-conformance-'))
  const sink = new Kept<unknown>()
  const until = performance.now() + patience
  const missing = () => {
    const seen = new Set(sink.items.map((item) => JSON.stringify(item)))
    return expected.filter((item) => !seen.has(JSON.stringify(item)))
  }
  try {
    for (let run = 1; missing().length > 0; run++) {
      assert.ok(performance.now() < until, `${missing().length} of ${all} items have not come after ${run} starts`)
      const source = await subject.open()
      const job = await runJob({
        name: 'conformance',
        pipeline: (context) => context.source('outside', source),
        sink,
        checkpoint: { store, every: 5 },
      })
      // The first runs are cut off early, anywhere in an epoch.
      await Promise.race([sleep(run < 5 ? 7 * run : 200), job.done])
      await job.cancel()
      await job.done
      if (job.state === 'completed') break
    }
  } finally {
    await rm(store, { recursive: true, force: true })
  }
  assert.deepEqual(missing(), [])
  if (exactlyOnce) assert.equal(sink.items.length, all, 'items came more than once')
}

const survives: Check<SourceSubject<unknown, unknown>> = async (subject, patience) => {
  assert.ok(subject.interrupt, 'the set-up has no interrupt()')
  const half = 5 * COUNT
  await subject.put(itemsOf(subject, half))
  const source = await subject.open()
  const reader = await new Reader(source, undefined, patience).take(COUNT)
  const expected = new Set(itemsOf(subject, 2 * half).map((item) => JSON.stringify(item)))
  const see = () => {
    for (const item of reader.items.splice(0)) expected.delete(JSON.stringify(item))
  }
  see()
  const interrupted = subject.interrupt().then(() => subject.put(itemsOf(subject, half, half)))
  while (expected.size > 0) {
    assert.ok(await reader.next(), `it ended before ${expected.size} items had come`)
    see()
  }
  await interrupted
  await reader.commit()
  await reader.stop()
  await source.close?.()
}
