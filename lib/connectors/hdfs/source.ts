import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { JobError } from '../../errors'
import { oneByOne, type ReplaySource } from '../../jobs/sources'
import { StreamChecker } from '../../streams/check'
import { linesOf } from '../formats/lines'
import { checkReading, FILE_OPTIONS, type FileOptions } from '../formats/options'
import { formatOf, type Placed, positioned, type Reading, readPlaced } from '../formats/reading'
import { anySignal } from '../options'
import { Backoff, pause, retrying } from '../retry'
import { checkHdfs, HDFS, type HdfsFile, type HdfsOptions, WebHdfs, worthwhile } from './client'

export interface HdfsSourceOptions<T> extends FileOptions<T>, HdfsOptions {
  /** Which files, by their names (default: those whose ending is known, with `format` all; never those that begin with a dot or '_'). */
  match?: RegExp | ((name: string) => boolean)
  /** Whether it waits for further files (default false: it ends when all are read). */
  watch?: boolean
  /** Milliseconds between two looks, with `watch` (default 10,000). */
  every?: number
}

/** Where the source is: behind all files up to `after`, and within one, as it was then. */
export interface HdfsPosition {
  readonly after?: string
  readonly file?: string
  readonly at?: number
  readonly modified?: number
}

/**
 * The files of a folder, each once, in the order of their names. With `watch` it goes on with those whose names sort behind the last one.
 * Files must be complete when they get their names, as Hadoop's programs do it by renaming.
 *
 * Delivery: exactly once in a job, as long as files stay as they are. One that was replaced while it was read is an error.
 */
export function hdfsSource<T = unknown>(options: HdfsSourceOptions<T>): ReplaySource<T, HdfsPosition> {
  const check = new StreamChecker('hdfsSource', options ?? {}, [...FILE_OPTIONS, ...HDFS, 'match', 'watch', 'every'])
  const hdfs = checkHdfs(check, options ?? {})
  const reading = checkReading(check, `hdfs: ${hdfs.path}`, options ?? {})
  const { match } = options ?? {}
  if (match !== undefined && typeof match !== 'function' && !(match instanceof RegExp)) {
    check.problem("'match' must be a RegExp or a function", match)
  }
  const matches = (name: string) => {
    if (/^[._]/.test(name)) return false
    if (typeof match === 'function') return match(name)
    if (match !== undefined) return name.search(match) >= 0
    return reading.options.format !== undefined || formatOf(name) !== undefined
  }
  const watch = check.flag('watch', options?.watch) ?? false
  const every = check.time('every', options?.every, false) ?? 10_000
  const own = check.signal('signal', options?.signal)
  check.done()
  return new HdfsSource<T>(new WebHdfs(hdfs), reading, matches, watch ? every : undefined, own)
}

class HdfsSource<T> implements ReplaySource<T, HdfsPosition> {
  private over = new AbortController()

  constructor(
    private readonly hdfs: WebHdfs,
    private readonly reading: Reading,
    private readonly matches: (name: string) => boolean,
    private readonly every: number | undefined,
    private readonly own: AbortSignal | undefined,
  ) {}

  read(position: HdfsPosition | undefined, signal?: AbortSignal): AsyncGenerator<readonly [T, HdfsPosition]> {
    return oneByOne(this.readMany(position, signal))
  }

  async *readMany(
    position: HdfsPosition | undefined,
    signal?: AbortSignal,
  ): AsyncGenerator<readonly (readonly [T, HdfsPosition])[]> {
    const over = anySignal(signal, this.own, this.over.signal)
    let { after = '', file: current, at = 0 } = position ?? {}
    while (!over.aborted) {
      for (const file of await this.files(after, over)) {
        if (file.name === current && position?.modified !== file.modified) throw this.replaced(file.name)
        yield* this.items(file, file.name === current ? at : 0, after, over)
        if (over.aborted) return
        after = file.name
        current = undefined
      }
      if (this.every === undefined) return
      at = 0
      await pause(this.every, over)
    }
  }

  close(): void {
    this.over.abort()
    this.over = new AbortController()
  }

  private async files(after: string, over: AbortSignal): Promise<HdfsFile[]> {
    const { path } = this.hdfs.options
    const all = await retrying(this.backoff('listing'), over, () => this.hdfs.list(path, over), worthwhile)
    const some = (all ?? []).filter(({ name }) => name > after && this.matches(name))
    return some.sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** The items of a file; the last one's position says that it is done. */
  private async *items(file: HdfsFile, from: number, after: string, over: AbortSignal) {
    const { name, modified } = file
    const place = (at: number): HdfsPosition => ({ after, file: name, at, modified })
    yield* positioned<T, HdfsPosition>(this.placed(file, from, over), place, { after: name }, over)
  }

  private async *placed({ name, length }: HdfsFile, from: number, over: AbortSignal): AsyncGenerator<Placed[]> {
    const { path } = this.hdfs.options
    const whole = path === '/' ? `/${name}` : `${path}/${name}`
    const format = this.reading.options.format ?? formatOf(name) ?? 'whole'
    if (format === 'text' || format === 'jsonl') {
      yield* this.lines(whole, length, from, format, over)
      return
    }
    // The others are read from several places, or as a whole.
    const folder = await mkdtemp(join(tmpdir(), 'rxjs-python-hdfs-'))
    try {
      const local = join(folder, 'file')
      const fetch = async () => {
        await pipeline(await this.hdfs.open(whole, 0, over), createWriteStream(local))
        return true
      }
      if (await retrying(this.backoff(`reading ${whole}`), over, fetch, worthwhile)) {
        yield* readPlaced(local, from, this.reading, name)
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  /** Goes on at the line where a connection broke. */
  private async *lines(path: string, length: number, from: number, format: 'text' | 'jsonl', over: AbortSignal) {
    const backoff = this.backoff(`reading ${path}`)
    for (let at = from; at < length && !over.aborted; ) {
      try {
        const body = await this.hdfs.open(path, at, over)
        try {
          for await (const block of linesOf(body, at, format, this.reading)) {
            at = block.at(-1)![1]
            backoff.succeeded()
            yield block
          }
        } finally {
          body.destroy()
        }
        return
      } catch (error) {
        if (over.aborted) return
        if (!worthwhile(error)) throw error
        await backoff.failed(error, over)
      }
    }
  }

  private replaced(name: string): JobError {
    const message = `hdfs: ${name} was replaced while it was read, so its lines are not those that came before`
    return new JobError('ERR_JOB_RECOVERY', message)
  }

  private backoff(what: string): Backoff {
    const { path, retry, secrets } = this.hdfs.options
    return new Backoff(`hdfs: ${what} in ${path}`, retry, secrets)
  }
}
