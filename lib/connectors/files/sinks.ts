import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { appendFile, type Sink } from '../../jobs/sinks'
import { StreamChecker } from '../../streams/check'
import { checkEpochFiles, EPOCH_FILES, type EpochFileOptions, EpochFiles, type EpochStore } from '../formats/epochs'
import { checkWriting, csvLine, csvRow } from '../formats/writing'

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

export interface FolderSinkOptions<T> extends EpochFileOptions<T> {
  /**
   * What the names of files begin with (default `part`): `part-000012-00.jsonl` is the first file of epoch 12 of a job that
   * began with an empty folder.
   */
  prefix?: string
}

/**
 * A file for each epoch that has results, or several. It is written beside, under a name that begins with a dot, and gets its own name when
 * the checkpoint is safe, so it is there as a whole or not at all.
 *
 * Delivery: exactly once.
 */
export function folderSink<T = unknown>(folder: string, options: FolderSinkOptions<T> = {}): Sink<T> {
  const check = new StreamChecker('folderSink', options, [...EPOCH_FILES, 'prefix'])
  if (check.text('folder', folder) === undefined) check.problem("'folder' is missing")
  const prefix = check.text('prefix', options.prefix) ?? 'part'
  if (/[/\\]|^\./.test(prefix)) check.problem("'prefix' must be part of a file's name, not a path", prefix)
  const files = checkEpochFiles(check, options)
  check.done()
  return new EpochFiles(new FolderStore(folder), prefix, files)
}

/** A file that is not seen yet has a dot before its name. */
class FolderStore implements EpochStore<string> {
  constructor(private readonly folder: string) {}

  async open(): Promise<void> {
    await mkdir(this.folder, { recursive: true })
  }

  async list(): Promise<string[]> {
    return (await readdir(this.folder)).filter((name) => !name.startsWith('.'))
  }

  async stage(name: string, bytes: string | Uint8Array): Promise<string> {
    const file = await open(this.hidden(name), 'w')
    try {
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    await syncFolder(this.folder)
    return name
  }

  async show(names: readonly string[]): Promise<void> {
    for (const name of names) {
      await rename(this.hidden(name), join(this.folder, name)).catch((error: NodeJS.ErrnoException) => {
        // Shown before the process was killed.
        if (error.code !== 'ENOENT') throw error
      })
    }
    await syncFolder(this.folder)
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.folder, name))
  }

  async discard(isOurs: (name: string) => boolean): Promise<void> {
    for (const name of await readdir(this.folder)) {
      if (name.startsWith('.') && isOurs(name.slice(1))) await rm(join(this.folder, name))
    }
  }

  close(): void {}

  private hidden(name: string): string {
    return join(this.folder, `.${name}`)
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
