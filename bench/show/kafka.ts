/** What the Kafka connector promises: nothing lost, doubled or out of order, whatever is killed; a quick hand-over; bounded memory. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { EmbeddedKafka } from '../../lib/testing'
import { judge, untilCommitted, type Verdict, Worker, type WorkerOptions } from '../../test/services/kafka/workers'
import { startKafka } from '../../test/services/servers/kafka'
import { forest } from '../cases/forest'
import { handlersFolder, packageFolder } from '../harness/paths'
import { keyedCensus } from './kafka-census'
import { hostsProbe } from './kafka-hosts'
import { throughputProbes } from './kafka-throughput'
import type { Probe, Report, ShowContext } from './line'

const PARTITIONS = 4
const KEYS = 1000

interface Stage {
  readonly kafka: EmbeddedKafka
  /** Starts a worker; the same number has the same folder for its state. */
  start(number: number, pipeline: WorkerOptions['pipeline'], more?: Partial<WorkerOptions>): Worker
}

/** A broker with the topics `in` and `out`, and what is needed to start workers. */
async function onStage<R>(context: ShowContext, use: (stage: Stage) => Promise<R>): Promise<R> {
  const folder = await mkdtemp(join(tmpdir(), 'rxjs-python-show-kafka-'))
  const variables = await forest.prepare!(context.environment.python, context.data)
  const kafka = await startKafka({ client: 'confluent', heap: '512m' })
  const workers: Worker[] = []
  try {
    await kafka.createTopics({ topic: 'in', partitions: PARTITIONS }, { topic: 'out', partitions: PARTITIONS })
    const start: Stage['start'] = (number, pipeline, more = {}) => {
      const worker = new Worker(
        {
          main: join(packageFolder, 'dist', 'main.cjs'),
          name: 'show',
          brokers: kafka.brokers,
          input: 'in',
          output: 'out',
          store: join(folder, `${number}`),
          every: 200,
          python: pipeline.name === 'model' ? context.environment.python : undefined,
          handlers: [handlersFolder],
          pipeline,
          ...more,
        } as WorkerOptions,
        variables,
      )
      workers.push(worker)
      return worker
    }
    return await use({ kafka, start })
  } finally {
    await Promise.all(workers.map((worker) => worker.kill()))
    await kafka.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

const model: WorkerOptions['pipeline'] = {
  name: 'model',
  handler: 'forest_keyed:handle',
  init: 'forest_keyed:load',
  pool: { size: 1, isolation: 'shared' },
}

const readAnswer = (text: string) => JSON.parse(text) as { key: string; number: number }

function said({ records, lost, doubled, disordered }: Verdict): string {
  return `${records.toLocaleString('en')} records, ${lost} lost, ${doubled} doubled, ${disordered} out of order`
}

function isWhole({ lost, doubled, disordered }: Verdict): boolean {
  return lost === 0 && doubled === 0 && disordered === 0
}

const RECORDS = 1_000_000
const KILLS = 20
const RESTARTS = 5

const killProbe: Probe = {
  lines: [
    {
      name: `Kafka → RandomForest → Kafka, two workers, one of them killed by kill -9 ${KILLS} times, and ${RESTARTS} broker restarts`,
      target: `${RECORDS.toLocaleString('en')} committed records read back: none lost, none doubled, order kept for each key`,
    },
  ],
  run: (context) =>
    onStage(context, async ({ kafka, start }) => {
      const records = Math.max(20_000, Math.round(RECORDS * context.share))
      const kills = context.share < 1 ? 4 : KILLS
      const every = Math.max(1, Math.floor(kills / (context.share < 1 ? 1 : RESTARTS)))
      const counts = new Map<string, number>()
      const census = await keyedCensus(context.data, records, KEYS, counts)
      const began = performance.now()
      const steady = start(1, model)
      await steady.heard('running')
      let restarts = 0
      for (let kill = 1; kill <= kills; kill++) {
        const victim = start(2, model)
        const part = census.splice(0, kill === kills ? census.length : Math.ceil(records / kills))
        const feeding = kafka.produce('in', part)
        await victim.heard('started', 1, 120_000)
        await sleep(Math.random() * 2000)
        await victim.kill()
        await feeding
        if (kill % every !== 0) continue
        // In the middle of what the other one does: by a crash, or as an upgrade does it.
        if (restarts++ % 2 === 0) await kafka.kill()
        await kafka.restart()
      }
      const last = start(2, model)
      await untilCommitted(kafka, 'out', records, 900_000)
      await Promise.all([steady.stop(), last.stop()])
      const verdict = await judge(kafka, 'out', counts, readAnswer)
      const seconds = ((performance.now() - began) / 1000).toFixed(0)
      return [
        {
          value: `${said(verdict)}, ${kills} kills, ${restarts} restarts, ${seconds} s`,
          holds: isWhole(verdict) && verdict.records === records && kills >= KILLS && restarts >= RESTARTS,
        },
      ]
    }),
}

const STATE = 100_000
const LIMIT = 10_000

const rebalanceProbe: Probe = {
  lines: [
    {
      name: `rebalance with ${STATE.toLocaleString('en')} keys of state, a worker comes: a partition rests`,
      target: `at most ${LIMIT / 1000} s`,
    },
    {
      name: `rebalance with ${STATE.toLocaleString('en')} keys of state, the other worker is killed: until its partitions go on`,
      target: `at most ${LIMIT / 1000} s, every count right`,
    },
  ],
  run: (context) =>
    onStage(context, async ({ kafka, start }) => {
      const items = (number: number) => {
        return Array.from({ length: STATE }, (_, at) => ({ key: `k${at}`, value: `{"k":"k${at}","i":${number}}` }))
      }
      const pipeline = { name: 'state' } as const
      const first = start(1, pipeline)
      await kafka.produce('in', items(0))
      await untilCommitted(kafka, 'out', STATE, 120_000)
      const second = start(2, pipeline)
      await second.heard('started', PARTITIONS / 2)
      const rests = second.said
        .filter(({ kind }) => kind === 'started')
        .map(({ partition, at }) => {
          const released = first.said.find((one) => one.kind === 'released' && one.partition === partition)
          return at! - released!.at!
        })
      const killed = Date.now()
      await first.kill()
      const last = await second.heard('started', PARTITIONS)
      const after = last.at! - killed
      await kafka.produce('in', items(1))
      await untilCommitted(kafka, 'out', 2 * STATE, 120_000)
      await second.stop()
      let wrong = 0
      for await (const some of kafka.readBatches('out')) {
        for (const { value } of some) {
          const { i, n } = JSON.parse(String(value)) as { i: number; n: number }
          if (n !== i + 1) wrong++
        }
      }
      const longest = Math.max(...rests)
      const restored = second.said.reduce((sum, one) => sum + (one.restored ?? 0), 0)
      return [
        { value: `${(longest / 1000).toFixed(1)} s`, holds: longest <= LIMIT },
        {
          value: `${(after / 1000).toFixed(1)} s, ${wrong} of ${2 * STATE} counts wrong, ${restored} records restored in all`,
          holds: after <= LIMIT && wrong === 0,
        },
      ]
    }),
}

const AWAY = 60_000
/** Megabytes that a worker may grow while it waits. */
const GROWTH = 100

const outageProbe: Probe = {
  lines: [
    {
      name: `the broker away for ${AWAY / 1000} s in the middle of the stream`,
      target: `at most ${GROWTH} MB more memory, everything delivered afterwards`,
    },
  ],
  run: (context) =>
    onStage(context, async ({ kafka, start }) => {
      const records = Math.max(20_000, Math.round(200_000 * context.share))
      const away = context.share < 1 ? 5000 : AWAY
      const counts = new Map<string, number>()
      await kafka.produce('in', await keyedCensus(context.data, records, KEYS, counts))
      const worker = start(1, model)
      await worker.heard('started', PARTITIONS)
      while ((worker.status?.done ?? 0) < records / 4) await sleep(50)
      const before = worker.status!.rss!
      await kafka.kill()
      let most = 0
      for (const end = Date.now() + away; Date.now() < end; await sleep(250)) most = Math.max(most, worker.status!.rss!)
      await kafka.restart()
      await untilCommitted(kafka, 'out', records, 300_000)
      await worker.stop()
      const verdict = await judge(kafka, 'out', counts, readAnswer)
      const grown = (most - before) / 2 ** 20
      return [
        {
          value: `${Math.max(0, grown).toFixed(0)} MB more, ${away / 1000} s away, ${said(verdict)}`,
          holds: grown <= GROWTH && isWhole(verdict) && verdict.records === records && away >= AWAY,
        },
      ]
    }),
}

export const kafka: Report = {
  name: 'kafka',
  probes: [killProbe, ...throughputProbes, rebalanceProbe, outageProbe, hostsProbe],
}
