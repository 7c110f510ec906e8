import type { StreamChecker } from '../../streams/check'
import type { KafkaAdmin, TopicPartition } from './adapter'

/** Where a group begins that has committed nothing for a partition. */
export type StartAt =
  | 'earliest'
  | 'latest'
  /** Milliseconds since 1970, or a `Date`: the first record at or behind it. */
  | { readonly timestamp: number | Date }
  /** By topic, the offset for each partition; those without one begin with the earliest record. */
  | { readonly offsets: Readonly<Record<string, Readonly<Record<number, number>>>> }

export function checkStart(check: StreamChecker, from: StartAt | undefined): StartAt {
  if (from === undefined) return 'earliest'
  if (from === 'earliest' || from === 'latest') return from
  const { timestamp, offsets } = (from ?? {}) as { timestamp?: number | Date; offsets?: object }
  const isTime = timestamp !== undefined && offsets === undefined && Number.isFinite(Number(timestamp))
  const isPlaces = offsets !== undefined && timestamp === undefined && Object.values(offsets ?? {}).every(isOffsets)
  if (!isTime && !isPlaces) {
    check.problem(
      "'from' must be 'earliest', 'latest', { timestamp } or { offsets: { topic: { partition: offset } } }",
      from,
    )
  }
  return from
}

function isOffsets(partitions: unknown): boolean {
  return (
    typeof partitions === 'object' &&
    partitions !== null &&
    Object.entries(partitions).every(([key, offset]) => /^\d+$/.test(key) && Number.isInteger(offset) && offset >= 0)
  )
}

/** The offset that it is for a partition. */
export async function startOffset(admin: KafkaAdmin, partition: TopicPartition, from: StartAt): Promise<number> {
  if (from === 'latest') return (await admin.ends(partition)).high
  if (typeof from === 'object' && 'timestamp' in from) return admin.offsetAt(partition, Number(from.timestamp))
  const given = typeof from === 'object' ? from.offsets[partition.topic]?.[partition.partition] : undefined
  return given ?? (await admin.ends(partition)).low
}
