// rxjs-python submit RandomXYGenerator.ts -- --kafka BROKERS
import { parseArgs } from 'node:util'
import { map } from 'rxjs'
// In a program of your own: from 'rxjs-python/kafka' and 'rxjs-python/node'
import { type KafkaRecord, kafkaSink } from '../../lib/connectors/kafka'
import { defineJob } from '../../lib/node'
import { randomXY } from './points'
import { POINTS } from './shared'

/** Points for the nodes to share, keyed by X, so that X says which partition they are in. */
export default defineJob<KafkaRecord<string>>((node) => {
  const { values: options } = parseArgs({
    args: [...node.args],
    options: {
      kafka: { type: 'string', default: 'localhost:9092' },
      rate: { type: 'string', default: '5000' },
      keep: { type: 'string', default: '10000' },
      seed: { type: 'string', default: '1' },
    },
  })
  const [rate, keep, seed] = [options.rate, options.keep, options.seed].map(Number) as [number, number, number]
  return {
    every: 500,
    pipeline: (job) =>
      randomXY(job, { keep, seed, rate, log: (line) => console.log(line) }).pipe(
        map(({ x, y }) => ({ key: `${x}`, value: `${x},${y}` })),
      ),
    sink: kafkaSink({ kafka: { brokers: options.kafka }, topic: POINTS, codec: 'string', transaction: node.name }),
  }
})
