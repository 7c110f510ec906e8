import { closeSync, fsync, openSync, writeSync } from 'node:fs'
import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { JobError } from '../errors'
import { StreamChecker } from '../streams/check'

/**
 * Where a job's results go, epoch by epoch. What belongs to an epoch is seen outside when the epoch's checkpoint is safe:
 * then each result is there exactly once, however often the job was killed.
 */
export interface Sink<T> {
  /**
   * Begins after the checkpoint that `saved` is from (the first time: undefined); what came later must be as if it had never
   * been. When `signal` aborts, `prepare` and `commit` need not wait for the outside any more: they reject.
   */
  open(saved: unknown, signal?: AbortSignal): Promise<void> | void
  /**
   * A promise holds the sources back until it resolves; a value that is on its way already may come before that. Its rejection
   * fails the job. `prepare` is called when all such promises have resolved.
   */
  write(value: T): void | Promise<void>
  /**
   * The end of an epoch: what is written from this call on belongs to the next one. Resolves when what belongs to this one
   * is safe, with what `open` needs to know after a crash.
   */
  prepare(epoch: number): Promise<unknown>
  /** The checkpoint is safe. When the process dies before this has ended, `open` has to do it. */
  commit(epoch: number): Promise<void>
  /** Gives back files and connections. `open` may follow. */
  close(): Promise<void> | void
}

export interface AppendOptions<T> {
  /** The text or bytes of a result, with its line end. Default: a text with one, or a line of JSON. */
  encode?: (value: T) => string | Uint8Array
}

/** What a checkpoint knows about the file. */
interface FilePosition {
  path: string
  epoch: number
  /** Where the epoch's bytes begin, and how many there are. */
  start: number
  bytes: number
}

/** So much text of an epoch is kept in memory before it goes to the epoch's own file. */
const BUFFER = 1 << 16
/** Bytes that are copied at once. */
const COPIED = 1 << 20

/**
 * Appends results to a file, exactly once. An epoch's results are written to a file beside it (`PATH.epoch-N`) first, made
 * safe, and appended when the checkpoint is: who reads the file sees no result that might be taken back.
 */
export function appendFile<T = string>(path: string, options: AppendOptions<T> = {}): Sink<T> {
  const check = new StreamChecker('appendFile', options, ['encode'])
  if (check.text('path', path) === undefined) check.problem("'path' is missing")
  check.fn('encode', options.encode)
  check.done()
  return new FileSink<T>(path, options.encode ?? lineOf)
}

function lineOf(value: unknown): string {
  return `${typeof value === 'string' ? value : JSON.stringify(value)}\n`
}

/** The results of one epoch, on their way. */
class Pending {
  private texts: string[] = []
  private length = 0
  private file: number | undefined
  bytes = 0

  constructor(readonly path: string) {}

  add(data: string | Uint8Array): void {
    if (typeof data === 'string') {
      this.texts.push(data)
      this.length += data.length
      if (this.length >= BUFFER) this.flush()
    } else {
      this.flush()
      this.put(data)
    }
  }

  /** To the disk, and closed. */
  async finish(): Promise<void> {
    if (this.file === undefined) return
    await promisify(fsync)(this.file)
    this.close()
  }

  close(): void {
    if (this.file !== undefined) closeSync(this.file)
    this.file = undefined
  }

  flush(): void {
    if (this.texts.length === 0) return
    const data = Buffer.from(this.texts.join(''))
    this.texts = []
    this.length = 0
    this.put(data)
  }

  private put(data: Uint8Array): void {
    this.file ??= openSync(this.path, 'w')
    for (let at = 0; at < data.length; ) at += writeSync(this.file, data, at)
    this.bytes += data.length
  }
}

class FileSink<T> implements Sink<T> {
  private pending!: Pending
  private prepared: { pending: Pending; position: FilePosition } | undefined
  private epoch = 0
  private length = 0

  constructor(
    private readonly path: string,
    private readonly encode: (value: T) => string | Uint8Array,
  ) {}

  async open(saved: unknown): Promise<void> {
    const last = saved as FilePosition | undefined
    if (last?.path === this.path) {
      await this.recover(last)
      this.length = last.start + last.bytes
    } else {
      this.length = (await stat(this.path).catch(() => undefined))?.size ?? 0
    }
    this.epoch = (last?.epoch ?? 0) + 1
    await this.forget()
    this.pending = new Pending(this.pathOf(this.epoch))
    this.prepared = undefined
  }

