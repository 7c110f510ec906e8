import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { appendFile, type Sink } from '../../jobs/sinks'
import { StreamChecker } from '../../streams/check'
import { checkWriting, csvLine, csvRow, type WriteFormat, type Writing } from './writing'

export interface FileSinkOptions {
  /** Default `'jsonl'`. */
  format?: 'text' | 'jsonl' | 'csv'
  /** CSV: the names of the columns, in their order; default: those of the first record. */
  columns?: readonly string[]
}

/**
 * Appends to one file, with a head line where it is CSV and empty.
 *
 * Delivery: exactly once, as `appendFile` of `rxjs-python/jobs` does it: a reader sees an epoch when its checkpoint is safe.
 */
export function fileSink<T = unknown>(path: string, options: FileSinkOptions = {}): Sink<T> {
  const check = new StreamChecker('fileSink', options, ['format', 'columns'])
  if (check.text('path', path) === undefined) check.problem("'path' is missing")
  const format = check.oneOf('format', options.format, ['text', 'jsonl', 'csv'] as const) ?? 'jsonl'
  const { columns } = options
  if (columns !== undefined && format !== 'csv') check.problem("'columns' is for format 'csv'", columns)
  checkWriting(check, format, columns)
  check.done()
  if (format === 'csv') return new CsvSink<T>(path, columns)
  return appendFile<T>(path, {
    encode: format === 'text' ? (value) => `${value}\n` : (value) => `${JSON.stringify(value)}\n`,
  })
}

class CsvSink<T> implements Sink<T> {
  private readonly inner: Sink<string>
  private headed = false
  private names: readonly string[] | undefined

  constructor(
    private readonly path: string,
    private readonly columns: readonly string[] | undefined,
  ) {
    this.inner = appendFile<string>(path, { encode: (line) => line })
    this.names = columns
  }

  async open(saved: unknown, signal?: AbortSignal): Promise<void> {
    const { file, names } = (saved ?? {}) as { file?: unknown; names?: readonly string[] }
    await this.inner.open(file, signal)
    // What the checkpoint has is in the file by now, so an empty one has no head line yet.
    const size = (await stat(this.path).catch(() => undefined))?.size ?? 0
    this.headed = size > 0
    this.names = this.columns ?? names
  }

  write(value: T): void | Promise<void> {
    this.names ??= Object.keys(value as object)
    const row = csvRow(value, this.names)
    if (this.headed) return this.inner.write(row)
    this.headed = true
    return this.inner.write(csvLine(this.names) + row)
  }

  async prepare(epoch: number): Promise<unknown> {
    const names = this.names === undefined ? {} : { names: [...this.names] }
    return { file: await this.inner.prepare(epoch), ...names }
  }

  commit(epoch: number): Promise<void> {
    return this.inner.commit(epoch)
  }

  close(): Promise<void> | void {
    return this.inner.close()
  }
}

export interface FolderSinkOptions<T> {
  /** Default `'jsonl'`. */
  format?: WriteFormat<T>
  /** CSV, Parquet and Arrow: the names of the columns; default: those of a file's records. */
  columns?: readonly string[]
  /** What the names of files begin with (default `part`): `part-000012-00.jsonl` is the first file of epoch 12
   * of a job that began with an empty folder. */
  prefix?: string
  /** What the names end with; default: by the format. */
  ending?: string
  /** The most results of a file (default 100,000); an epoch may have several. */
  maxItems?: number
}

/**
 * A file for each epoch that has results, or several. It is written beside, under a name that begins with a dot, and gets its own name when
 * the checkpoint is safe, so it is there as a whole or not at all.
 *
 * Delivery: exactly once.
 */
export function folderSink<T = unknown>(folder: string, options: FolderSinkOptions<T> = {}): Sink<T> {
  const check = new StreamChecker('folderSink', options, ['format', 'columns', 'prefix', 'ending', 'maxItems'])
  if (check.text('folder', folder) === undefined) check.problem("'folder' is missing")
  const writing = checkWriting(check, options.format, options.columns)
  const prefix = check.text('prefix', options.prefix) ?? 'part'
  if (/[/\\]|^\./.test(prefix)) check.problem("'prefix' must be part of a file's name, not a path", prefix)
  const ending = options.ending ?? writing.ending
  if (typeof ending !== 'string' || /[/\\]/.test(ending))
    check.problem("'ending' must be a text such as '.bin'", ending)
  const maxItems = check.whole('maxItems', options.maxItems, 1, 2 ** 24) ?? 100_000
  check.done()
  return new FolderSink<T>(folder, prefix, ending, maxItems, writing)
}

