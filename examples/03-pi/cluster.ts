// Three nodes share a job through Kafka, and one is killed: `npm run example -- pi/cluster`.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { EmbeddedKafka } from '../../lib/testing'
import { runDemo } from '../shared/demo'
import { withBroker } from '../shared/kafka'
import { ExampleNode } from '../shared/node'
import { type Estimate, type Part, PI, POINTS, POINTS_OF_PART, partsOf } from './shared'

const JOB = 'Pi1Job'
const PARTITIONS = 6
const NODES = 3
/** Milliseconds that anything may take. */
const PATIENCE = 120_000

export interface ClusterResult {
  /** What was counted in the end, by all nodes together. */
  readonly points: number
  readonly pi: number
  /** The same computed from the topic's points, without nodes. */
  readonly expected: { readonly points: number; readonly pi: number }
  /** The last estimate that was published. */
  readonly published: number
  /** How many points each node has had. */
  readonly byNode: Readonly<Record<string, number>>
  /** How many points were counted while one node was dead, and of how many partitions. */
  readonly meanwhile: { readonly points: number; readonly partitions: number }
}

export async function demo(args: readonly string[], print: (line: string) => void): Promise<ClusterResult> {
  const rate = args[0] ?? '2000'
  const topics = [
    { topic: POINTS, partitions: PARTITIONS, config: { 'retention.ms': '600000' } },
    { topic: partsOf(JOB), partitions: 1 },
    { topic: PI, partitions: 1 },
  ]
  return await withBroker(topics, async (kafka) => {
    print(`a broker at ${kafka.brokers}, ${PARTITIONS} partitions of points`)
    let published = Number.NaN
    let over = false
    const names = Array.from({ length: NODES }, (_, at) => `node ${at + 1}`)
    const nodes = await Promise.all(
      names.map((name) =>
        ExampleNode.start((line) => {
          if (!over && !/^\*+$/.test(line)) print(`${name} | ${line.replace(/ \d{4}-\S+Z/, '')}`)
          published = Number(/^Topic 'pi' : .* : Value '(.*)'$/.exec(line)?.[1] ?? published)
        }),
      ),
    )
    const [first, last] = [nodes[0]!, nodes.at(-1)!]
    const submit = async (at: number, name: string, ...more: string[]) => {
      const said = await nodes[at]!.run(
        'submit',
        join(__dirname, `${name}.ts`),
        '--',
        '--kafka',
        kafka.brokers,
        ...more,
      )
      print(`$ rxjs-python submit ${name}.ts   # on node ${at + 1}: ${said.trimEnd()}`)
    }
    try {
      const jobs = names.map((name, at) => submit(at, JOB, '--every', '2', '--as', name))
      await Promise.all([submit(0, 'RandomXYGenerator', '--rate', rate), ...jobs])
      await until('all nodes have parts', async () => workers(await partsIn(kafka)).size === NODES)

      const before = (await partsIn(kafka)).length
      await last.end('SIGKILL')
      print(`# kill -9 of node ${NODES}`)
      const after = async () => (await partsIn(kafka)).slice(before).filter(({ by }) => by !== names.at(-1))
      await until('the others have all partitions', async () => partitions(await after()).size === PARTITIONS)
      const without = await after()
      const meanwhile = { points: pointsIn(without), partitions: partitions(without).size }
      print(`# without it: ${meanwhile.points} points of all ${meanwhile.partitions} partitions`)

      const back = (await partsIn(kafka)).length
      await last.start()
      await until('it has parts again', async () => workers((await partsIn(kafka)).slice(back)).has(names.at(-1)!))
      print(`# node ${NODES} is back, and has its share`)

      await first.run('suspend', 'RandomXYGenerator')
      const expected = await expectedOf(kafka)
      await until('all points are counted', async () => pointsIn(await partsIn(kafka)) >= expected.points)
      await until('they are collated', async () => (await lastEstimate(kafka))?.points === expected.points)
      const parts = await partsIn(kafka)
      const byNode = Object.fromEntries(
        names.map((name) => [name, pointsIn(parts.filter(({ by }) => by === name))] as const),
      )
      for (const [name, points] of Object.entries(byNode)) print(`${name} has had ${points} points`)
      const { points, pi } = (await lastEstimate(kafka))!
      print(`together ${points} of ${expected.points} points: ${pi}; from the topic: ${expected.pi}`)
      return { points, pi, expected, published, byNode, meanwhile }
    } finally {
      over = true
      await Promise.all(nodes.map((node) => node.dispose()))
    }
  })
}

async function partsIn(kafka: EmbeddedKafka): Promise<Part[]> {
  return (await kafka.read(partsOf(JOB))).map(({ value }) => JSON.parse(String(value)) as Part)
}

async function lastEstimate(kafka: EmbeddedKafka): Promise<Estimate | undefined> {
  const last = (await kafka.read(PI)).at(-1)
  return last && (JSON.parse(String(last.value)) as Estimate)
}

function pointsIn(parts: readonly Part[]): number {
  return parts.reduce((total, { points }) => total + points, 0)
}

function workers(parts: readonly Part[]): Set<string> {
  return new Set(parts.map(({ by }) => by))
}

function partitions(parts: readonly Part[]): Set<number> {
  return new Set(parts.map(({ partition }) => partition))
}

/** From the points themselves: of each partition as many as make whole parts. */
async function expectedOf(kafka: EmbeddedKafka): Promise<{ points: number; pi: number }> {
  const records = await kafka.read(POINTS)
  let [points, inside] = [0, 0]
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const mine = records.filter((record) => record.partition === partition)
    for (const { value } of mine.slice(0, mine.length - (mine.length % POINTS_OF_PART))) {
      const [x, y] = String(value).split(',').map(Number) as [number, number]
      points++
      if (x * x + y * y <= 1) inside++
    }
  }
  return { points, pi: (4 * inside) / points }
}

/** A broker that a busy machine keeps waiting is asked again. */
async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  let problem: unknown
  const asked = () =>
    holds().catch((error) => {
      problem = error
      return false
    })
  for (const end = Date.now() + PATIENCE; !(await asked()); await sleep(300)) {
    if (Date.now() > end) throw new Error(`after ${PATIENCE / 1000} s it is not so that ${what}`, { cause: problem })
  }
}

if (require.main === module) runDemo(demo)
