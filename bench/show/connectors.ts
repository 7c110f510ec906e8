/** What every connector promises. A connector joins with a line of the list. */
import { amqp } from './connectors/amqp'
import { changesProbe } from './connectors/changes'
import { files } from './connectors/files'
import { hdfs } from './connectors/hdfs'
import { mysqlLog, mysqlRows, mysqlUpserts } from './connectors/mysql'
import { nats } from './connectors/nats'
import { postgresLog, postgresRows, postgresUpserts } from './connectors/postgres'
import { probesOf } from './connectors/probes'
import { rabbitmq } from './connectors/rabbitmq'
import { redis } from './connectors/redis'
import { s3 } from './connectors/s3'
import { sqlite } from './connectors/sqlite'
import { sseSink, sseSource } from './connectors/sse'
import { webhook } from './connectors/webhook'
import { websocket } from './connectors/websocket'
import type { Report } from './line'
import { serveProbe } from './serve'

const BOTH = { source: true, sink: true }

export const connectors: Report = {
  name: 'connectors',
  probes: [
    ...probesOf(redis, BOTH),
    ...probesOf(rabbitmq, BOTH),
    ...probesOf(nats, BOTH),
    ...probesOf(amqp, BOTH),
    ...probesOf(postgresLog, BOTH),
    ...probesOf(postgresUpserts, { source: false, sink: true }),
    ...probesOf(postgresRows, { source: true, sink: false }),
    ...probesOf(mysqlLog, BOTH),
    ...probesOf(mysqlUpserts, { source: false, sink: true }),
    ...probesOf(mysqlRows, { source: true, sink: false }),
    ...probesOf(sqlite, BOTH),
    ...probesOf(websocket, BOTH),
    ...probesOf(sseSource, { source: true, sink: false }),
    ...probesOf(sseSink, { source: false, sink: true }),
    ...probesOf(webhook, { source: true, sink: false }),
    ...probesOf(files, BOTH),
    ...probesOf(s3, BOTH),
    ...probesOf(hdfs, BOTH),
    changesProbe,
    serveProbe,
  ],
}
