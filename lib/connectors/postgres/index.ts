export type {
  Change,
  ChangedColumn,
  ChangedSchema,
  DeletedRow,
  InsertedRow,
  ReadRow,
  Row,
  RowOperation,
  TruncatedTable,
  UpdatedRow,
} from '../tables/change'
export { mirror } from '../tables/change'
export {
  type DropPostgresSlotOptions,
  dropPostgresSlot,
  type PostgresChangesOptions,
  postgresChanges,
} from './changes'
export type { PostgresConnection } from './connection'
export type { PostgresPosition } from './position'
export { type PostgresQueryOptions, postgresQuery } from './query'
export { type PostgresSinkOptions, postgresSink } from './sink'
