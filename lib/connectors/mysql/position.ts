import type { KeyValues } from './keys'

/** A place in the binlog. */
export interface LogPlace {
  readonly file: string
  /** Bytes from the beginning of the file. */
  readonly position: number
}

/** Up to where a table has been read, and what the rows up to there show. */
export interface MysqlReadRange {
  readonly table: string
  /** The key of the last row; null: to the end of the table. A range begins where the one before it ended. */
  readonly upTo: KeyValues | null
  /** The rows are as all transactions left them that begin before this place. */
  readonly log: LogPlace
}

/** Where a source stands: what has been read of the tables, and how far it has come in the binlog. */
export interface MysqlChangesPosition {
  /** All transactions that begin before are done. */
  readonly log: LogPlace
  /** The one that begins there is done in part: its first so many rows, of all tables in `tables`. */
  readonly within?: number
  /** The columns of each table that has been read to its end. */
  readonly tables: Readonly<Record<string, string>>
  /** Parts of tables that show more than the log has brought so far. */
  readonly ranges: readonly MysqlReadRange[]
  /** How far a table has been read that is not in `tables` yet. */
  readonly reading?: MysqlReadRange
}

/** Files are numbered: the digits at the end, of which there may come to be more. */
export function isBefore(a: LogPlace, b: LogPlace): boolean {
  if (a.file === b.file) return a.position < b.position
  const [x, y] = [numberOf(a.file), numberOf(b.file)]
  return x === y ? a.file < b.file : x < y
}

export function placeText({ file, position }: LogPlace): string {
  return `${file}:${position}`
}

function numberOf(file: string): number {
  return Number(/\.(\d+)$/.exec(file)?.[1] ?? 0)
}
