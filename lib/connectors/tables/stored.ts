import type { RowBatch } from './batch'
import type { Row } from './change'
import type { EpochToken } from './sink'

/**
 * A batch as it is staged: values in the order of `columns`, those of deletes in that of the key. All rows are in one list,
 * one behind the other, which is written and read in half the time that a list of lists takes.
 */
export interface StoredBatch<V> {
  readonly truncate: boolean
  readonly columns: readonly string[]
  readonly deletes: readonly V[]
  readonly upserts: readonly V[]
}

export function stored<V>(batch: RowBatch, key: readonly string[], toValue: (value: unknown) => V): StoredBatch<V> {
  const { truncate, columns } = batch
  const values = (rows: readonly Row[], names: readonly string[]) => {
    const all: V[] = []
    for (const row of rows) for (const name of names) all.push(toValue(row[name]))
    return all
  }
  return { truncate, columns, deletes: values(batch.deletes, key), upserts: values(batch.upserts, columns) }
}

/** The rows of such a list, of so many values each. */
export function rowsOf<V>(values: readonly V[], width: number): V[][] {
  const rows: V[][] = []
  for (let at = 0; at < values.length; at += width) rows.push(values.slice(at, at + width))
  return rows
}

/** A row again, for who is told that it was refused. */
export function rowOf<V>(columns: readonly string[], values: readonly V[]): Row {
  return Object.fromEntries(columns.map((column, at) => [column, values[at]]))
}

/** Bytes of staged batches that are also kept in memory. */
const KEPT = 64 << 20

/** The batches that were staged last, so that they need not come back from the database to be applied. */
export class StageMemory<V> {
  private readonly batches = new Map<string, { readonly batch: StoredBatch<V>; readonly bytes: number }>()
  private bytes = 0

  /** Remembers a batch that is safely staged, as long as there is room; `bytes` is its size in the stage. */
  keep(token: EpochToken, number: number, batch: StoredBatch<V>, bytes: number): void {
    if (this.bytes + bytes > KEPT) return
    this.batches.set(keyOf(token, number), { batch, bytes })
    this.bytes += bytes
  }

  get(token: EpochToken, number: number): StoredBatch<V> | undefined {
    return this.batches.get(keyOf(token, number))?.batch
  }

  /** The epoch is applied: nobody asks for its batches any more. */
  forget(token: EpochToken, numbers: readonly number[]): void {
    for (const number of numbers) {
      const key = keyOf(token, number)
      this.bytes -= this.batches.get(key)?.bytes ?? 0
      this.batches.delete(key)
    }
  }

  clear(): void {
    this.batches.clear()
    this.bytes = 0
  }
}

function keyOf({ run, epoch }: EpochToken, number: number): string {
  return `${run} ${epoch} ${number}`
}
