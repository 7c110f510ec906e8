import type { Sink } from '../../jobs/sinks'
import type { StreamChecker } from '../../streams/check'
import { checkWriting, type WriteFormat, type Writing } from './writing'

/** Where files are kept: a folder, a bucket. `S` is what is known of a file that is there and not seen yet; it is data. */
export interface EpochStore<S> {
  /** Gets ready for the names below. */
  open(signal: AbortSignal | undefined): Promise<void>
  /** The files that are seen, of those with names as this sink gives them. */
  list(): Promise<readonly string[]>
  /** Puts a file there, as a whole and safe, that nobody sees yet. */
  stage(name: string, bytes: string | Uint8Array): Promise<S>
  /** Lets everybody see it; also where that was done before. */
  show(staged: readonly S[]): Promise<void>
  remove(name: string): Promise<void>
  /** Removes all that was staged and is not seen. */
  discard(isOurs: (name: string) => boolean): Promise<void>
  close(): Promise<void> | void
}

export interface EpochFileOptions<T> {
  /** Default `'jsonl'`. */
  format?: WriteFormat<T>
  /** CSV, Parquet and Arrow: the names of the columns; default: those of a file's records. */
  columns?: readonly string[]
  /** What the names end with; default: by the format. */
  ending?: string
  /** The most results of a file (default 100,000); an epoch may have several. */
  maxItems?: number
}

export const EPOCH_FILES = ['format', 'columns', 'ending', 'maxItems'] as const

export interface CompleteEpochFiles<T> {
  readonly writing: Writing<T>
  readonly ending: string
  readonly maxItems: number
}

export function checkEpochFiles<T>(check: StreamChecker, options: EpochFileOptions<T>): CompleteEpochFiles<T> {
  const writing = checkWriting(check, options.format, options.columns)
  const ending = options.ending ?? writing.ending
  if (typeof ending !== 'string' || /[/\\]/.test(ending))
    check.problem("'ending' must be a text such as '.bin'", ending)
  return { writing, ending, maxItems: check.whole('maxItems', options.maxItems, 1, 2 ** 24) ?? 100_000 }
}

/** What a checkpoint has. */
interface Saved<S> {
  base: number
  epoch: number
  staged: readonly S[]
}

/** A file for each epoch that has results, or several; seen when the checkpoint is safe. `prefix` begins their names. */
export class EpochFiles<T, S> implements Sink<T> {
  private items: T[] = []
  /** The files of the epoch that is being written. */
  private files: Promise<S>[] = []
  /** The file before the one that fills now. */
  private last: Promise<unknown> | undefined
  private readonly staging = new Set<Promise<S>>()
  private epoch = 1
  /** The number of the file before the job's first one. */
  private base = 0
  private readonly prepared = new Map<number, readonly S[]>()

  constructor(
    private readonly store: EpochStore<S>,
    private readonly prefix: string,
    private readonly options: CompleteEpochFiles<T>,
  ) {}

  async open(saved: unknown, signal?: AbortSignal): Promise<void> {
    this.items = []
    this.files = []
    this.last = undefined
    this.prepared.clear()
    const { store } = this
    await store.open(signal)
    const there = await store.list()
    if (saved === undefined || saved === null) {
      // What another job has left stays, and its numbers are not used again.
      this.base = Math.max(0, ...there.map((name) => this.numberOf(name) ?? 0))
      this.epoch = 1
    } else {
      const { base, epoch, staged } = saved as Saved<S>
      this.base = base
      this.epoch = epoch + 1
      await store.show(staged)
      // What later epochs have shown, where the job goes on from an older snapshot, is taken back.
      for (const name of there) if ((this.numberOf(name) ?? 0) > base + epoch) await store.remove(name)
    }
    await store.discard((name) => this.numberOf(name) !== undefined)
  }

  write(value: T): void | Promise<void> {
    this.items.push(value)
    if (this.items.length < this.options.maxItems) return
    const before = this.last
    this.flush(this.epoch)
    // This file is on its way while the next one fills.
    if (before !== undefined) return before.then(() => {})
  }

  async prepare(epoch: number): Promise<unknown> {
    const { base } = this
    this.flush(epoch)
    const { files } = this
    this.files = []
    this.epoch = epoch + 1
    this.last = undefined
    const staged = await Promise.all(files)
    this.prepared.set(epoch, staged)
    return { base, epoch, staged } satisfies Saved<S>
  }

  async commit(epoch: number): Promise<void> {
    const staged = this.prepared.get(epoch) ?? []
    this.prepared.delete(epoch)
    if (staged.length > 0) await this.store.show(staged)
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.staging)
    await this.store.close()
  }

  /** What there is, into a file. */
  private flush(epoch: number): void {
    const { items } = this
    if (items.length === 0) return
    this.items = []
    const { writing, ending } = this.options
    const number = String(this.base + epoch).padStart(6, '0')
    const name = `${this.prefix}-${number}-${String(this.files.length).padStart(2, '0')}${ending}`
    const file = writing.encode(items).then((bytes) => this.store.stage(name, bytes))
    // Whoever waits for it is told, and `prepare` at the latest.
    const over = () => this.staging.delete(file)
    file.then(over, over)
    this.staging.add(file)
    this.last = file
    this.files.push(file)
  }

  private numberOf(name: string): number | undefined {
    const { ending } = this.options
    if (!name.startsWith(`${this.prefix}-`) || !name.endsWith(ending)) return undefined
    const match = /^(\d{6,})-\d{2,}$/.exec(name.slice(this.prefix.length + 1, name.length - ending.length))
    return match === null ? undefined : Number(match[1])
  }
}
