import { randomUUID } from 'node:crypto'
import { QueueError } from '../../errors'
import type { Sink } from '../../jobs/sinks'
import { StreamChecker } from '../../streams/check'
import type { DeadLetters } from '../deadLetters'
import { COMMON, type ConnectorOptions, checkCommon } from '../options'
import { Outbox } from '../outbox'
import {
  checkServer,
  codeOf,
  declareStream,
  type NatsJetStream,
  type NatsServerOptions,
  natsLink,
  SERVER,
} from './connection'

export interface NatsSinkOptions<T> extends ConnectorOptions<T>, NatsServerOptions {
  /**
   * What a value is known by: the stream takes a second one of the same id for none, as long as its `duplicate_window` is. Default: an
   * id for each write, so that what is published again after a lost connection is there once.
   */
  id?: (value: T) => string
}

interface Outgoing {
  readonly subject: string
  readonly data: string | Uint8Array
  readonly msgID: string
  done: boolean
}

/** A subject that messages can be published to. */
const SUBJECT = /^[^\s.*>]+(\.[^\s.*>]+)*$/

/**
 * Publishes to a subject, or to each value's own, that a JetStream stream takes. What was written is in the stream when the
 * epoch's checkpoint is taken: at least once, and with `id` once for as long as the stream remembers ids.
 */
export function natsSink<T = unknown>(
  target: string | ((value: T) => string),
  options: NatsSinkOptions<T> = {},
): Sink<T> {
  const check = new StreamChecker('natsSink', options, [...COMMON, ...SERVER, 'id'])
  const fixed = typeof target === 'string' ? target : undefined
  if (fixed === undefined ? typeof target !== 'function' : !SUBJECT.test(fixed)) {
    check.problem("'target' must be a subject without '*' and '>', or a function that gives one", target)
  }
  check.fn('id', options.id)
  checkServer(check, options)
  const { declare, id } = options
  if (declare !== undefined && typeof declare?.name !== 'string')
    check.problem("'declare' must have the stream's 'name'")
  const what = `nats: ${fixed ?? 'by value'}`
  const common = checkCommon(check, what, options, { batch: 1000, maxBatch: 100_000 })
  check.done()
  const subjectOf = typeof target === 'function' ? target : () => target
  const writer = randomUUID()
  let written = 0
  return new Outbox<T, Outgoing, NatsJetStream>({
    what,
    link: natsLink(what, options, common as never, async (server) => {
      if (declare !== undefined)
        await declareStream(server, { subjects: fixed === undefined ? [] : [fixed], ...declare })
      if (fixed !== undefined && !(await isTaken(server, fixed)))
        throw new QueueError(`${what}: no stream takes the subject`)
    }),
    batch: common.batch,
    deadLetters: common.deadLetters,
    encode(value) {
      const subject = subjectOf(value)
      if (typeof subject !== 'string' || !SUBJECT.test(subject)) throw new TypeError(`${subject} is not a subject`)
      const msgID = id === undefined ? `${writer}-${++written}` : id(value)
      if (typeof msgID !== 'string' || msgID === '') throw new TypeError("'id' must give a text that is not empty")
      return { subject, data: common.codec.encode(value), msgID, done: false }
    },
    send: (server, records) => publish(server, records, what, common.deadLetters),
  })
}

/** Resolves when the stream has all; rejects where it does not answer. What it has is not sent again. */
async function publish(
  server: NatsJetStream,
  records: readonly Outgoing[],
  what: string,
  deadLetters: DeadLetters<unknown>,
): Promise<void> {
  const failures: unknown[] = []
  const send = async (record: Outgoing) => {
    try {
      await server.client.publish(record.subject, record.data, { msgID: record.msgID })
    } catch (error) {
      const reason = await refusal(server, record, error, what)
      if (reason === undefined) {
        failures.push(error)
        return
      }
      const { subject, data } = record
      deadLetters.add(reason, { subject, data })
    }
    record.done = true
  }
  const outcomes = await Promise.allSettled(records.filter(({ done }) => !done).map(send))
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  if (failures.length > 0) throw failures[0]
}

/** Of the API: the message is larger than the stream takes, has an id that is too long, is for a stream that is sealed. */
const REFUSED = new Set([10054, 10052, 10109])

/** Why the server will never take this message; undefined where it may. */
async function refusal(server: NatsJetStream, { subject }: Outgoing, error: unknown, what: string): Promise<unknown> {
  const { name, message } = error as Error
  if (REFUSED.has(codeOf(error) as number) || /max_payload/i.test(message)) return error
  if (name !== 'JetStreamNotEnabled') return undefined
  // Nobody took it: there is no stream for it, or the one that there is has no leader at this moment.
  const taken = await isTaken(server, subject).catch(() => true)
  return taken ? undefined : new Error(`${what}: no stream takes the subject ${subject}`)
}

async function isTaken({ manager }: NatsJetStream, subject: string): Promise<boolean> {
  const names = await manager.streams.names(subject).next()
  return names.length > 0
}
