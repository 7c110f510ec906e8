import type { Sink } from '../../jobs/sinks'
import { StreamChecker } from '../../streams/check'
import { COMMON, type ConnectorOptions, checkCommon } from '../options'
import { Outbox } from '../outbox'
import { type RedisConnection, type RedisServerOptions, redisLink, SERVER } from './connection'
import { entryFormat } from './entries'

export interface RedisSinkOptions<T> extends ConnectorOptions<T>, RedisServerOptions {
  /** Keeps the stream to about so many entries: older ones are removed as new ones come. Default: all are kept. */
  maxLength?: number
  /** The field that holds the value (default `'value'`); null: the value is an object, a field each. */
  field?: string | null
}

/**
 * Adds to a Redis stream. What was written is there when the epoch's checkpoint is taken: at least once, since a server that
 * goes away may have taken what it did not answer.
 */
export function redisSink<T = unknown>(stream: string, options: RedisSinkOptions<T> = {}): Sink<T> {
  const check = new StreamChecker('redisSink', options, [...COMMON, ...SERVER, 'maxLength', 'field'])
  if (check.text('stream', stream) === undefined) check.problem("'stream' is missing")
  const maxLength = check.whole('maxLength', options.maxLength, 0, Number.MAX_SAFE_INTEGER)
  if (options.field !== null) check.text('field', options.field)
  check.text('url', options.url)
  const what = `redis: ${stream}`
  const common = checkCommon(check, what, options, { batch: 1000, maxBatch: 100_000 })
  check.done()
  const format = entryFormat(options.field === undefined ? 'value' : options.field, common.codec)
  const link = redisLink(what, options, common as never, false)
  const trim = maxLength === undefined ? [] : ['MAXLEN', '~', `${maxLength}`]
  return new Outbox<T, (string | Buffer)[], RedisConnection>({
    what,
    link,
    batch: common.batch,
    deadLetters: common.deadLetters,
    encode: (value) => ['XADD', stream, ...trim, '*', ...format.encode(value)],
    async send(redis, commands) {
      await Promise.all(commands.map((command) => redis.sendCommand(command)))
    },
  })
}
