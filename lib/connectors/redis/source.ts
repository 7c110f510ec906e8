import type { ReplaySource, Source } from '../../jobs/sources'
import { StreamChecker } from '../../streams/check'
import { COMMON, type CommonOptions, type ConnectorOptions, checkCommon } from '../options'
import { type RedisServerOptions, SERVER } from './connection'
import { type GroupPosition, GroupSource } from './group'
import { LogSource } from './log'

export interface RedisSourceOptions<T> extends ConnectorOptions<T>, RedisServerOptions {
  /**
   * Reads as a member of this consumer group: the stream is shared among all members, and what is worked off is acknowledged.
   * Without a group each source reads the whole stream, and may read it again.
   */
  group?: string
  /** This member's name in the group (default `'rxjs-python'`): another one in each process. What it has not acknowledged is its own. */
  consumer?: string
  /** Where to begin without a position, or where a group begins that is made now: an id, `'0'` (default) or `'$'` for what comes from now on. */
  start?: string
  /** Milliseconds after which entries of members that do not answer are taken over (default 60,000); false: never. */
  claimIdle?: number | false
  /** The field that holds the value (default `'value'`); null: the value is an object of all fields, as texts. */
  field?: string | null
  /** Ends where there is nothing more to read at this moment (default false: waits). */
  end?: boolean
}

/** The options, complete. */
export interface RedisSourceSettings<T> extends RedisServerOptions {
  readonly what: string
  readonly stream: string
  readonly start: string
  readonly field: string | null
  readonly end: boolean
  readonly common: CommonOptions<T>
}

const KNOWN = [...COMMON, ...SERVER, 'group', 'consumer', 'start', 'claimIdle', 'field', 'end']

/** Reads a Redis stream. With `group` as a member of a consumer group, else by itself, from any position. */
export function redisSource<T = unknown>(
  stream: string,
  options: RedisSourceOptions<T> & { group: string },
): Source<T, GroupPosition>
export function redisSource<T = unknown>(
  stream: string,
  options?: RedisSourceOptions<T> & { group?: undefined },
): ReplaySource<T, string>
export function redisSource<T>(
  stream: string,
  options: RedisSourceOptions<T> = {},
): Source<T, GroupPosition> | Source<T, string> {
  const check = new StreamChecker('redisSource', options, KNOWN)
  if (check.text('stream', stream) === undefined) check.problem("'stream' is missing")
  const { group, claimIdle } = options
  check.text('group', group)
  check.text('consumer', options.consumer)
  for (const name of ['consumer', 'claimIdle'] as const) {
    if (group === undefined && options[name] !== undefined) check.problem(`'${name}' needs 'group'`)
  }
  if (claimIdle !== false) check.time('claimIdle', claimIdle, false)
  if (options.field !== null) check.text('field', options.field)
  check.text('url', options.url)
  const start = check.text('start', options.start) ?? '0'
  if (!/^(\$|\d+(-\d+)?)$/.test(start)) check.problem("'start' must be '$' or the id of an entry", start)
  const what = `redis: ${stream}`
  const settings: RedisSourceSettings<T> = {
    what,
    stream,
    start,
    field: options.field === undefined ? 'value' : options.field,
    end: check.flag('end', options.end) ?? false,
    common: checkCommon(check, what, options, { batch: 1000, maxBatch: 100_000 }),
    url: options.url,
    client: options.client,
  }
  check.done()
  if (group === undefined) return new LogSource(settings)
  return new GroupSource(settings, {
    group,
    consumer: options.consumer ?? 'rxjs-python',
    claimIdle: claimIdle === false ? undefined : (claimIdle ?? 60_000),
  })
}
