import type { ConsumerConfig, ConsumerInfo } from '@nats-io/jetstream'
import { QueueError } from '../../errors'
import { codeOf, declareStream, type NatsJetStream } from './connection'
import type { NatsSourceSettings } from './source'

const NANOS = 1e6
const CONSUMER_NOT_FOUND = 10014

/** A durable consumer, made where it is not there. */
export async function durable(server: NatsJetStream, settings: NatsSourceSettings<never>, name: string) {
  const { stream, what } = settings
  const { consumers } = server.manager
  let info: ConsumerInfo
  try {
    info = await consumers.info(stream, name)
  } catch (error) {
    if (codeOf(error) !== CONSUMER_NOT_FOUND) throw error
    info = await consumers.add(stream, {
      durable_name: name,
      ...beginning(settings, undefined),
      ack_policy: 'explicit',
      ack_wait: settings.ackWait * NANOS,
      max_ack_pending: settings.prefetch,
    } as Partial<ConsumerConfig>)
  }
  const {
    ack_policy: policy,
    deliver_subject: pushed,
    ack_wait: wait,
    max_ack_pending: most,
  } = info.config as ConsumerConfig & {
    deliver_subject?: string
  }
  if (policy !== 'explicit' || pushed !== undefined) {
    const kind = pushed === undefined ? `acknowledges '${policy}'` : 'pushes'
    throw new QueueError(
      `${what}: the consumer ${name} ${kind}; it must be pulled, and acknowledge each message ('explicit')`,
    )
  }
  // Without a limit, our own.
  const limit = most !== undefined && most > 0 ? Math.min(most, settings.prefetch) : settings.prefetch
  return { name: info.name, ackWait: wait === undefined ? 30_000 : wait / NANOS, limit }
}

/** A consumer for one reader, which forgets it by itself. It acknowledges nothing. */
export async function passing(server: NatsJetStream, settings: NatsSourceSettings<never>, last: number | undefined) {
  const info = await server.manager.consumers.add(settings.stream, {
    ...beginning(settings, last),
    ack_policy: 'none',
    mem_storage: true,
    num_replicas: 1,
    inactive_threshold: 5 * 60_000 * NANOS,
  } as Partial<ConsumerConfig>)
  return { name: info.name, pending: info.num_pending }
}

/** What the stream has at this moment; made first where that was asked for. */
export async function prepareStream(
  server: NatsJetStream,
  { stream, declare }: NatsSourceSettings<never>,
): Promise<void> {
  if (declare !== undefined) await declareStream(server, { ...declare, name: stream })
  else await server.manager.streams.info(stream)
}

/** Where a consumer begins that is made now: behind a sequence, or where the options say. */
function beginning({ start, filter }: NatsSourceSettings<never>, last: number | undefined): Partial<ConsumerConfig> {
  const filters = filter.length === 1 ? { filter_subject: filter[0]! } : { filter_subjects: [...filter] }
  const from = (config: object) => ({ ...config, ...(filter.length === 0 ? {} : filters) }) as Partial<ConsumerConfig>
  if (last !== undefined) return from({ deliver_policy: 'by_start_sequence', opt_start_seq: last + 1 })
  if (start === 'first') return from({ deliver_policy: 'all' })
  if (start === 'new') return from({ deliver_policy: 'new' })
  if (start instanceof Date) return from({ deliver_policy: 'by_start_time', opt_start_time: start.toISOString() })
  return from({ deliver_policy: 'by_start_sequence', opt_start_seq: start })
}
