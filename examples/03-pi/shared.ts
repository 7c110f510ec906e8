import { auditTime, map, type Observable, tap } from 'rxjs'
// In a program of your own: from 'rxjs-python', 'rxjs-python/jobs', 'rxjs-python/kafka', 'rxjs-python/node' and 'rxjs-python/streams'
import type { KafkaMessage, KafkaRecord } from '../../lib/connectors/kafka'
import { mapPython, type PythonPool } from '../../lib/index'
import { step } from '../../lib/jobs'
import { kafkaJob, type NodeContext } from '../../lib/node'
import { allOf, count, countWindow, inWindows, rolling, sum, timestampBy, values } from '../../lib/streams'

/** The topic of points `x,y`, keyed by X. */
export const POINTS = 'points'
/** The topic of estimates, as JSON. */
export const PI = 'pi'
/** So many points of a partition make a part. */
export const POINTS_OF_PART = 100

/** What so many points of a partition add to the estimate. */
export interface Part {
  readonly points: number
  readonly sum: number
  readonly partition: number
  /** Who had them. */
  readonly by: string
}

export interface Estimate {
  readonly job: string
  readonly points: number
  readonly pi: number
}

export interface SharedOptions {
  brokers: string
  handler: string
  pool: PythonPool
  /** Milliseconds from one estimate to the next. */
  every: number
  /** How this node is named in its parts. */
  by: string
}

/** The topic of a job's parts; it has one partition, so that one node sees all of them. */
export function partsOf(job: string): string {
  return `${job}-parts`
}

/** Estimates pi on all nodes that have the job: each works on some partitions, and one of them collates. */
export function sharedPi(node: NodeContext, { brokers, handler, pool, every, by }: SharedOptions) {
  const parts = partsOf(node.name)

  const partsOfPoints = (points: Observable<KafkaMessage<string>>, partition: number) =>
    points.pipe(
      map(({ value }) => value!),
      mapPython<string, string>(handler, { pool, codec: 'string', batch: 1024 }),
      timestampBy(() => 0),
      step('part', inWindows(countWindow(POINTS_OF_PART), allOf({ points: count(), sum: sum(Number) }))),
      values(),
      map(({ value }): Part => ({ ...value, partition, by })),
      map((part): KafkaRecord<string> => ({ to: parts, value: JSON.stringify(part) })),
    )

  const collated = (source: Observable<KafkaMessage<string>>) =>
    source.pipe(
      map(({ value }) => JSON.parse(value!) as Part),
      timestampBy(() => 0),
      step('total', rolling(allOf({ points: sum((part: Part) => part.points), sum: sum((part: Part) => part.sum) }))),
      values(),
      auditTime(every),
      map(({ points, sum }): Estimate => ({ job: node.name, points, pi: sum / points })),
      tap(({ pi }) => node.publish('pi', pi)),
      map((estimate): KafkaRecord<string> => ({ value: JSON.stringify(estimate) })),
    )

  return kafkaJob<string, string>({
    kafka: { brokers },
    source: { topics: [POINTS, parts], codec: 'string', sessionTimeout: 6000 },
    pipeline: ({ topic, partition, source }) =>
      topic === POINTS ? partsOfPoints(source, partition) : collated(source),
    sink: { topic: PI, codec: 'string' },
    onEvent: ({ kind, topic, partition }) => console.log(`${topic} ${partition} ${kind}`),
  })
}
