import { readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { oneByOne, type ReplaySource, type Source } from '../../jobs/sources'
import { StreamChecker } from '../../streams/check'
import { checkReading, FILE_OPTIONS, type FileOptions } from '../formats/options'
import { formatOf, positioned, type Reading, readPlaced } from '../formats/reading'
import { anySignal } from '../options'
import { pause } from '../retry'

/**
 * What a file has in it, once: lines, JSON values, or the records of CSV, Parquet and Arrow. The position is the byte behind a line, or
 * the number of records; CSV and Parquet are read again up to it.
 *
 * Delivery: exactly once in a job, as long as the file stays as it is.
 */
export function fileSource<T = unknown>(path: string, options: FileOptions<T> = {}): ReplaySource<T, number> {
  const check = new StreamChecker('fileSource', options, FILE_OPTIONS)
  if (check.text('path', path) === undefined) check.problem("'path' is missing")
  const reading = checkReading(check, `files: ${path}`, options, typeof path === 'string' ? path : '')
  const own = check.signal('signal', options.signal)
  check.done()
  async function* readMany(position = 0, signal?: AbortSignal): AsyncGenerator<readonly (readonly [T, number])[]> {
    const over = anySignal(signal, own)
    if (over.aborted) return
    for await (const block of readPlaced(path, position, reading)) {
      yield block as (readonly [T, number])[]
      if (over.aborted) return
    }
  }
  return { read: (position, signal) => oneByOne(readMany(position, signal)), readMany }
}

/** Where a folder's source is. */
export interface FolderPosition {
  /** The files that were read to their end, as far as they are still there. */
  readonly done: readonly string[]
  /** The one that is being read, and the place in it. */
  readonly file?: string
  readonly at?: number
}

export interface FolderOptions<T> extends FileOptions<T> {
  /** Which files (default: those whose ending is known, with `format` all; never those that begin with a dot). */
  match?: RegExp | ((name: string) => boolean)
  /** Whether it waits for further files (default true), or ends when all are read. */
  watch?: boolean
  /** Milliseconds between two looks at the folder (default 500). */
  every?: number
  /**
   * Milliseconds for which a file must not have changed before it is read (default 1000). 0 where files come by renaming, which is
   * the safe way.
   */
  settle?: number
  /** What becomes of a file that was read, once a checkpoint has it: `'keep'` (default), `'delete'`, or a folder to move it to. */
  afterwards?: 'keep' | 'delete' | { moveTo: string }
}

/**
 * The files of a folder, each once, in the order of their names as they come. Which ones were read, and how far the current one, is in the
 * checkpoints.
 *
 * Delivery: exactly once in a job, as long as files are complete when they are read and stay as they are.
 */
export function folderSource<T = unknown>(folder: string, options: FolderOptions<T> = {}): Source<T, FolderPosition> {
  const known = [...FILE_OPTIONS, 'match', 'watch', 'every', 'settle', 'afterwards']
  const check = new StreamChecker('folderSource', options, known)
  if (check.text('folder', folder) === undefined) check.problem("'folder' is missing")
  const reading = checkReading(check, `files: ${folder}`, options)
  const { match, afterwards = 'keep' } = options
  if (match !== undefined && typeof match !== 'function' && !(match instanceof RegExp)) {
    check.problem("'match' must be a RegExp or a function", match)
  }
  const moveTo = typeof afterwards === 'object' ? afterwards?.moveTo : undefined
  if (afterwards !== 'keep' && afterwards !== 'delete' && typeof moveTo !== 'string') {
    check.problem("'afterwards' must be 'keep', 'delete' or { moveTo }", afterwards)
  }
  const complete = {
    match: matcher(match, reading),
    watch: check.flag('watch', options.watch) ?? true,
    every: check.time('every', options.every, false) ?? 500,
    settle: check.time('settle', options.settle, true) ?? 1000,
    remove: afterwards === 'delete',
    moveTo,
    signal: check.signal('signal', options.signal),
  }
  check.done()
  return new FolderSource<T>(folder, reading, complete)
}

function matcher(match: FolderOptions<unknown>['match'], { options }: Reading): (name: string) => boolean {
  if (typeof match === 'function') return match
  if (match !== undefined) return (name) => name.search(match) >= 0
  return (name) => options.format !== undefined || formatOf(name) !== undefined
}

interface Complete {
  readonly match: (name: string) => boolean
  readonly watch: boolean
  readonly every: number
  readonly settle: number
  readonly remove: boolean
  readonly moveTo: string | undefined
  readonly signal: AbortSignal | undefined
}

class FolderSource<T> implements Source<T, FolderPosition> {
  private over = new AbortController()

  constructor(
    private readonly folder: string,
    private readonly reading: Reading,
    private readonly options: Complete,
  ) {}

  read(position: FolderPosition | undefined, signal?: AbortSignal): AsyncGenerator<readonly [T, FolderPosition]> {
    return oneByOne(this.readMany(position, signal))
  }

  async *readMany(
    position: FolderPosition | undefined,
    signal?: AbortSignal,
  ): AsyncGenerator<readonly (readonly [T, FolderPosition])[]> {
    const { every, watch } = this.options
    const over = anySignal(signal, this.options.signal, this.over.signal)
    let done: readonly string[] = position?.done ?? []
    let { file: current, at = 0 } = position ?? {}
    while (!over.aborted) {
      const names = await this.names()
      // Those that have gone need not be known any more.
      const there = new Set(names)
      if (done.some((name) => !there.has(name))) done = done.filter((name) => there.has(name))
      const known = new Set(done)
      let waits = false
      for (const name of current === undefined ? names : [current, ...names.filter((one) => one !== current)]) {
        if (known.has(name) || over.aborted) continue
        if (name !== current && !(await this.settled(name))) {
          waits = true
          continue
        }
        const from = name === current ? at : 0
        current = undefined
        const before = done
        done = [...done, name]
        const place = (at: number): FolderPosition => ({ done: before, file: name, at })
        const blocks = readPlaced(join(this.folder, name), from, this.reading, name)
        yield* positioned<T, FolderPosition>(blocks, place, { done }, over)
        if (over.aborted) return
      }
      if (!watch && !waits) return
      await pause(every, over)
    }
  }

  async commit({ done }: FolderPosition): Promise<void> {
    const { remove, moveTo } = this.options
    if (!remove && moveTo === undefined) return
    for (const name of done) {
      const path = join(this.folder, name)
      // Done before, perhaps by the process that was killed.
      const gone = (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error
      }
      if (moveTo === undefined) await rm(path).catch(gone)
      else await rename(path, join(moveTo, name)).catch(gone)
    }
  }

  close(): void {
    this.over.abort()
    this.over = new AbortController()
  }

  private async names(): Promise<string[]> {
    const inside = await readdir(this.folder, { withFileTypes: true })
    const names = inside.filter((one) => one.isFile() && !one.name.startsWith('.')).map(({ name }) => name)
    return names.filter((name) => this.options.match(name)).sort()
  }

  private async settled(name: string): Promise<boolean> {
    const { settle } = this.options
    if (settle === 0) return true
    const known = await stat(join(this.folder, name)).catch(() => undefined)
    return known !== undefined && Date.now() - Math.max(known.mtimeMs, known.ctimeMs) >= settle
  }
}
