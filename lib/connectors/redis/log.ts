import { oneByOne, type PositionedLists, type ReplaySource } from '../../jobs/sources'
import type { Link } from '../link'
import { type RedisConnection, redisLink } from './connection'
import { type EntryFormat, entryFormat, type RawEntry } from './entries'
import type { RedisSourceSettings } from './source'

/** Milliseconds that the server holds a question it has no answer to yet. */
export const BLOCK = 500

/** Reads a stream by itself; positions are ids of entries. */
export class LogSource<T> implements ReplaySource<T, string> {
  private readonly link: Link<RedisConnection>
  private readonly format: EntryFormat<T>

  constructor(private readonly settings: RedisSourceSettings<T>) {
    this.link = redisLink(settings.what, settings, settings.common as never, true)
    this.format = entryFormat(settings.field, settings.common.codec)
  }

  read(position: string | undefined, signal?: AbortSignal): AsyncIterable<readonly [T, string]> {
    return oneByOne(this.readMany(position, signal))
  }

  readMany(position: string | undefined, signal?: AbortSignal): PositionedLists<T, string> {
    return this.lists(position ?? this.settings.start, signal)
  }

  close(): Promise<void> {
    return this.link.close()
  }

  private async *lists(start: string, signal: AbortSignal | undefined): AsyncGenerator<(readonly [T, string])[]> {
    const { end, common } = this.settings
    const over = this.link.signal
    let last = start
    if (start === '$') last = await this.newest(signal)
    // The next answer is on its way while this one is worked off.
    let next = ahead(this.ask(last, signal))
    while (!signal?.aborted && !common.signal?.aborted && !over.aborted) {
      const entries = await next
      if (entries === undefined || (end && entries.length === 0)) return
      if (entries.length > 0) last = entries.at(-1)![0].toString('latin1')
      next = ahead(this.ask(last, signal))
      const list: (readonly [T, string])[] = []
      for (const [id, fields] of entries) {
        const position = id.toString('latin1')
        let value: T
        try {
          value = this.format.decode(fields!)
        } catch (error) {
          // Where a bad one is the stream's error, those before it come before that.
          if (list.length > 0) yield list.splice(0)
          common.deadLetters.add(error, fields, position)
          continue
        }
        list.push([value, position])
      }
      if (signal?.aborted) return
      yield list
    }
  }

  private ask(from: string, signal: AbortSignal | undefined): Promise<readonly RawEntry[] | undefined> {
    const { stream, end, common } = this.settings
    const block = end ? [] : ['BLOCK', `${BLOCK}`]
    const command = ['XREAD', 'COUNT', `${common.batch}`, ...block, 'STREAMS', stream, from]
    return this.link.use(signal, async (redis) => {
      const answer = await redis.sendCommand<[Buffer, RawEntry[]][] | null>(command)
      return answer?.[0]?.[1] ?? []
    })
  }

  /** The last id that there is at this moment: from then on it is known what comes after it. */
  private async newest(signal: AbortSignal | undefined): Promise<string> {
    const entries = await this.link.use(signal, (redis) =>
      redis.sendCommand<RawEntry[]>(['XREVRANGE', this.settings.stream, '+', '-', 'COUNT', '1']),
    )
    return entries?.[0]?.[0].toString('latin1') ?? '0'
  }
}

/** Asked for ahead of time: where it fails, that is for whoever takes it, later. */
export function ahead<R>(answer: Promise<R>): Promise<R> {
  answer.catch(() => {})
  return answer
}
