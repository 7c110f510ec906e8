import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { JobError } from '../../errors'
import { oneByOne, type ReplaySource } from '../../jobs/sources'
import { StreamChecker } from '../../streams/check'
import { linesOf } from '../formats/lines'
import { checkReading, FILE_OPTIONS, type FileOptions } from '../formats/options'
import { formatOf, type Placed, positioned, type Reading, readPlaced } from '../formats/reading'
import { anySignal } from '../options'
import { Backoff, pause } from '../retry'
import { Bucket, checkS3, S3, type S3Options, worthwhile } from './client'

export interface S3SourceOptions<T> extends FileOptions<T>, S3Options {
  /** Which objects, by their keys (default: those whose ending is known, with `format` all). */
  match?: RegExp | ((key: string) => boolean)
  /** Whether it waits for further objects (default false: it ends when all are read). */
  watch?: boolean
  /** Milliseconds between two looks, with `watch` (default 10,000). */
  every?: number
}

/** Where the source is: behind all objects up to `after`, and within one. */
export interface S3Position {
  readonly after?: string
  readonly key?: string
  readonly at?: number
  readonly etag?: string
}

interface Found {
  readonly key: string
  readonly etag: string | undefined
}

/**
 * The objects of a bucket, each once, in the order of their keys, which names with a time in them keep. With `watch` it goes on with
 * those whose keys sort behind the last one; others that come later are not seen.
 *
 * Delivery: exactly once in a job, as long as objects stay as they are. One that was replaced while it was read is an error.
 */
export function s3Source<T = unknown>(options: S3SourceOptions<T>): ReplaySource<T, S3Position> {
  const check = new StreamChecker('s3Source', options ?? {}, [...FILE_OPTIONS, ...S3, 'match', 'watch', 'every'])
  const s3 = checkS3(check, options ?? {})
  const reading = checkReading(check, `s3: ${s3.bucket}/${s3.prefix}`, options ?? {})
  const { match } = options ?? {}
  if (match !== undefined && typeof match !== 'function' && !(match instanceof RegExp)) {
    check.problem("'match' must be a RegExp or a function", match)
  }
  const matches = (key: string) => {
    if (typeof match === 'function') return match(key)
    if (match !== undefined) return key.search(match) >= 0
    return !key.endsWith('/') && (reading.options.format !== undefined || formatOf(key) !== undefined)
  }
  const watch = check.flag('watch', options?.watch) ?? false
  const every = check.time('every', options?.every, false) ?? 10_000
  const own = check.signal('signal', options?.signal)
  check.done()
  return new S3Source<T>(new Bucket(s3), reading, matches, watch ? every : undefined, own)
}

class S3Source<T> implements ReplaySource<T, S3Position> {
  private over = new AbortController()

  constructor(
    private readonly bucket: Bucket,
    private readonly reading: Reading,
    private readonly matches: (key: string) => boolean,
    private readonly every: number | undefined,
    private readonly own: AbortSignal | undefined,
  ) {}

  read(position: S3Position | undefined, signal?: AbortSignal): AsyncGenerator<readonly [T, S3Position]> {
    return oneByOne(this.readMany(position, signal))
  }

  async *readMany(
    position: S3Position | undefined,
    signal?: AbortSignal,
  ): AsyncGenerator<readonly (readonly [T, S3Position])[]> {
    const over = anySignal(signal, this.own, this.over.signal)
    let { after } = position ?? {}
    if (position?.key !== undefined) {
      const { key, at = 0, etag } = position
      yield* this.object({ key, etag }, at, after, over)
      after = key
    }
    while (!over.aborted) {
      for await (const found of this.list(after, over)) {
        yield* this.object(found, 0, after, over)
        after = found.key
      }
      if (this.every === undefined) return
      await pause(this.every, over)
    }
  }

  async close(): Promise<void> {
    this.over.abort()
    this.over = new AbortController()
    await this.bucket.close()
  }

