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
export { type MysqlChangesOptions, mysqlChanges } from './changes'
export type { MysqlConnection } from './connection'
export type { MysqlChangesPosition } from './position'
export { type MysqlPosition, type MysqlQueryOptions, mysqlQuery } from './query'
export { type MysqlSinkOptions, mysqlSink } from './sink'