/** What a checkpoint has. */
interface Saved {
  base: number
  epoch: number
  names: readonly string[]
}

class FolderSink<T> implements Sink<T> {
  private items: T[] = []
  /** The files of the epoch that is being written, by their final names. */
  private names: string[] = []
  private epoch = 1
  /** The number of the file before the job's first one. */
  private base = 0
  private writing: Promise<void> = Promise.resolve()
  private readonly prepared = new Map<number, readonly string[]>()

  constructor(
    private readonly folder: string,
    private readonly prefix: string,
    private readonly ending: string,
    private readonly maxItems: number,
    private readonly format: Writing<T>,
  ) {}

  async open(saved: unknown): Promise<void> {
    this.items = []
    this.names = []
    this.writing = Promise.resolve()
    this.prepared.clear()
    await mkdir(this.folder, { recursive: true })
    const there = await readdir(this.folder)
    if (saved === undefined || saved === null) {
      // What another job has left stays, and its numbers are not used again.
      this.base = Math.max(0, ...there.map((name) => this.numberOf(name) ?? 0))
      this.epoch = 1
    } else {
      const { base, epoch, names } = saved as Saved
      this.base = base
      this.epoch = epoch + 1
      await this.show(names)
      // What later epochs have shown, where the job goes on from an older snapshot, is taken back.
      for (const name of there) if ((this.numberOf(name) ?? 0) > base + epoch) await rm(join(this.folder, name))
    }
    for (const name of await readdir(this.folder)) {
      if (name.startsWith('.') && this.numberOf(name.slice(1)) !== undefined) await rm(join(this.folder, name))
    }
  }

  write(value: T): void | Promise<void> {
    this.items.push(value)
    return this.items.length >= this.maxItems ? this.flush() : undefined
  }

  async prepare(epoch: number): Promise<unknown> {
    const { base } = this
    const written = this.flush(epoch)
    const { names } = this
    this.names = []
    this.epoch = epoch + 1
    this.prepared.set(epoch, names)
    await written
    if (names.length > 0) await syncFolder(this.folder)
    return { base, epoch, names } satisfies Saved
  }

  async commit(epoch: number): Promise<void> {
    const names = this.prepared.get(epoch) ?? []
    this.prepared.delete(epoch)
    await this.show(names)
  }

  async close(): Promise<void> {
    await this.writing.catch(() => {})
  }

  /** What there is, into a file. */
  private flush(epoch = this.epoch): Promise<void> {
    const { items } = this
    if (items.length === 0) return this.writing
    this.items = []
    const number = String(this.base + epoch).padStart(6, '0')
    const name = `${this.prefix}-${number}-${String(this.names.length).padStart(2, '0')}${this.ending}`
    this.names.push(name)
    this.writing = this.writing.then(async () => {
      const file = await open(this.hidden(name), 'w')
      try {
        await file.writeFile(await this.format.encode(items))
        await file.sync()
      } finally {
        await file.close()
      }
    })
    return this.writing
  }

  private async show(names: readonly string[]): Promise<void> {
    for (const name of names) {
      await rename(this.hidden(name), join(this.folder, name)).catch((error: NodeJS.ErrnoException) => {
        // Shown before the process was killed.
        if (error.code !== 'ENOENT') throw error
      })
    }
    if (names.length > 0) await syncFolder(this.folder)
  }

  private hidden(name: string): string {
    return join(this.folder, `.${name}`)
  }

  private numberOf(name: string): number | undefined {
    if (!name.startsWith(`${this.prefix}-`) || !name.endsWith(this.ending)) return undefined
    const match = /^(\d{6,})-\d{2,}$/.exec(name.slice(this.prefix.length + 1, name.length - this.ending.length))
    return match === null ? undefined : Number(match[1])
  }
}

/** Makes the names of new files safe. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
