/**
 * What the built package is made of, in one file, so that what its entries share (the default pool, gates, error classes)
 * exists once. Each line is an entry of the package, `rxjs-python/NAME`, unless it says
 * that it is none: scripts/entries.mjs reads them here.
 */

export * as batch from './batch'
export * as cli from './cli' // no entry
export * as connectors from './connectors'
export * as amqp from './connectors/amqp'
export * as files from './connectors/files'
export * as hdfs from './connectors/hdfs'
export * as http from './connectors/http'
export * as kafka from './connectors/kafka'
export * as mysql from './connectors/mysql'
export * as nats from './connectors/nats'
export * as postgres from './connectors/postgres'
export * as rabbitmq from './connectors/rabbitmq'
export * as redis from './connectors/redis'
export * as s3 from './connectors/s3'
export * as sqlite from './connectors/sqlite'
export * as sse from './connectors/sse'
export * as websocket from './connectors/websocket'
export * as graph from './graph'
export * as index from './index'
export * as jobs from './jobs'
export * as node from './node'
export * as streams from './streams'
export * as testing from './testing'
export * as tuning from './tuning'
