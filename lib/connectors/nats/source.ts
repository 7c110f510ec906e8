import type { ReplaySource, Source } from '../../jobs/sources'
import { StreamChecker } from '../../streams/check'
import { COMMON, type CommonOptions, type ConnectorOptions, checkCommon } from '../options'
import { checkServer, type NatsServerOptions, SERVER } from './connection'
import { LogSource } from './log'
import { MemberSource, type NatsPosition } from './member'

export interface NatsSourceOptions<T> extends ConnectorOptions<T>, NatsServerOptions {
  /**
   * Reads through the durable consumer of this name, made where it is not there: its messages are shared among all that read it,
   * and what is worked off is acknowledged. Without one each source reads the whole stream, and may read it again.
   */
  consumer?: string
  /** Only messages of these subjects; several take a server from 2.10 on. */
  filter?: string | readonly string[]
  /** Where to begin without a position, or where a consumer begins that is made now: `'first'` (default), `'new'`, a sequence, a time. */
  start?: 'first' | 'new' | number | Date
  /** Of a consumer that is made now: messages that the server gives out before they are acknowledged (default 10,000). */
  prefetch?: number
  /** Of a consumer that is made now: milliseconds after which messages of a reader that has died come again (default 30,000). */
  ackWait?: number
  /** Ends where there is nothing more to read at this moment (default false: waits). Not with `consumer`. */
  end?: boolean
}

/** The options, complete. */
export interface NatsSourceSettings<T> extends NatsServerOptions {
  readonly what: string
  readonly stream: string
  readonly start: 'first' | 'new' | number | Date
  readonly filter: readonly string[]
  readonly prefetch: number
  readonly ackWait: number
  readonly end: boolean
  readonly common: CommonOptions<T>
}

const OF_CONSUMER = ['prefetch', 'ackWait'] as const
const KNOWN = [...COMMON, ...SERVER, ...OF_CONSUMER, 'consumer', 'filter', 'start', 'end']

/** Reads a JetStream stream: with `consumer` as one of its readers, else by itself, from any position. */
export function natsSource<T = unknown>(
  stream: string,
  options: NatsSourceOptions<T> & { consumer: string },
): Source<T, NatsPosition>
export function natsSource<T = unknown>(
  stream: string,
  options?: NatsSourceOptions<T> & { consumer?: undefined },
): ReplaySource<T, number>
export function natsSource<T>(
  stream: string,
  options: NatsSourceOptions<T> = {},
): Source<T, NatsPosition> | ReplaySource<T, number> {
  const check = new StreamChecker('natsSource', options, KNOWN)
  checkName(check, 'stream', stream)
  const { consumer, start = 'first', filter = [] } = options
  if (consumer !== undefined) checkName(check, 'consumer', consumer)
  for (const name of OF_CONSUMER) {
    if (consumer === undefined && options[name] !== undefined) check.problem(`'${name}' needs 'consumer'`)
  }
  if (consumer !== undefined && options.end) check.problem("'end' is for a stream that is read without 'consumer'")
  const filters = typeof filter === 'string' ? [filter] : filter
  if (!Array.isArray(filters)) check.problem("'filter' must be a subject, or several", filter)
  else for (const one of filters) check.text('filter', one)
  const isTime = start instanceof Date && !Number.isNaN(start.getTime())
  if (start !== 'first' && start !== 'new' && !isTime && !(Number.isSafeInteger(start) && (start as number) > 0)) {
    check.problem("'start' must be 'first', 'new', a sequence or a Date", start)
  }
  checkServer(check, options)
  const what = `nats: ${stream}`
  const settings: NatsSourceSettings<T> = {
    what,
    stream,
    start,
    filter: filters,
    prefetch: check.whole('prefetch', options.prefetch, 1, 1_000_000) ?? 10_000,
    ackWait: check.time('ackWait', options.ackWait, false) ?? 30_000,
    end: check.flag('end', options.end) ?? false,
    common: checkCommon(check, what, options, { batch: 1000, maxBatch: 100_000 }),
    ...(options.url === undefined ? {} : { url: options.url }),
    ...(options.client === undefined ? {} : { client: options.client }),
    ...(options.jetstream === undefined ? {} : { jetstream: options.jetstream }),
    ...(options.declare === undefined ? {} : { declare: options.declare }),
  }
  check.done()
  return consumer === undefined ? new LogSource(settings) : new MemberSource(settings, consumer)
}

/** Names are parts of subjects. */
function checkName(check: StreamChecker, option: string, name: unknown): void {
  if (typeof name === 'string' && /^[^\s.*>/\\]+$/.test(name)) return
  check.problem(`'${option}' must be a name without spaces, dots, '*', '>' and slashes`, name)
}
