/** `npm run show -- core` and the like: measures what the package promises and says for each line whether it holds. */
import { parseArgs } from 'node:util'
import { preparePython } from './harness/environment'
import { packageProblem } from './harness/package'
import { applications } from './show/applications'
import { connectors } from './show/connectors'
import { core } from './show/core'
import { graph } from './show/graph'
import { isolation } from './show/isolation'
import { kafka } from './show/kafka'
import type { Outcome, Probe, Report, ShowContext } from './show/line'
import { speed } from './show/speed'
import { streams } from './show/streams'

const REPORTS: readonly Report[] = [core, isolation, streams, connectors, kafka, graph, applications, speed]

const HELP = `npm run show -- ${REPORTS.map(({ name }) => name).join('|')} [options]

  --only TEXT       only lines whose name holds this text
  --rounds N        rounds of each comparison; default 5
  --quick           few rounds and short ones: to see that it works, not to quote
  --items N         items of the longest stream of the report speed; default 100 million
  --python PATH     the Python to make the environment from; default as a pool finds it
  --data FILE       census records in the UCI Adult format; default ../shared/data/adult.data or made-up records
`

async function outcomesOf(probe: Probe, context: ShowContext): Promise<readonly Outcome[]> {
  try {
    return await probe.run(context)
  } catch (error) {
    const [what, why = ''] = (error as Error).message.split('\n')
    const value = `could not be measured: ${what} ${why}`.trim()
    return probe.lines.map(() => ({ value, holds: false }))
  }
}

async function show(probes: readonly Probe[], context: ShowContext): Promise<number> {
  let holding = 0
  let all = 0
  for (const probe of probes) {
    const outcomes = await outcomesOf(probe, context)
    probe.lines.forEach(({ name, target }, index) => {
      const { value, holds } = outcomes[index]!
      console.log(`${name}: ${value} (${target})${holds ? '' : '  <- short'}`)
      all += 1
      if (holds) holding += 1
    })
  }
  console.log(`${holding} of ${all} hold`)
  return holding === all ? 0 : 1
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      only: { type: 'string', default: '' },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      items: { type: 'string' },
      python: { type: 'string' },
      data: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  const report = REPORTS.find(({ name }) => name === positionals[0])
  if (values.help || report === undefined) {
    console.log(HELP)
    return values.help ? 0 : 2
  }
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 5))
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds: "${values.rounds}" is not a positive number`)
  const items = values.items === undefined ? undefined : Number(values.items)
  if (items !== undefined && !(items >= 10_000))
    throw new Error(`--items: "${values.items}" is not a number from 10000 on`)
  const problem = packageProblem()
  if (problem !== undefined) throw new Error(problem)

  const probes = report.probes.filter(({ lines }) => lines.some(({ name }) => name.includes(values.only)))
  if (probes.length === 0) throw new Error(`--only: no line of ${report.name} holds "${values.only}"`)
  return show(probes, {
    rounds,
    seconds: values.quick ? 0.2 : 0.7,
    share: values.quick ? 0.02 : 1,
    items,
    data: values.data,
    environment: await preparePython(values.python),
  })
}

main().then(
  (status) => {
    process.exitCode = status
  },
  (error) => {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  },
)
