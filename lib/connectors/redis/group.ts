import { oneByOne, type PositionedLists, type Source } from '../../jobs/sources'
import type { Link } from '../link'
import { type RedisConnection, redisLink } from './connection'
import { compareIds, type EntryFormat, entryFormat, type RawEntry } from './entries'
import { ahead, BLOCK } from './log'
import type { RedisSourceSettings } from './source'

/** Where a member of a group stands. */
export interface GroupPosition {
  /** The last entry that the group gave to this member; entries come in the order of their ids. */
  readonly last: string
  /** Entries that it took over from others, and that are not acknowledged yet. */
  readonly claimed: readonly string[]
}

export interface GroupSettings {
  readonly group: string
  readonly consumer: string
  /** Milliseconds; undefined: never. */
  readonly claimIdle: number | undefined
}

/** So many entries may be unacknowledged before a commit is asked for: their ids are kept. */
const WINDOW = 50_000
/** So many ids in one acknowledgement. */
const ACKS = 1000

/**
 * Reads a stream as a member of a consumer group. What others leave is taken over under a second name, so that of the entries
 * that are pending under the first one it is known by their ids alone which were given to the stream already.
 */
export class GroupSource<T> implements Source<T, GroupPosition> {
  private readonly reading: Link<RedisConnection>
  /** A connection whose reader waits for entries takes no other commands meanwhile. */
  private readonly acknowledging: Link<RedisConnection>
  private readonly format: EntryFormat<T>
  /** Of this member, given to the stream and not acknowledged, in the order of ids. */
  private given: string[] = []
  private position: GroupPosition = { last: '0', claimed: [] }

  constructor(
    private readonly settings: RedisSourceSettings<T>,
    private readonly member: GroupSettings,
  ) {
    this.reading = redisLink(settings.what, settings, settings.common as never, true)
    this.acknowledging = redisLink(settings.what, settings, settings.common as never, false)
    this.format = entryFormat(settings.field, settings.common.codec)
  }

  read(
    position: GroupPosition | undefined,
    signal?: AbortSignal,
    commitSoon?: () => void,
  ): AsyncIterable<readonly [T, GroupPosition]> {
    return oneByOne(this.readMany(position, signal, commitSoon))
  }

  readMany(
    position: GroupPosition | undefined,
    signal?: AbortSignal,
    commitSoon?: () => void,
  ): PositionedLists<T, GroupPosition> {
    this.position = position ?? { last: '0', claimed: [] }
    this.given = []
    return this.lists(signal, commitSoon)
  }

  async commit({ last, claimed }: GroupPosition): Promise<void> {
    const count = upTo(this.given, last)
    await this.acknowledge([...this.given.slice(0, count), ...claimed])
    this.given.splice(0, count)
    const done = new Set(claimed)
    const left = this.position.claimed.filter((id) => !done.has(id))
    this.position = { last: this.position.last, claimed: left }
  }

  async close(): Promise<void> {
    await Promise.all([this.reading.close(), this.acknowledging.close()])
  }

  private async *lists(
    signal: AbortSignal | undefined,
    commitSoon: (() => void) | undefined,
  ): AsyncGenerator<(readonly [T, GroupPosition])[]> {
    const { reading } = this
    const over = reading.signal
    const { common, end } = this.settings
    const stopped = () => signal?.aborted || common.signal?.aborted || over.aborted
    let claimAt = 0
    while (!stopped()) {
      // At the beginning, and after each connection that was lost: what this member was given, and nobody has seen.
      const connection = await reading.use(signal, async (redis) => {
        await this.makeGroup(redis)
        return redis
      })
      if (connection === undefined) return
      try {
        yield* this.pending(connection, stopped)
        let next = ahead(this.ask(connection, '>'))
        while (!stopped()) {
          const entries = await next
          // Under the first name nothing is left behind; under the second one there may be, where others have died.
          if (performance.now() >= claimAt) {
            claimAt = performance.now() + (this.member.claimIdle ?? Number.POSITIVE_INFINITY) / 2
            for await (const entries of this.claim(connection)) {
              yield* this.give(entries, true)
            }
          }
          if (end && entries.length === 0) return
          next = ahead(this.ask(connection, '>'))
          if (stopped()) return
          yield* this.give(entries, false)
          if (this.given.length >= WINDOW) commitSoon?.()
        }
      } catch (error) {
        if (stopped()) return
        await reading.failed(error, signal)
      }
    }
  }

