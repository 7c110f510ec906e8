import type { Stats } from 'node:fs'
import { type FileHandle, open, readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { ReplaySource } from '../../jobs/sources'
import { StreamChecker } from '../../streams/check'
import { linesOf } from '../formats/lines'
import { checkReading, FILE_OPTIONS, type FileOptions } from '../formats/options'
import type { Placed, Reading } from '../formats/reading'
import { anySignal } from '../options'
import { pause } from '../retry'

/** Which file it is, whatever it is called by now, and the byte behind the last line. */
export interface TailPosition {
  readonly file: string
  readonly at: number
}

export interface TailOptions<T> extends Omit<FileOptions<T>, 'format' | 'columns' | 'delimiter' | 'compressors'> {
  /** Default: by the ending, else `'text'`. */
  format?: 'text' | 'jsonl'
  /** Where it begins the first time: with what is there (default), behind it, or with the oldest of the files that were rotated. */
  from?: 'start' | 'end' | 'oldest'
  /** Milliseconds between two looks at the file (default 250). */
  every?: number
}

const BLOCK = 1 << 18
const PACKED = /\.(gz|bz2|xz|zst|zip)$/

/**
 * The lines of a file that others write on, for ever. A file that was renamed is read to its end before the one in its place (files
 * beside it whose names begin with its name, as log rotation makes them); one that was truncated is read from its start.
 *
 * Delivery: exactly once in a job, while rotated files stay until they were read. What is written and truncated again between two looks, as
 * `copytruncate` does it, may be lost.
 */
export function tailFile<T = string>(path: string, options: TailOptions<T> = {}): ReplaySource<T, TailPosition> {
  const known = [...FILE_OPTIONS.filter((name) => name !== 'columns' && name !== 'delimiter' && name !== 'compressors')]
  const check = new StreamChecker('tailFile', options, [...known, 'from', 'every'])
  if (check.text('path', path) === undefined) check.problem("'path' is missing")
  const { format: given, ...rest } = options
  const format =
    check.oneOf('format', given, ['text', 'jsonl'] as const) ?? (/\.(jsonl|ndjson)$/.test(path) ? 'jsonl' : 'text')
  const reading = checkReading(check, `files: ${path}`, { ...rest, format } as FileOptions<T>, path)
  const from = check.oneOf('from', options.from, ['start', 'end', 'oldest'] as const) ?? 'start'
  const every = check.time('every', options.every, false) ?? 250
  const own = check.signal('signal', options.signal)
  check.done()
  return {
    async *read(position, signal) {
      const over = anySignal(signal, own)
      const tail = new Tail(path, format, reading, every, over)
      try {
        await tail.begin(position, from)
        while (!over.aborted) {
          for await (const [value, at] of tail.lines()) {
            yield [value as T, { file: tail.file, at }] as const
            if (over.aborted) return
          }
          await tail.next()
        }
      } finally {
        await tail.close()
      }
    },
  }
}

class Tail {
  /** The file that is open. */
  file = ''
  private handle: FileHandle | undefined
  private at = 0
  private lastChange = 0
  /** All that were open. */
  private readonly seen = new Set<string>()
  /** The file has another name, and no more comes. */
  private ended = false

  constructor(
    private readonly path: string,
    private readonly format: 'text' | 'jsonl',
    private readonly reading: Reading,
    private readonly every: number,
    private readonly over: AbortSignal,
  ) {}

  async begin(position: TailPosition | undefined, from: 'start' | 'end' | 'oldest'): Promise<void> {
    if (position !== undefined) {
      const known = (await this.siblings()).find(({ stats }) => idOf(stats) === position.file)
      if (known === undefined) {
        process.emitWarning(
          `tailFile: the file that ${this.path} was at the last checkpoint is gone; what it still had is lost`,
        )
        await this.openPath()
        return
      }
      await this.use(await open(known.path), position.at)
      return
    }
    const [oldest] = from === 'oldest' ? (await this.siblings()).sort(byAge) : []
    if (oldest === undefined) await this.openPath()
    else await this.use(await open(oldest.path), 0)
    if (from === 'end' && this.handle !== undefined) this.at = (await this.handle.stat()).size
  }

  /** The lines that are complete. */
  async *lines(): AsyncGenerator<Placed> {
    const { handle } = this
    if (handle === undefined) return
    const stats = await handle.stat()
    this.lastChange = stats.mtimeMs
    if (stats.size < this.at) this.at = 0
    if (stats.size === this.at) return
    const blocks = this.blocks(handle, this.at)
    for await (const block of linesOf(blocks, this.at, this.format, this.reading, !this.ended)) {
      for (const placed of block) {
        this.at = placed[1]
        yield placed
      }
    }
  }

  /** Waits for more, or goes to the file that has come in place of this one. */
  async next(): Promise<void> {
    if (this.handle === undefined) {
      await pause(this.every, this.over)
      await this.openPath()
      return
    }
    const now = await stat(this.path).catch(missing)
    const isSame = now !== undefined && idOf(now) === this.file
    if (!isSame && !this.ended) {
      // Whoever wrote on it may have done so until a moment ago: what there still is comes first.
      this.ended = true
      await pause(this.every, this.over)
      return
    }
    if (isSame) {
      await pause(this.every, this.over)
      return
    }
    const newer = (await this.siblings())
      .filter(({ stats }) => !this.seen.has(idOf(stats)) && stats.mtimeMs >= this.lastChange)
      .sort(byAge)
    if (newer.length === 0) await pause(this.every, this.over)
    else await this.use(await open(newer[0]!.path), 0)
  }

  async close(): Promise<void> {
    await this.handle?.close()
    this.handle = undefined
  }

  private async openPath(): Promise<void> {
    const handle = await open(this.path).catch(missing)
    if (handle !== undefined) await this.use(handle, 0)
  }

  private async use(handle: FileHandle, at: number): Promise<void> {
    await this.close()
    this.handle = handle
    this.file = idOf(await handle.stat())
    this.at = at
    this.ended = false
    this.seen.add(this.file)
  }

  private async *blocks(handle: FileHandle, from: number): AsyncGenerator<Buffer> {
    for (let at = from; ; ) {
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(BLOCK), 0, BLOCK, at)
      if (bytesRead === 0) return
      at += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  }

  /** The file and what it was called before. */
  private async siblings(): Promise<{ path: string; stats: Stats }[]> {
    const folder = dirname(this.path)
    const names = (await readdir(folder)).filter((one) => one.startsWith(basename(this.path)) && !PACKED.test(one))
    const all = await Promise.all(
      names.map(async (name) => {
        const path = join(folder, name)
        const stats = await stat(path).catch(missing)
        return stats?.isFile() ? { path, stats } : undefined
      }),
    )
    return all.filter((one) => one !== undefined)
  }
}

function byAge(a: { stats: Stats }, b: { stats: Stats }): number {
  return a.stats.mtimeMs - b.stats.mtimeMs || a.stats.birthtimeMs - b.stats.birthtimeMs
}

/** An inode may be given to another file later, so its time of birth belongs to it. */
function idOf({ ino, birthtimeMs }: Stats): string {
  return `${ino}:${birthtimeMs}`
}

function missing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined
  throw error
}
