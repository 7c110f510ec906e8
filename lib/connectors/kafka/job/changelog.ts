import { deserialize, serialize } from 'node:v8'
import type { Key } from 'lmdb'
import { type Checkpoint, JobStore, LIVE, type PartToSave, type StoreChange } from '../../../jobs/store'
import type { KafkaAdmin, KafkaClient, OutgoingRecord, RawRecord, TopicPartition } from '../adapter'

/** So much of a value is in one record: below what brokers take by default. */
const FRAGMENT = 512 << 10
/** A store that is older may have missed that keys are gone: a compacted topic tells so for a day. */
const TOO_OLD = 12 * 60 * 60 * 1000
const MARK: Key = ['changelog']

/** What a transaction takes from an epoch. */
export interface EpochWriter {
  /** Whether results were written since the last epoch. */
  readonly dirty: boolean
  /** The records and the position, with all results of the epoch, in one transaction. */
  commit(records: readonly OutgoingRecord[], position: number | undefined, epoch: number): Promise<void>
}

export interface Restored {
  /** Records of the changelog that were read. */
  readonly records: number
  readonly milliseconds: number
  /** Whether the local store was there and only had to catch up. */
  readonly reused: boolean
}

/** How far the local store has followed the changelog, and when. */
interface Mark {
  readonly offset: number
  readonly at: number
}

/**
 * The checkpoints of one partition: in a compacted topic, which whoever takes the partition over reads, and in a local file, which
 * spares that where nothing was missed. The transaction in the topic is what counts; the file follows it.
 */
export class ChangelogStore extends JobStore {
  private position: number | undefined
  private first = true

  constructor(
    folder: string,
    name: string,
    private readonly changelog: TopicPartition,
    private readonly admin: KafkaAdmin,
    private readonly writer: EpochWriter,
  ) {
    super(folder, name)
  }

  /** Makes the local store what the changelog says. Whoever wrote it before must be fenced off already. */
  async restore(client: KafkaClient): Promise<Restored> {
    const began = performance.now()
    const ends = await this.admin.ends(this.changelog)
    const mark = this.mark()
    const reused =
      mark !== undefined && mark.offset >= ends.low && mark.offset <= ends.high && Date.now() - mark.at < TOO_OLD
    if (!reused) await this.apply(this.keysOfArea(LIVE).map((key) => [key, undefined]))
    let records = 0
    const from = reused ? mark.offset : ends.low
    if (from < ends.high) {
      const pieces = new Pieces()
      const reader = await client.reader({ ...this.changelog, offset: from })
      try {
        for (let some = await reader.next(); some !== undefined; some = await reader.next()) {
          records += some.length
          await this.apply(some.flatMap((record) => pieces.add(record)))
        }
      } finally {
        await reader.close()
      }
    }
    await this.apply([[MARK, serialize({ offset: ends.high, at: Date.now() } satisfies Mark)]])
    this.next.clear()
    const checkpoint = this.checkpoint()
    this.position = checkpoint === undefined ? undefined : positionOf(checkpoint)
    return { records, milliseconds: performance.now() - began, reused }
  }

  override async save(checkpoint: Checkpoint, parts: readonly PartToSave[]): Promise<void> {
    const position = positionOf(checkpoint)
    const changed = parts.some(({ all, chunks, places }) => all || chunks.length > 0 || (places?.length ?? 0) > 0)
    // Nothing has happened: neither the topic nor the disk hears of it.
    if (!this.first && !changed && !this.writer.dirty && position === this.position) return
    const nothing = this.first && position === undefined && !changed && !this.writer.dirty
    this.first = false
    if (nothing) return
    const changes = this.changesOf(checkpoint, parts)
    // What lies before this point is our own, or older: nobody else writes while our transaction can still be committed.
    const { high } = await this.admin.ends(this.changelog)
    await this.writer.commit(
      changes.flatMap((change) => this.recordsOf(change)),
      position,
      checkpoint.epoch,
    )
    const mark: Mark = { offset: high, at: Date.now() }
    await this.apply([...changes, [MARK, serialize(mark)]])
    this.position = position
  }

  private mark(): Mark | undefined {
    const data = this.db.get(MARK)
    return data === undefined ? undefined : (deserialize(data) as Mark)
  }

  /** A change as records: long values in pieces, and an end to pieces that there were before. */
  private recordsOf([key, value]: StoreChange): OutgoingRecord[] {
    const old = Math.ceil((this.db.get(key)?.length ?? 0) / FRAGMENT)
    const count = value === undefined ? 0 : Math.max(1, Math.ceil(value.length / FRAGMENT))
    const records: OutgoingRecord[] = []
    for (let piece = 0; piece < Math.max(count, old); piece++) {
      const part = piece < count ? value!.subarray(piece * FRAGMENT, (piece + 1) * FRAGMENT) : null
      records.push({
        ...this.changelog,
        key: Buffer.from(JSON.stringify([...(key as Key[]), piece])),
        value: part === null ? null : Buffer.from(part.buffer, part.byteOffset, part.byteLength),
        headers: { pieces: String(count) },
      })
    }
    return records
  }
}

function positionOf({ positions }: Checkpoint): number | undefined {
  return positions[SOURCE] as number | undefined
}

/** The name of a partition's source in its checkpoints. */
export const SOURCE = 'records'

/** Puts values together again that were cut. */
class Pieces {
  private key = ''
  private parts: Buffer[] = []

  add({ key, value, headers }: RawRecord): StoreChange[] {
    const place = JSON.parse(String(key)) as (string | number)[]
    const piece = place.pop() as number
    const name = JSON.stringify(place)
    if (piece === 0) {
      this.key = name
      this.parts = []
      if (value === null) return [[place, undefined]]
    }
    // A piece of a value whose beginning is gone: what came later has replaced it.
    if (value === null || name !== this.key || piece !== this.parts.length) return []
    this.parts.push(value)
    return this.parts.length === Number(headers.pieces) ? [[place, Buffer.concat(this.parts)]] : []
  }
}
