/**
 * What a column of codec `columns` may hold. `float32` rounds to the nearest float; `int32` takes whole numbers of 32 bits.
 * A column of any type may have nulls.
 */
export type ColumnType = 'float64' | 'float32' | 'int32' | 'boolean' | 'string'

/** The types of columns by the names of their fields. */
export type ColumnsSchema = Readonly<Record<string, ColumnType>>

export const COLUMN_TYPES: readonly ColumnType[] = ['float64', 'float32', 'int32', 'boolean', 'string']
