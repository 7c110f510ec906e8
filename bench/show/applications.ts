/** What the examples and their node promise: each is run as its page says, and checked by what it produces. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual, promisify } from 'node:util'
import type { demo as evensDemo } from '../../examples/01-evens/demo'
import type { measure as measureSalaries } from '../../examples/02-salary/batching'
import type { demo as salaryKafkaDemo } from '../../examples/02-salary/kafka'
import type { demo as clusterDemo } from '../../examples/03-pi/cluster'
import type { demo as piDemo } from '../../examples/03-pi/demo'
import type { demo as piHttpDemo } from '../../examples/04-pi-http/demo'
import type { demo as wordsDemo } from '../../examples/05-words/demo'
import type { demo as wordsKafkaDemo } from '../../examples/05-words/kafka'
import type { demo as kerasDemo } from '../../examples/06-keras/demo'
import type { demo as kerasKafkaDemo } from '../../examples/06-keras/kafka'
import type { demo as recommenderDemo } from '../../examples/07-recommender/demo'
import type { demo as graphDemo } from '../../examples/09-graph/demo'
import type { Outcome, Probe, Report } from './line'
import { nodeProbes } from './nodes'

const root = join(__dirname, '..', '..')
const examples = join(root, 'examples')
const run = promisify(execFile)

type Demo<R> = (args: readonly string[], print: (line: string) => void) => Promise<R>

/** An example, loaded when its line is measured: what it needs is then there, or the line says what is not. */
function example<D extends Demo<unknown>>(
  name: string,
  target: string,
  program: string,
  args: readonly string[],
  judge: (result: Awaited<ReturnType<D>>) => Outcome,
): Probe {
  return {
    lines: [{ name, target }],
    async run() {
      const { demo } = (await import(join(examples, program))) as { demo: D }
      return [judge((await demo(args, () => {})) as Awaited<ReturnType<D>>)]
    },
  }
}

const evens = example<typeof evensDemo>(
  'example 1, even numbers from 0 to below 1,000',
  '500',
  '01-evens/demo',
  [],
  (found) => ({ value: String(found), holds: found === 500 }),
)

const salaryProbe: Probe = {
  lines: [{ name: 'example 2, salary predictions equal to plain scikit-learn', target: 'all, accuracy above 0.84' }],
  async run({ data }) {
    const program = ['--import=tsx', join(examples, '02-salary', 'demo.ts'), '--check']
    const args = [...program, ...(data === undefined ? [] : ['--data', data])]
    const { stdout } = await run(process.execPath, args, { cwd: root, maxBuffer: 64 << 20 })
    const [, equal, all] = /^predictions: (\d+) of (\d+) equal/m.exec(stdout) ?? []
    const accuracy = Number(/^accuracy: (.*)$/m.exec(stdout)?.[1])
    const holds = all !== undefined && Number(all) > 0 && equal === all && accuracy > 0.84
    return [{ value: `${equal} of ${all}, accuracy ${accuracy}`, holds }]
  },
}

const salaryKafka = example<typeof salaryKafkaDemo>(
  'example 2, Kafka to Kafka with a worker more while it runs',
  'each person once, as the model says; both workers have worked',
  '02-salary/kafka',
  ['4000'],
  ({ answers, expected, workers }) => {
    const byId = [...answers].sort((a, b) => a.id - b.id)
    const right = expected.filter(({ income, probability }, id) => {
      const answer = byId[id]
      return answer?.id === id && answer.income === income && answer.probability === probability
    })
    const worked = workers.filter((pid) => answers.some(({ worker }) => worker === pid)).length
    return {
      value: `${answers.length} answers, ${right.length} right, ${worked} of ${workers.length} workers`,
      holds: right.length === expected.length && answers.length === expected.length && worked === 2,
    }
  },
)

const salaryBatches: Probe = {
  lines: [
    {
      name: 'example 2, a record in a batch of 1024 against one by itself; REST in batches against one by one',
      target: 'above 5x; above 2x',
    },
  ],
  async run() {
    const { measure } = (await import(join(examples, '02-salary', 'batching'))) as { measure: typeof measureSalaries }
    const { stream, oneByOne, together } = await measure(300, () => {})
    const [records, requests] = [stream.get(1024)! / stream.get(1)!, together / oneByOne]
    return [{ value: `${records.toFixed(0)}x; ${requests.toFixed(1)}x`, holds: records > 5 && requests > 2 }]
  },
}

