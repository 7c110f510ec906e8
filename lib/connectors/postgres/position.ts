/** Up to where a table has been read, and what the rows up to there show. */
export interface ReadRange {
  readonly table: string
  /** The key of the last row, as texts; null: to the end of the table. A range begins where the one before it ended. */
  readonly upTo: readonly string[] | null
  /** The rows are as all transactions left them that were committed before this. */
  readonly lsn: string
}

/** Where a source stands: what has been read of the tables, and how far it has come in the log. */
export interface PostgresPosition {
  /** All transactions that ended before are done. */
  readonly lsn: string
  /** The one that comes next is done in part: its first so many changes. */
  readonly within?: { readonly commit: string; readonly done: number }
  /** The columns of each table that has been read to its end. */
  readonly tables: Readonly<Record<string, string>>
  /** Parts of tables that show more than the log has brought so far. */
  readonly ranges: readonly ReadRange[]
  /** How far a table has been read that is not in `tables` yet. */
  readonly reading?: ReadRange
}

/** The number that the text of an LSN stands for. */
export function lsnOf(text: string): bigint {
  const [high, low] = text.split('/')
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`)
}

export function lsnText(lsn: bigint): string {
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffffffffn).toString(16).toUpperCase()}`
}
