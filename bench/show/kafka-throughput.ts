/** Kafka → model → Kafka against the slower of its two halves, in the same run on the same broker. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { EmbeddedKafka } from '../../lib/testing'
import { Worker } from '../../test/services/kafka/workers'
import { startKafka } from '../../test/services/servers/kafka'
import { forest } from '../cases/forest'
import { handlersFolder, packageFolder } from '../harness/paths'
import { median } from '../harness/stats'
import { jetKafka } from '../peers/drivers'
import { keyedCensus } from './kafka-census'
import type { Probe } from './line'
import { atLeast } from './line'

const PARTITIONS = 4
const TARGET = 0.9
const KEYS = 1000
/** Milliseconds from one epoch to the next. */
const EVERY = 500

/** Items a second while a worker goes from a quarter to nine tenths of the records. */
async function rateOf(worker: Worker, records: number): Promise<number> {
  const at = async (part: number) => {
    while ((worker.status?.done ?? 0) < records * part) {
      if (!worker.running) throw new Error('the worker has ended')
      await sleep(20)
    }
    return { done: worker.status!.done!, at: performance.now() }
  }
  const from = await at(0.25)
  const to = await at(0.9)
  return ((to.done - from.done) / (to.at - from.at)) * 1000
}

interface Run {
  readonly name: string
  readonly pipeline: 'model' | 'copy' | 'alone' | 'jet'
}

const RUNS: readonly Run[] = [
  { name: 'the client alone', pipeline: 'copy' },
  { name: 'the model alone', pipeline: 'alone' },
  { name: 'both', pipeline: 'model' },
  { name: 'Jet', pipeline: 'jet' },
]

const probe: Probe = {
  lines: [
    {
      name: 'throughput of Kafka → RandomForest → Kafka against the slower of the client alone (consuming and producing) and the model alone',
      target: `at least ${TARGET}x`,
    },
    {
      name: 'the same against Hazelcast Jet, on the same broker, exactly once, with one Python',
      target: 'ahead',
    },
  ],
  async run(context) {
    const folder = await mkdtemp(join(tmpdir(), 'rxjs-python-show-kafka-'))
    const variables = await forest.prepare!(context.environment.python, context.data)
    const records = Math.max(20_000, Math.round(200_000 * context.share))
    const kafka: EmbeddedKafka = await startKafka({ client: 'confluent', heap: '512m' })
    const rates = new Map<string, number[]>()
    try {
      await kafka.createTopics({ topic: 'in', partitions: PARTITIONS })
      await kafka.produce('in', await keyedCensus(context.data, records, KEYS, new Map()))
      for (let round = 0; round < Math.max(1, Math.min(3, context.rounds)); round++) {
        for (const { pipeline } of RUNS) {
          const name = `${pipeline}-${round}`
          const note = (rate: number) => rates.set(pipeline, [...(rates.get(pipeline) ?? []), rate])
          await kafka.createTopics({ topic: name, partitions: PARTITIONS })
          if (pipeline === 'jet') {
            const job = { brokers: kafka.brokers, input: 'in', output: name, records, every: EVERY }
            note(await jetKafka(job, { python: context.environment.python, module: 'forest_keyed' }, variables))
            continue
          }
          const worker = new Worker(
            {
              ...{
                main: join(packageFolder, 'dist', 'main.cjs'),
                name,
                brokers: kafka.brokers,
                input: 'in',
                output: name,
              },
              ...{ store: join(folder, name), every: EVERY, handlers: [handlersFolder] },
              ...(pipeline === 'copy' ? {} : { python: context.environment.python }),
              pipeline: {
                ...{ name: pipeline, handler: 'forest_keyed:handle', init: 'forest_keyed:load', records },
                pool: { size: 1, isolation: 'shared' },
              },
            },
            variables,
          )
          try {
            note(await rateOf(worker, records))
          } finally {
            await worker.kill()
          }
        }
      }
    } finally {
      await kafka.stop()
      await rm(folder, { recursive: true, force: true })
    }
    const of = (pipeline: string) => median(rates.get(pipeline)!)
    const shown = RUNS.slice(0, 3).map(
      ({ name, pipeline }) => `${name} ${Math.round(of(pipeline)).toLocaleString('en')}/s`,
    )
    const against = of('model') / of('jet')
    return [
      atLeast(of('model') / Math.min(of('copy'), of('alone')), TARGET, shown.join(', ')),
      { value: `${against.toFixed(2)}x, Jet ${Math.round(of('jet')).toLocaleString('en')}/s`, holds: against > 1 },
    ]
  },
}

export const throughputProbes: readonly Probe[] = [probe]