const pi = example<typeof piDemo>(
  'example 3, both estimates of pi after 10 s',
  'within 0.01',
  '03-pi/demo',
  ['--seconds', '10', '--every', '2'],
  ({ estimates }) => {
    const last = Object.entries(estimates).map(([name, values]) => [name, values.at(-1) ?? Number.NaN] as const)
    return {
      value: last.map(([name, value]) => `${name} ${value.toFixed(5)}`).join(', '),
      holds: last.every(([, value]) => Math.abs(value - Math.PI) < 0.01),
    }
  },
)

const piCluster = example<typeof clusterDemo>(
  'example 3, three nodes share a job through Kafka, and one is killed with -9',
  'each point once, equal to a count of the topic; the others have all partitions meanwhile',
  '03-pi/cluster',
  [],
  ({ points, pi, expected, byNode, meanwhile }) => {
    const shares = Object.values(byNode)
    const equal = points === expected.points && pi === expected.pi
    return {
      value: `${equal ? 'equal' : 'different'}, ${points} of ${expected.points} points (${shares.join(' + ')}), pi ${pi.toFixed(4)}`,
      holds: equal && meanwhile.partitions === 6 && shares.length === 3 && shares.every((share) => share > 0),
    }
  },
)

const piHttp = example<typeof piHttpDemo>(
  'example 4, pi over HTTP, polled and pushed',
  'both done and within 0.01, not at once',
  '04-pi-http/demo',
  [],
  ({ polled, polls, pushed }) => ({
    value: `polled ${polls} times ${polled.pi}, pushed ${pushed.pi}`,
    holds: polls > 1 && [polled, pushed].every(({ state, pi }) => state === 'done' && Math.abs(pi! - Math.PI) < 0.01),
  }),
)

const words = example<typeof wordsDemo>(
  'example 5, top ten words, asked for while it runs and at its end',
  "equal to a batch's; counts never go back",
  '05-words/demo',
  [],
  ({ asked, top, batch }) => {
    const totals = asked.map((answer) => answer.reduce((sum, { count }) => sum + count, 0))
    const equal = top.length === 10 && isDeepStrictEqual(top, batch)
    const onwards = totals.every((total, at) => at === 0 || total >= totals[at - 1]!)
    return { value: `${equal ? 'equal' : 'different'}, asked ${asked.length} times`, holds: equal && onwards }
  },
)

const wordsKafka = example<typeof wordsKafkaDemo>(
  'example 5, Kafka to a table that is asked and to Kafka, stopped in the middle',
  "both top tens a batch's, no word lost or doubled",
  '05-words/kafka',
  [],
  ({ asked, top, written, batch, words }) => {
    const equal = top.length === 10 && isDeepStrictEqual(top, batch) && isDeepStrictEqual(written, batch)
    return {
      value: `${equal ? 'equal' : 'different'}, asked ${asked.length} times, ${words.table} words in the table, ${words.topic} in the topic, of ${words.text}`,
      holds: equal && asked.length > 1 && words.table === words.text && words.topic === words.text,
    }
  },
)

const keras = example<typeof kerasDemo>(
  'example 6, Keras in a stream against plain Keras',
  'scores within 1e-5, one load in each of 2 workers',
  '06-keras/demo',
  ['20000'],
  ({ scores, difference, right }) => {
    const workers = new Set(scores.map(({ worker }) => worker)).size
    const once = scores.every(({ loads }) => loads === 1)
    return {
      value: `within ${difference.toExponential(1)}, ${workers} workers, ${right} of ${scores.length} right`,
      holds: difference < 1e-5 && workers === 2 && once && right > 0.95 * scores.length,
    }
  },
)

