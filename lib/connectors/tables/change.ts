/** A row by the names of its columns. */
export type Row = Readonly<Record<string, unknown>>

/** A column, as a change of the schema reports it. */
export interface ChangedColumn {
  readonly name: string
  /** As the database calls it. */
  readonly type: string
}

/** What all changes have. */
interface Place {
  /** `schema.table`. */
  readonly table: string
  /** Where in the database's log: an LSN, or file and position. */
  readonly at: string
  /** When it was committed, in milliseconds since 1970. */
  readonly time: number
}

/** A row that was there when reading began. */
export interface ReadRow {
  readonly kind: 'read'
  readonly table: string
  readonly new: Row
}

export interface InsertedRow extends Place {
  readonly kind: 'insert'
  readonly new: Row
}

export interface UpdatedRow extends Place {
  readonly kind: 'update'
  /** The row before, or what the database tells of it: its key where that has changed, or nothing (null). */
  readonly old: Row | null
  /** The row after. A column whose value the database left out since it has not changed is missing. */
  readonly new: Row
}

export interface DeletedRow extends Place {
  readonly kind: 'delete'
  /** The row before, or its key. */
  readonly old: Row
}

/** All rows of the table are gone. */
export interface TruncatedTable extends Place {
  readonly kind: 'truncate'
}

/** The columns are others than before. Comes before the first change that has them. */
export interface ChangedSchema extends Place {
  readonly kind: 'schema'
  readonly columns: readonly ChangedColumn[]
  readonly previous: readonly ChangedColumn[]
}

/** What happened to a table, in the order in which it was committed. */
export type Change = ReadRow | InsertedRow | UpdatedRow | DeletedRow | TruncatedTable | ChangedSchema

/** What is to be done to the table of a sink. */
export type RowOperation =
  /** Puts the row in place of the one with its key. With `old`, the row that this one was before: gone if its key was another. */
  | { readonly upsert: Row; readonly old?: Row | null }
  /** Takes away the row with this key. */
  | { readonly delete: Row }
  /** Takes away all rows. */
  | { readonly truncate: true }

/** For the option `to` of a sink: does to its table what happened to another one. A change of the schema does nothing. */
export function mirror(change: Change): RowOperation[] {
  switch (change.kind) {
    case 'read':
    case 'insert':
      return [{ upsert: change.new }]
    case 'update':
      return [{ upsert: change.new, old: change.old }]
    case 'delete':
      return [{ delete: change.old }]
    case 'truncate':
      return [{ truncate: true }]
    case 'schema':
      return []
  }
}