  write(value: T): void {
    this.pending.add(this.encode(value))
  }

  async prepare(epoch: number): Promise<FilePosition> {
    const { pending } = this
    pending.flush()
    const { bytes } = pending
    const position = { path: this.path, epoch: this.epoch, start: this.length, bytes }
    this.length += bytes
    this.prepared = { pending, position }
    this.epoch = epoch + 1
    this.pending = new Pending(this.pathOf(this.epoch))
    await pending.finish()
    if (bytes > 0) await syncFolder(this.path)
    return position
  }

  async commit(): Promise<void> {
    const { prepared } = this
    this.prepared = undefined
    if (prepared === undefined || prepared.position.bytes === 0) return
    await this.append(prepared.position)
  }

  close(): void {
    this.pending?.close()
    this.prepared?.pending.close()
  }

  private async recover(last: FilePosition): Promise<void> {
    const end = last.start + last.bytes
    const size = (await stat(this.path).catch(() => undefined))?.size ?? 0
    // Its own file is still there where the epoch's results may not have been appended completely.
    const waiting = (await stat(this.pathOf(last.epoch)).catch(() => undefined))?.size === last.bytes && last.bytes > 0
    if (size < (waiting ? last.start : end)) {
      throw new JobError(
        'ERR_JOB_SINK',
        `${this.path} has ${size} bytes, and had ${waiting ? last.start : end} at the last checkpoint: the file was ` +
          'changed since. Put it back, or give the job another file and restart it from the beginning.',
      )
    }
    if (waiting) await this.append(last)
    if (size > end) await this.truncate(end)
  }

  /** At the place where the epoch begins: to do it twice is to do it once. */
  private async append({ epoch, start }: FilePosition): Promise<void> {
    const path = this.pathOf(epoch)
    if (start === 0 && (await stat(this.path).catch(() => undefined)) === undefined) {
      // The first epoch's file is all that there is.
      await rename(path, this.path)
      await syncFolder(this.path)
      return
    }
    const file = await open(this.path, 'r+')
    try {
      await copyInto(file, start, path)
      await file.sync()
    } finally {
      await file.close()
    }
    await rm(path)
  }

  private async truncate(length: number): Promise<void> {
    const file = await open(this.path, 'r+')
    try {
      await file.truncate(length)
      await file.sync()
    } finally {
      await file.close()
    }
  }

  /** Removes what epochs left behind that no checkpoint knows. */
  private async forget(): Promise<void> {
    const prefix = `${basename(this.path)}.epoch-`
    for (const name of await readdir(dirname(this.path))) {
      if (name.startsWith(prefix)) await rm(join(dirname(this.path), name), { force: true })
    }
  }

  private pathOf(epoch: number): string {
    return `${this.path}.epoch-${epoch}`
  }
}

/** All bytes of the file at `path`, to the place `start`. */
async function copyInto(file: FileHandle, start: number, path: string): Promise<void> {
  const source = await open(path, 'r')
  try {
    const data = Buffer.allocUnsafe(COPIED)
    for (let at = start; ; ) {
      const { bytesRead } = await source.read(data, 0, COPIED, at - start)
      if (bytesRead === 0) return
      for (let done = 0; done < bytesRead; ) {
        done += (await file.write(data, done, bytesRead - done, at + done)).bytesWritten
      }
      at += bytesRead
    }
  } finally {
    await source.close()
  }
}

/** Makes the names of new files safe. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** The results of one epoch. */
export interface EpochOfResults<T> {
  readonly epoch: number
  readonly results: readonly T[]
}

/**
 * Gives each epoch's results to `write` before its checkpoint. After a crash they may come again, perhaps cut into epochs at
 * other places: `write` must be idempotent, such as an upsert by a key that is in the result.
 */
export function idempotentSink<T>(write: (epoch: EpochOfResults<T>) => Promise<void>): Sink<T> {
  const check = new StreamChecker('idempotentSink', undefined, [])
  check.requireFn('write', write)
  let results: T[] = []
  return {
    open() {
      results = []
    },
    write: (value) => {
      results.push(value)
    },
    async prepare(epoch) {
      const mine = results
      results = []
      if (mine.length > 0) await write({ epoch, results: mine })
      return null
    },
    commit: async () => {},
    close() {},
  }
}
