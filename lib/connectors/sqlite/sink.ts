import type { Sink } from '../../jobs/sinks'
import { StreamChecker } from '../../streams/check'
import { COMMON, type ConnectorOptions, checkCommon } from '../options'
import { checkTableSink, TABLE_SINK, type TableSinkOptions } from '../tables/options'
import { TableSink } from '../tables/sink'
import { checkFile } from './database'
import { SqliteStore } from './store'

export interface SqliteSinkOptions<T> extends TableSinkOptions<T>, Omit<ConnectorOptions<T>, 'codec'> {
  /** The path of the database, which must be there. */
  file: string
}

const KNOWN = ['file', ...TABLE_SINK, ...COMMON.filter((one) => one !== 'codec')]

/**
 * Rows into a table of an SQLite file, each in place of the one with its key. In a job exactly once: an epoch is one
 * transaction, with a note of the epoch in it. SQLite writes on the JavaScript thread.
 *
 * `batch` is the most rows that are staged at once (default 1000).
 */
export function sqliteSink<T = Record<string, unknown>>(options: SqliteSinkOptions<T>): Sink<T> {
  const check = new StreamChecker('sqliteSink', options ?? {}, KNOWN)
  checkFile(check, options?.file)
  const complete = checkTableSink<T>(check, options ?? ({} as never))
  const common = checkCommon(check, `sqlite: ${complete.table}`, options ?? {}, { batch: 1000, maxBatch: 100_000 })
  check.done()
  const { retry, deadLetters, signal, batch } = common
  const store = new SqliteStore(options.file, complete.table, complete.key, complete.exactly, retry)
  return new TableSink(complete, store, batch, (error, row) => deadLetters.add(error, row), signal)
}
