import { parseArgs } from 'node:util'

export interface BenchOptions {
  readonly cases?: readonly string[]
  readonly drivers?: readonly string[]
  readonly sizes?: readonly number[]
  readonly inFlight?: readonly number[]
  readonly rounds: number
  readonly seconds: number
  readonly python?: string
  readonly data?: string
  /** Whether Jep and Hazelcast Jet are among the drivers where none are named. */
  readonly jvm: boolean
  /** Whether BENCHMARKS.md is written. */
  readonly record: boolean
}

export const BENCH_HELP = `npm run bench -- [options]

  --case NAME[,NAME]      identity, json, forest, forest-columns, array-in, array-out, images, latency; default all
  --driver NAME[,NAME]    default all that run here
  --sizes N[,N]           batch sizes; arrays (bytes) and latency (calls per second) keep theirs beside them
  --in-flight N[,N]       calls in flight; default that of the case: 8, and 64 too where a batch is one string
  --rounds N              how often everything is measured; default 5
  --seconds N             length of one measurement; default 0.7
  --quick                 one round of 0.2 s: to see that it works, not to quote
  --jvm                   Jep and Hazelcast Jet, too: needs a JDK (17 or later) and Maven
  --record                write BENCHMARKS.md and its charts, too: for a quiet machine
  --python PATH           the Python to make the environment from; default as a pool finds it
  --data FILE             census records in the UCI Adult format; default ../shared/data/adult.data or made-up records
`

/** Reads the command line; undefined when only help was asked for. Throws with all problems at once. */
export function parseBenchOptions(args: readonly string[]): BenchOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      case: { type: 'string' },
      driver: { type: 'string' },
      sizes: { type: 'string' },
      'in-flight': { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      python: { type: 'string' },
      data: { type: 'string' },
      jvm: { type: 'boolean', default: false },
      record: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  const problems: string[] = []
  const numbers = (name: string, text: string, whole: boolean) =>
    text.split(',').map((part) => {
      const value = Number(part)
      if (!(value > 0) || (whole && !Number.isInteger(value))) {
        problems.push(`--${name}: "${part}" is not a positive ${whole ? 'whole ' : ''}number`)
      }
      return value
    })
  const list = (name: string, text: string | undefined) => (text === undefined ? undefined : numbers(name, text, true))
  const options: BenchOptions = {
    cases: values.case?.split(','),
    drivers: values.driver?.split(','),
    sizes: list('sizes', values.sizes),
    inFlight: list('in-flight', values['in-flight']),
    rounds: numbers('rounds', values.rounds ?? (values.quick ? '1' : '5'), true)[0]!,
    seconds: numbers('seconds', values.seconds ?? (values.quick ? '0.2' : '0.7'), false)[0]!,
    python: values.python,
    data: values.data,
    jvm: values.jvm,
    record: values.record,
  }
  if (problems.length > 0) throw new Error(problems.join('\n'))
  return options
}
