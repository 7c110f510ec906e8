import type { DeletedRow, InsertedRow, Row, UpdatedRow } from './change'

/** A part of a table that was read. It begins where the one before it ended. */
export interface TablePart<Key> {
  readonly table: string
  /** The key of the last row; null: to the end of the table. */
  readonly upTo: Key | null
}

/** The part that a key of the table is in. They lie one behind the other: halving finds the first one that reaches up to it. */
export async function partOf<Key, Part extends TablePart<Key>>(
  parts: readonly Part[],
  table: string,
  isUpTo: (upTo: Key) => boolean | Promise<boolean>,
): Promise<Part | undefined> {
  const own = parts.filter((part) => part.table === table)
  let [from, to] = [0, own.length]
  while (from < to) {
    const middle = (from + to) >> 1
    const { upTo } = own[middle]!
    const reaches = upTo === null || isUpTo(upTo)
    if (reaches === true || (reaches !== false && (await reaches))) to = middle
    else from = middle + 1
  }
  return own[from]
}

/** All parts of the tables of which one part is ahead: it shows more than the log has brought. */
export function partsAhead<Part extends TablePart<unknown>>(
  parts: readonly Part[],
  isAhead: (part: Part) => boolean,
): readonly Part[] {
  const open = new Set(parts.filter(isAhead).map(({ table }) => table))
  return parts.filter(({ table }) => open.has(table))
}

/** Whether the rows that were read already show something that was done to the table as a whole. */
export function isTableAhead<Part extends TablePart<unknown>>(
  parts: readonly Part[],
  table: string,
  isAhead: (part: Part) => boolean,
): boolean | 'in part' {
  const own = parts.filter((part) => part.table === table)
  const ahead = own.filter(isAhead)
  return ahead.length > 0 && (ahead.length === own.length || 'in part')
}

export type RowChange = InsertedRow | UpdatedRow | DeletedRow

/** What is left of a change where parts of the table were read after it: rows there are as it left them, or later. */
export async function leftOf(
  change: RowChange,
  isShown: (row: Row) => Promise<boolean>,
): Promise<RowChange | undefined> {
  if (change.kind === 'insert') return (await isShown(change.new)) ? undefined : change
  if (change.kind === 'delete') return (await isShown(change.old)) ? undefined : change
  const { table, at, time, old } = change
  const [before, after] = [await isShown(old ?? change.new), await isShown(change.new)]
  if (!before && !after) return change
  if (!before && old !== null) return { kind: 'delete', table, old, at, time }
  if (!after) return { kind: 'insert', table, new: change.new, at, time }
  return undefined
}