  /** Entries to the stream; bad ones to the dead letters, and so worked off. */
  private *give(entries: readonly RawEntry[], isClaimed: boolean): Generator<(readonly [T, GroupPosition])[]> {
    const list: (readonly [T, GroupPosition])[] = []
    for (const [rawId, fields] of entries) {
      const id = rawId.toString('latin1')
      const { position } = this
      if (isClaimed) this.position = { last: position.last, claimed: [...position.claimed, id] }
      else {
        this.position = { last: id, claimed: position.claimed }
        this.given.push(id)
      }
      let value: T
      try {
        if (fields === null) throw new Error('the entry was trimmed before it was read')
        value = this.format.decode(fields)
      } catch (error) {
        // Where a bad one is the stream's error, those before it come before that.
        if (list.length > 0) yield list.splice(0)
        this.settings.common.deadLetters.add(error, fields, id as never)
        continue
      }
      list.push([value, this.position])
    }
    if (list.length > 0) yield list
  }

  /** What the server holds as given to this member: acknowledged where the position covers it, else given to the stream. */
  private async *pending(
    redis: RedisConnection,
    stopped: () => boolean | undefined,
  ): AsyncGenerator<(readonly [T, GroupPosition])[]> {
    for (const isClaimed of [false, true]) {
      const known = new Set(this.position.claimed)
      const { last } = this.position
      const unacknowledged = new Set(this.given)
      const done: string[] = []
      for (let from = '0'; !stopped(); ) {
        const entries = await this.ask(redis, from, isClaimed)
        const unseen: RawEntry[] = []
        for (const entry of entries) {
          const id = entry[0].toString('latin1')
          from = id
          const seen = isClaimed ? known.has(id) : compareIds(id, last) <= 0
          if (!seen) unseen.push(entry)
          // Those that this very reader gave out wait for their commit.
          else if (!isClaimed && !unacknowledged.has(id)) done.push(id)
        }
        yield* this.give(unseen, isClaimed)
        if (entries.length === 0) break
      }
      await this.acknowledge(done)
    }
  }

  private async ask(redis: RedisConnection, from: string, isClaimed = false): Promise<readonly RawEntry[]> {
    const { stream, end, common } = this.settings
    const block = end || from !== '>' ? [] : ['BLOCK', `${BLOCK}`]
    const name = isClaimed ? this.claimer : this.member.consumer
    const answer = await redis.sendCommand<[Buffer, RawEntry[]][] | null>([
      ...['XREADGROUP', 'GROUP', this.member.group, name, 'COUNT', `${common.batch}`],
      ...[...block, 'STREAMS', stream, from],
    ])
    return answer?.[0]?.[1] ?? []
  }

  /** Takes over what members have left for too long, part by part. */
  private async *claim(redis: RedisConnection): AsyncGenerator<readonly RawEntry[]> {
    const { claimIdle, group, consumer } = this.member
    if (claimIdle === undefined) return
    const { stream, common } = this.settings
    const idle = `${Math.ceil(claimIdle)}`
    const names = [consumer, this.claimer]
    for (let from = '-'; ; ) {
      const found = await redis.sendCommand<[Buffer, Buffer, number, number][]>([
        ...['XPENDING', stream, group, 'IDLE', idle, from, '+', `${common.batch}`],
      ])
      const ids = found.filter(([, owner]) => !names.includes(owner.toString())).map(([id]) => id)
      // Entries that another one has taken over meanwhile are idle no longer, and left out.
      if (ids.length > 0) yield await redis.sendCommand(['XCLAIM', stream, group, this.claimer, idle, ...ids])
      if (found.length < common.batch) return
      from = `(${found.at(-1)![0].toString('latin1')}`
    }
  }

  private get claimer(): string {
    return `${this.member.consumer}:claims`
  }

  private async makeGroup(redis: RedisConnection): Promise<void> {
    const { stream, start } = this.settings
    try {
      await redis.sendCommand(['XGROUP', 'CREATE', stream, this.member.group, start, 'MKSTREAM'])
    } catch (error) {
      if (!(error as Error).message.startsWith('BUSYGROUP')) throw error
    }
  }

  private async acknowledge(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    const { stream } = this.settings
    await this.acknowledging.use(undefined, async (redis) => {
      const sent: Promise<unknown>[] = []
      for (let at = 0; at < ids.length; at += ACKS) {
        sent.push(redis.sendCommand(['XACK', stream, this.member.group, ...ids.slice(at, at + ACKS)]))
      }
      await Promise.all(sent)
    })
  }
}

/** How many of these ids, which are in order, do not lie behind `last`. */
function upTo(ids: readonly string[], last: string): number {
  let [from, to] = [0, ids.length]
  while (from < to) {
    const middle = (from + to) >> 1
    if (compareIds(ids[middle]!, last) <= 0) from = middle + 1
    else to = middle
  }
  return from
}
