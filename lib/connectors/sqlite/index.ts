export type { Change, Row, RowOperation } from '../tables/change'
export { mirror } from '../tables/change'
export { type SqlitePosition, type SqliteQueryOptions, sqliteQuery } from './query'
export { type SqliteSinkOptions, sqliteSink } from './sink'
