import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fromIterable, mapPython, type OnCrash, PythonCrashError, PythonPool } from '../../lib/index'
import { isChild } from './children'
import { oneOf, seeded, whole } from './random'
import { Waits } from './waits'

/** How an item ends the process that handles it. */
const DEEDS = ['segfault', 'abort', 'leave', 'overflow'] as const

interface Item {
  readonly id: number
  readonly seconds: number
  readonly deed?: (typeof DEEDS)[number]
}
type Result = [id: number, process: number, begin: number, end: number]

export interface CrashRequest {
  readonly python: string
  readonly seed: number
  /** Crashes after which no further items come. */
  readonly crashes: number
  readonly onCrash: OnCrash
}

export interface CrashReport {
  readonly crashes: number
  readonly kills: number
  readonly items: number
  readonly delivered: number
  /** Items that the stream reported as failed. */
  readonly reported: number
  /** The longest time between two results of a worker while calls waited, in milliseconds. */
  readonly longestWaitMs: number
  /** What should not have been: items lost, doubled, or failed that should not have. */
  readonly problems: readonly string[]
}

const BATCH = 4
/** One item of so many ends its process. */
const POISON = 40
/** Milliseconds from one worker process killed from outside to the next. */
const KILL_EVERY = [100, 800] as const

/** Streams items through two worker processes, of which some crash their process, while others are killed from outside. */
export async function crashRun(request: CrashRequest): Promise<CrashReport> {
  const { python, crashes, onCrash } = request
  const random = seeded(`${request.seed} ${onCrash}`)
  const path = join(__dirname, 'handlers')
  const pool = await PythonPool.open({ python, path, isolation: 'process', size: 2, onCrash })
  pool.on('stderr', () => {}) // the stacks that faulthandler prints
  const books = new Books(onCrash)
  const waits = new Waits(pool)
  try {
    const handler = pool.handler<Item, Result>('hostile:handle')
    const source = fromIterable(items(random, books, () => pool.info().crashes >= crashes))
    const results = source.pipe(
      mapPython<Item, Result>(handler, {
        batch: BATCH,
        concurrency: 8,
        ordered: onCrash === 'fail',
        isolateErrors: onCrash === 'retry',
        onError: (error, batch) => books.failed(error, batch as readonly Item[]),
      }),
    )
    let over = false
    const killing = killNowAndThen(random, books, () => over)
    await results.forEach((result) => {
      waits.note(result[1], result[2], result[3])
      books.delivered(result)
    })
    over = true
    await killing
    return books.close(pool.info().crashes, waits.longestMs())
  } finally {
    waits.stop()
    await pool.close()
  }
}

function* items(random: () => number, books: Books, enough: () => boolean): Generator<Item> {
  for (let id = 0; id % BATCH !== 0 || !enough(); id++) {
    const seconds = random() / 1000
    const item = random() < 1 / POISON ? { id, seconds, deed: oneOf(random, DEEDS) } : { id, seconds }
    books.sent(item)
    yield item
  }
}

async function killNowAndThen(random: () => number, books: Books, over: () => boolean): Promise<void> {
  while (!over()) {
    await pause(whole(random, ...KILL_EVERY))
    const victim = books.latestProcess
    if (victim === undefined || over() || !isChild(victim)) continue
    process.kill(victim, 'SIGKILL')
    books.kills += 1
  }
}

/** What became of each item. */
class Books {
  kills = 0
  latestProcess: number | undefined
  private readonly poisonous = new Set<number>()
  private count = 0
  private readonly results = new Set<number>()
  private readonly failures = new Set<number>()
  private failedClean = 0
  private last = -1
  private readonly problems: string[] = []

  constructor(private readonly onCrash: OnCrash) {}

  sent({ id, deed }: Item): void {
    this.count += 1
    if (deed !== undefined) this.poisonous.add(id)
  }

  delivered([id, process]: Result): void {
    if (this.results.has(id)) this.problems.push(`item ${id} came twice`)
    if (this.onCrash === 'fail' && id < this.last) this.problems.push(`item ${id} came after ${this.last}`)
    this.last = id
    this.results.add(id)
    this.latestProcess = process
  }

  failed(error: unknown, batch: readonly Item[]): undefined {
    if (!(error instanceof PythonCrashError)) this.problems.push(`items failed with ${error}`)
    if (!batch.some(({ deed }) => deed !== undefined)) this.failedClean += 1
    for (const { id } of batch) {
      if (this.failures.has(id)) this.problems.push(`item ${id} was reported twice`)
      this.failures.add(id)
    }
  }

  close(crashes: number, longestWaitMs: number): CrashReport {
    const { problems, results, failures, poisonous, kills, failedClean } = this
    for (let id = 0; id < this.count; id++) {
      if (results.has(id) && failures.has(id)) problems.push(`item ${id} came and was reported as failed`)
      if (!results.has(id) && !failures.has(id)) problems.push(`item ${id} was lost`)
      if (poisonous.has(id) && results.has(id)) problems.push(`item ${id} should have ended its process`)
    }
    // A batch without such an item fails where its process was killed, and with 'retry' not even then.
    const excusable = this.onCrash === 'retry' ? 0 : kills
    if (failedClean > excusable) problems.push(`${failedClean} batches failed for ${kills} kills`)
    const [delivered, reported] = [results.size, failures.size]
    return { crashes, kills, items: this.count, delivered, reported, longestWaitMs, problems }
  }
}
