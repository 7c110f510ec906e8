// Scores a topic with the Keras model, Kafka → Keras → Kafka: `npm run example -- keras/kafka`.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { map } from 'rxjs'
// In a program of your own: from 'rxjs-python/kafka' and 'rxjs-python'
import { type KafkaOptions, runKafkaJob } from '../../lib/connectors/kafka'
import { type Handler, mapPython } from '../../lib/index'
import { runDemo } from '../shared/demo'
import { valuesOf, withBroker } from '../shared/kafka'
import { openScorer, type Place, plainScores, trainedModel } from './model'
import { isFailing, type Reading, readings, type Score } from './readings'

const [READINGS, SCORES, REFUSED] = ['readings', 'scores', 'readings-refused'] as const
const NO_READING = 'the sensor is broken'

export interface KerasKafkaResult {
  /** As they are in the topic, partition by partition. */
  readonly scores: readonly Score[]
  /** How many machines the model is right about. */
  readonly right: number
  /** The largest difference to what Keras says without this package, and without Kafka. */
  readonly difference: number
  /** What was no reading. */
  readonly refused: readonly string[]
  /** This process: with `--isolation shared` the model is in it. */
  readonly process: number
}

/** Kafka → Keras → Kafka: each reading has one score, however often this is stopped and started. */
function scoreTopic(kafka: KafkaOptions, score: Handler<Reading, Score>, store: string) {
  return runKafkaJob<Reading, Score>({
    name: 'scoring',
    kafka,
    source: { topics: READINGS },
    pipeline: ({ source }) =>
      source.pipe(
        map(({ value }) => value!),
        mapPython(score, { batch: 1024 }),
        map((value) => ({ key: `${value.machine}`, value })),
      ),
    sink: { topic: SCORES },
    checkpoint: { store, every: 200 },
    deadLetters: REFUSED,
  })
}

export async function demo(args: readonly string[], print: (line: string) => void): Promise<KerasKafkaResult> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { isolation: { type: 'string', default: 'process' }, interpreters: { type: 'string' } },
  })
  const count = Number(positionals[0] ?? 20_000)
  if (!Number.isSafeInteger(count) || count < 2) throw new Error(`'${positionals[0]}' is not a number of readings`)
  if (!['process', 'shared'].includes(values.isolation)) throw new Error("--isolation is 'process' or 'shared'")
  const isolation = values.isolation as Place
  const model = await trainedModel(print)
  const machines = [...readings(count)]
  const records = machines.map((reading) => ({ key: `${reading.machine}`, value: JSON.stringify(reading) }))
  const store = await mkdtemp(join(tmpdir(), 'rxjs-python-keras-'))
  // In one process JAX takes one call at a time.
  const interpreters = isolation === 'shared' ? 1 : Number(values.interpreters ?? 2)
  const { pool, score } = await openScorer(model, interpreters, isolation)
  try {
    return await withBroker([READINGS, SCORES, REFUSED], async (kafka) => {
      print(`a broker at ${kafka.brokers}; Keras in isolation '${isolation}', interpreters: ${interpreters}`)
      await kafka.produce(READINGS, [...records.slice(0, count / 2), { key: 'x', value: NO_READING }])
      const started = performance.now()
      const job = await scoreTopic(kafka.connection, score, store)
      let values: string[]
      try {
        await kafka.produce(READINGS, records.slice(count / 2))
        values = await Promise.race([valuesOf(kafka, SCORES, count), job.done.then(() => [])])
      } finally {
        await job.stop()
      }
      const seconds = (performance.now() - started) / 1000
      const scores = values.map((value) => JSON.parse(value) as Score)
      print(`scored ${scores.length} readings of the topic in ${seconds.toFixed(1)} s, with the loading of the model`)
      const workers = new Set(scores.map(({ worker }) => worker))
      for (const worker of workers) {
        const mine = scores.filter((one) => one.worker === worker)
        const where = worker === process.pid ? 'this process' : `process ${worker}`
        print(`${where}: loaded the model ${Math.max(...mine.map(({ loads }) => loads))} time, ${mine.length} scores`)
      }
      const right = scores.filter(({ machine, risk }) => risk > 0.5 === isFailing(machines[machine]!)).length
      print(`right about ${right} of ${count} machines`)
      const plain = await plainScores(model, count)
      const difference = Math.max(...scores.map(({ machine, risk }) => Math.abs(risk - plain[machine]!)))
      print(`largest difference to plain Keras: ${difference.toExponential(1)}`)
      const refused = (await kafka.read(REFUSED)).map(({ value }) => String(value))
      print(`no readings, and put aside: ${refused.length} ('${refused[0]}')`)
      return { scores, right, difference, refused, process: process.pid }
    })
  } finally {
    await pool.close()
    await rm(store, { recursive: true, force: true })
  }
}

if (require.main === module) runDemo(demo)