  private async *list(after: string | undefined, over: AbortSignal): AsyncGenerator<Found> {
    const { bucket, prefix } = this.bucket.options
    let last = after
    for (let more = true; more; ) {
      const page = await this.trying('listing', over, async () => {
        const { sdk, client } = await this.bucket.use()
        const command = new sdk.ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, StartAfter: last })
        return client.send(command, { abortSignal: over })
      })
      if (page === undefined) return
      for (const { Key: key, ETag: etag } of page.Contents ?? []) {
        if (key === undefined) continue
        last = key
        if (this.matches(key)) yield { key, etag }
      }
      more = page.IsTruncated === true && (page.Contents ?? []).length > 0
    }
  }

  /** The items of an object; the last one's position says that it is done. */
  private async *object(found: Found, from: number, after: string | undefined, over: AbortSignal) {
    const { key, etag } = found
    const place = (at: number): S3Position => ({ after, key, at, etag })
    yield* positioned<T, S3Position>(this.placed(found, from, over), place, { after: key }, over)
  }

  private async *placed(found: Found, from: number, over: AbortSignal): AsyncGenerator<Placed[]> {
    const format = this.reading.options.format ?? formatOf(found.key) ?? 'whole'
    if (format === 'text' || format === 'jsonl') {
      yield* this.lines(found, from, format, over)
      return
    }
    // The others are read from several places, or as a whole.
    const folder = await mkdtemp(join(tmpdir(), 'rxjs-python-s3-'))
    try {
      const path = join(folder, 'object')
      const fetched = await this.trying(`reading ${found.key}`, over, async () => {
        const body = await this.get(found, 0, over)
        if (body !== undefined) await pipeline(body, createWriteStream(path))
        return true
      })
      if (fetched) yield* readPlaced(path, from, this.reading, found.key)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  /** Goes on at the line where a connection broke. */
  private async *lines(
    found: Found,
    from: number,
    format: 'text' | 'jsonl',
    over: AbortSignal,
  ): AsyncGenerator<Placed[]> {
    const backoff = this.backoff()
    for (let at = from; !over.aborted; ) {
      let body: Readable | undefined
      try {
        body = await this.get(found, at, over)
        if (body === undefined) return
        for await (const block of linesOf(body, at, format, this.reading)) {
          at = block.at(-1)![1]
          backoff.succeeded()
          yield block
        }
        return
      } catch (error) {
        if (over.aborted) return
        if (!worthwhile(error)) throw this.explain(found, error)
        await backoff.failed(error, over)
      } finally {
        body?.destroy()
      }
    }
  }

  /** The bytes from a place on; undefined where there are none. */
  private async get({ key, etag }: Found, at: number, over: AbortSignal): Promise<Readable | undefined> {
    const { sdk, client } = await this.bucket.use()
    const command = new sdk.GetObjectCommand({
      Bucket: this.bucket.options.bucket,
      Key: key,
      ...(etag !== undefined && { IfMatch: etag }),
      ...(at > 0 && { Range: `bytes=${at}-` }),
    })
    try {
      return (await client.send(command, { abortSignal: over })).Body as Readable | undefined
    } catch (error) {
      // The place is the object's end.
      if ((error as Error).name === 'InvalidRange') return undefined
      throw error
    }
  }

  private async trying<R>(what: string, over: AbortSignal, act: () => Promise<R>): Promise<R | undefined> {
    const backoff = this.backoff()
    while (!over.aborted) {
      try {
        return await act()
      } catch (error) {
        if (over.aborted) return undefined
        if (!worthwhile(error)) throw this.bucket.failure(what, error)
        await backoff.failed(error, over)
      }
    }
    return undefined
  }

  private explain({ key }: Found, error: unknown): unknown {
    if ((error as Error).name === 'PreconditionFailed') {
      const message = `s3: ${key} was replaced while it was read, so its lines are not those that came before`
      return new JobError('ERR_JOB_RECOVERY', message, { cause: error })
    }
    return (error as { $metadata?: unknown }).$metadata === undefined
      ? error
      : this.bucket.failure(`reading ${key}`, error)
  }

  private backoff(): Backoff {
    const { bucket, prefix, retry, secrets } = this.bucket.options
    return new Backoff(`s3: ${bucket}/${prefix}`, retry, secrets)
  }
}
