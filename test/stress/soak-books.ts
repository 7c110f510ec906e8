/** What went through a soak, and what should not have been. */
export class Tally {
  batches = 0
  streams = 0
  calls = 0
  delivered = 0
  reported = 0
  /** Items of streams and calls that were ended from outside, before they had come to them. */
  cutOff = 0
  /** Failures by code, expected ones. */
  readonly failures = new Map<string, number>()
  readonly problems: string[] = []

  failed(code: string): void {
    this.failures.set(code, (this.failures.get(code) ?? 0) + 1)
  }

  problem(what: string): void {
    if (this.problems.length < 100) this.problems.push(what)
  }
}

/** An item of a soak's streams; hostile.py does what it says. */
export interface Item {
  readonly id: number
  readonly seconds: number
  readonly deed?: Deed
}
export type Result = [id: number, process: number, begin: number, end: number]

export type Deed = 'raise' | 'hang' | 'spin' | 'stuck' | 'segfault' | 'abort' | 'leave' | 'overflow'

/** What an item may fail with on account of its deed. */
const CODES: Record<Deed, string> = {
  raise: 'ERR_PYTHON_EXCEPTION',
  hang: 'ERR_TIMEOUT',
  spin: 'ERR_TIMEOUT',
  stuck: 'ERR_TIMEOUT',
  segfault: 'ERR_PYTHON_CRASH',
  abort: 'ERR_PYTHON_CRASH',
  leave: 'ERR_PYTHON_CRASH',
  overflow: 'ERR_PYTHON_CRASH',
}

/** The items of one stream: what was sent, what came, and what was reported as failed. */
export class Books {
  private readonly sent: Item[] = []
  private readonly results = new Set<number>()
  private readonly failures = new Set<number>()
  private last = -1

  /**
   * @param title names the stream in problems
   * @param limited whether batches have a time limit, which those that wait behind others may exceed, too
   */
  constructor(
    private readonly title: string,
    private readonly tally: Tally,
    private readonly ordered: boolean,
    private readonly limited: boolean,
  ) {}

  get items(): readonly Item[] {
    return this.sent
  }

  take(item: Item): Item {
    this.sent.push(item)
    return item
  }

  deliver([id]: Result): number {
    if (this.results.has(id)) this.problem(`item ${id} came twice`)
    if (this.ordered && id < this.last) this.problem(`item ${id} came after ${this.last}`)
    if (this.sent[id]?.deed !== undefined) this.problem(`item ${id} was to ${this.sent[id].deed}, and came`)
    this.last = id
    this.results.add(id)
    return this.results.size
  }

  /** For `onError`: leaves the items of the batch out. */
  report(error: unknown, batch: readonly Item[]): undefined {
    this.explain(error, batch)
    for (const { id } of batch) {
      if (this.failures.has(id)) this.problem(`item ${id} was reported twice`)
      this.failures.add(id)
    }
  }

  /** Whether a failed batch had a reason to fail like this. */
  explain(error: unknown, batch: readonly Item[]): void {
    const code = (error as { code?: string }).code ?? `${error}`
    this.tally.failed(code)
    const excused = this.limited && code === 'ERR_TIMEOUT'
    if (!excused && !batch.some(({ deed }) => deed !== undefined && CODES[deed] === code))
      this.problem(`items ${batch.map(({ id }) => id)} failed: ${error}`)
  }

  /** The stream's end. `whole`: it completed, so that nothing may be missing. */
  close(whole: boolean): void {
    const { tally, results, failures } = this
    let missing = 0
    for (const { id } of this.sent) {
      if (results.has(id) && failures.has(id)) this.problem(`item ${id} came and was reported as failed`)
      if (!results.has(id) && !failures.has(id)) missing += 1
    }
    if (whole && missing > 0) this.problem(`${missing} of ${this.sent.length} items were lost`)
    tally.streams += 1
    tally.delivered += results.size
    tally.reported += failures.size
    tally.cutOff += missing
  }

  problem(what: string): void {
    this.tally.problem(`${this.title}: ${what}`)
  }
}
