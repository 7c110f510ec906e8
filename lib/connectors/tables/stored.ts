import type { RowBatch } from './batch'
import type { Row } from './change'

/** A batch as it is staged: values in the order of `columns`, those of deletes in that of the key. */
export interface StoredBatch<V> {
  readonly truncate: boolean
  readonly columns: readonly string[]
  readonly deletes: readonly (readonly V[])[]
  readonly upserts: readonly (readonly V[])[]
}

export function stored<V>(batch: RowBatch, key: readonly string[], toValue: (value: unknown) => V): StoredBatch<V> {
  const { truncate, columns } = batch
  const pick = (names: readonly string[]) => (row: Row) => names.map((name) => toValue(row[name]))
  return { truncate, columns, deletes: batch.deletes.map(pick(key)), upserts: batch.upserts.map(pick(columns)) }
}

/** A row again, for who is told that it was refused. */
export function rowOf<V>(columns: readonly string[], values: readonly V[]): Row {
  return Object.fromEntries(columns.map((column, at) => [column, values[at]]))
}