const kerasKafka = example<typeof kerasKafkaDemo>(
  'example 6, a topic scored by Keras on a real broker',
  'each reading once, within 1e-5 of plain Keras; what is no reading is put aside',
  '06-keras/kafka',
  ['10000'],
  ({ scores, difference, refused }) => {
    const machines = new Set(scores.map(({ machine }) => machine)).size
    const once = scores.length === 10_000 && machines === 10_000
    return {
      value: `${machines} machines, ${scores.length} scores within ${difference.toExponential(1)}, ${refused.length} put aside`,
      holds: once && difference < 1e-5 && refused.length === 1 && scores.every(({ loads }) => loads === 1),
    }
  },
)

/** By itself: the Python of this process is another one. */
const kerasHere: Probe = {
  lines: [{ name: 'example 6, the same with Keras in the very process', target: 'within 1e-5, one load' }],
  async run() {
    const args = ['examples/run.mjs', 'keras/kafka', '10000', '--isolation', 'shared']
    const { stdout } = await run(process.execPath, args, { cwd: root, maxBuffer: 64 << 20 })
    const difference = Number(/^largest difference to plain Keras: (.*)$/m.exec(stdout)?.[1])
    const [, scores] = /^this process: loaded the model 1 time, (\d+) scores$/m.exec(stdout) ?? []
    const value = `${scores} scores within ${difference}`
    return [{ value, holds: scores === '10000' && difference < 1e-5 }]
  },
}

const recommender = example<typeof recommenderDemo>(
  'example 7, error of the recommender as ratings arrive',
  'falls, and the best is served',
  '07-recommender/demo',
  [],
  ({ versions, recommended }) => {
    const errors = versions.map(({ ratings, error }) => `${error.toFixed(2)} (${ratings})`)
    const best = versions.filter(({ serving }) => serving).at(-1)
    const falls = versions.length >= 3 && versions.at(-1)!.error < versions[0]!.error / 1.5
    return { value: errors.join(', '), holds: falls && recommended.version === best?.version }
  },
)

const deploying: Probe = {
  lines: [{ name: 'example 8, container, manifests and unit against their schemas', target: 'all fit' }],
  async run() {
    const mocha = join(root, 'node_modules', 'mocha', 'bin', 'mocha.js')
    const tests = join(examples, '08-deploy', 'deploy.test.ts')
    const { stdout } = await run(process.execPath, [mocha, '--reporter', 'json', tests], { cwd: root })
    const { stats } = JSON.parse(stdout.slice(stdout.indexOf('{\n'))) as { stats: { passes: number; failures: number } }
    const value = `${stats.passes} checks passed, ${stats.failures} failed`
    return [{ value, holds: stats.passes > 0 && stats.failures === 0 }]
  },
}

const graph = example<typeof graphDemo>(
  'example 9, a tuned model in a graph over tweets',
  'above 0.75 on unseen ones; run again, the tuner comes from the store',
  '09-graph/demo',
  ['--tweets', '500'],
  ({ trained, again, outputs }) => ({
    value: `${trained.accuracy.toFixed(3)}, ${outputs.length} outputs`,
    holds: trained.accuracy > 0.75 && outputs.length > 0 && again.optimizerNode?.cached === true,
  }),
)

/** As somebody who has cloned it: nothing is installed, built or cached inside of the folder. */
const freshClone: Probe = {
  lines: [{ name: 'npm run example -- evens in a fresh clone, with nothing before it', target: '500 of 1000' }],
  async run() {
    const folder = await mkdtemp(join(tmpdir(), 'rxjs-python-clone-'))
    try {
      await run('git', ['clone', '-q', '--depth', '1', `file://${root}`, folder])
      const { stdout } = await run('npm', ['run', '--silent', 'example', '--', 'evens'], {
        cwd: folder,
        maxBuffer: 64 << 20,
      })
      const said = stdout.trim().split('\n').at(-1) ?? ''
      return [{ value: said, holds: said === '500 of 1000 numbers are even' }]
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
}

const probes = [
  ...[
    evens,
    salaryProbe,
    salaryBatches,
    salaryKafka,
    pi,
    piCluster,
    piHttp,
    words,
    wordsKafka,
    keras,
    kerasKafka,
    kerasHere,
  ],
  ...[recommender, deploying, graph, freshClone, ...nodeProbes],
]

export const applications: Report = { name: 'applications', probes }
