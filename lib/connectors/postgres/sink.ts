import type { Sink } from '../../jobs/sinks'
import { StreamChecker } from '../../streams/check'
import { COMMON, type ConnectorOptions, checkCommon } from '../options'
import { checkTableSink, TABLE_SINK, type TableSinkOptions } from '../tables/options'
import { TableSink } from '../tables/sink'
import { Connections, checkConnection, type PostgresConnection } from './connection'
import { PostgresStore } from './store'

export interface PostgresSinkOptions<T> extends TableSinkOptions<T>, Omit<ConnectorOptions<T>, 'codec'> {
  connection: PostgresConnection
}

const KNOWN = ['connection', ...TABLE_SINK, ...COMMON.filter((one) => one !== 'codec')]

/**
 * Rows into a table of PostgreSQL, each in place of the one with its key. In a job exactly once: an epoch is one transaction,
 * with a note of the epoch in it.
 *
 * `batch` is the most rows of one statement (default 1000).
 */
export function postgresSink<T = Record<string, unknown>>(options: PostgresSinkOptions<T>): Sink<T> {
  const check = new StreamChecker('postgresSink', options ?? {}, KNOWN)
  checkConnection(check, options?.connection)
  const complete = checkTableSink<T>(check, options ?? ({} as never))
  const common = checkCommon(check, `postgres: ${complete.table}`, options ?? {}, { batch: 1000, maxBatch: 100_000 })
  check.done()
  const { retry, secrets, deadLetters, signal, batch } = common
  const connections = new Connections(options.connection, secrets)
  const name = complete.exactly ? complete.name : undefined
  const store = new PostgresStore(connections, complete.table, complete.key, name, retry, secrets)
  return new TableSink(complete, store, batch, (error, row) => deadLetters.add(error, row), signal)
}
