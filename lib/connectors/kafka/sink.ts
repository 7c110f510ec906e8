import type { Sink } from '../../jobs/sinks'
import { StreamChecker } from '../../streams/check'
import { checkDeadLetters, type DeadLetterOption, DeadLetters } from '../deadLetters'
import type { KafkaProducer } from './adapter'
import { clientOf } from './clients'
import { checkConnection, type KafkaOptions } from './connection'
import { checkTopic, checkWriting, type KafkaSinkPart } from './job/options'
import { type KafkaRecord, outgoingOf } from './records'

export interface KafkaSinkOptions<V, K> extends KafkaSinkPart<V, K> {
  kafka: KafkaOptions
  /** Where records go that the codecs refuse (default: left out with a warning). */
  deadLetters?: DeadLetterOption<KafkaRecord<V, K>>
  /**
   * A name for transactions: what an epoch has written is seen at once, when its checkpoint is taken, and by readers of
   * committed records alone. Another sink with this name is fenced off. Without it records are seen as they are written.
   */
  transaction?: string
}

/**
 * Writes records to topics by an idempotent producer: what it sends twice is there once. An epoch that a crash has cut off is
 * written again: at least once. Exactly-once from Kafka to Kafka is `runKafkaJob`.
 */
export function kafkaSink<V = unknown, K = string>(options: KafkaSinkOptions<V, K>): Sink<KafkaRecord<V, K>> {
  const { kafka, deadLetters, transaction, ...writing } = options ?? {}
  const check = new StreamChecker('kafkaSink', options, [
    ...['kafka', 'topic', 'codec', 'keyCodec', 'compression', 'linger', 'deadLetters', 'transaction'],
  ])
  const connection = checkConnection(check, 'kafka', kafka)
  if (transaction !== undefined) checkTopic(check, 'transaction', transaction)
  checkDeadLetters(check, deadLetters)
  const { topic, codecs, compression, linger } = checkWriting<V, K>(check, writing)
  check.done()
  const letters = new DeadLetters<KafkaRecord<V, K>>(`kafka: ${topic}`, deadLetters)
  let producer: KafkaProducer | undefined
  /** What came while an epoch was committed. */
  let waiting: KafkaRecord<V, K>[] | undefined

  const send = (record: KafkaRecord<V, K>): void | Promise<void> => {
    let outgoing: ReturnType<typeof outgoingOf<V, K>>
    try {
      outgoing = outgoingOf(record, topic, codecs)
    } catch (error) {
      letters.add(error, record)
      return
    }
    return producer!.send(outgoing)
  }
  return {
    async open() {
      const client = await clientOf(connection)
      producer = await client.producer({ compression, linger, ...(transaction === undefined ? {} : { transaction }) })
      if (transaction !== undefined) await producer.begin()
      waiting = undefined
    },
    write(record) {
      if (waiting === undefined) return send(record)
      waiting.push(record)
    },
    async prepare() {
      if (transaction === undefined) {
        await producer!.flush()
        return null
      }
      waiting = []
      await producer!.commit()
      await producer!.begin()
      const held = waiting
      waiting = undefined
      for (const record of held) await send(record)
      return null
    },
    commit: async () => {},
    async close() {
      const last = producer
      producer = undefined
      if (last === undefined) return
      if (transaction !== undefined) await last.abort().catch(() => {})
      await last.close()
    },
  }
}
