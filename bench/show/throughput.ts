/** Ratios of throughputs, measured side by side. */
import { findCase } from '../cases'
import { drivers, findDriver } from '../drivers'
import { disagreements, type Result, runRounds } from '../harness/rounds'
import { median, short } from '../harness/stats'
import { type Driver, type Job, runsCase } from '../harness/types'
import { atLeast, type Outcome, type Probe, type Promised, type ShowContext } from './line'

export interface Setting {
  readonly case: string
  readonly size: number
  readonly inFlight: number
}

export type ByDriver = ReadonlyMap<string, Result>

/**
 * Measures these drivers in interleaved rounds. Throws when results differ or a driver fails, unless it is a peer: one
 * that breaks is no reason not to be compared with the others.
 */
export async function compare(context: ShowContext, setting: Setting, names: readonly string[]): Promise<ByDriver> {
  const used = findCase(setting.case)
  const { environment, rounds, seconds } = context
  const jobs = names.map((driver): Job => {
    const inFlight = findDriver(driver).concurrent ? setting.inFlight : 1
    return { ...setting, driver, inFlight, seconds, python: environment.python }
  })
  const prepared = await used.prepare(environment.python, context.data)
  const variables = (job: Job) => ({ ...prepared, ...findDriver(job.driver).variables?.(environment) })
  const results = await runRounds(jobs, { rounds, variables })
  for (const { job, failure } of results) {
    if (failure !== undefined && findDriver(job.driver).role !== 'peer') throw new Error(`${job.driver}: ${failure}`)
  }
  const [problem] = disagreements(results)
  if (problem !== undefined) throw new Error(problem)
  return new Map(results.map((result) => [result.job.driver, result]))
}

/** Drivers of npm packages that block the JavaScript thread until the answer is there. */
const SYNCHRONOUS = ['node-calls-python-sync', 'pymport-sync']

export async function runsHere(driver: Driver, context: ShowContext): Promise<boolean> {
  return (await driver.unavailable?.(context.environment)) === undefined
}

/** The drivers of other people's ways to Python that run here. */
export async function availablePeers(context: ShowContext, caseName: string): Promise<string[]> {
  const used = findCase(caseName)
  const names: string[] = []
  for (const driver of drivers) {
    if (driver.role === 'peer' && runsCase(driver, used) && (await runsHere(driver, context))) names.push(driver.name)
  }
  return names
}

/** Those of them that do not block the JavaScript thread. */
export async function asynchronousPeers(context: ShowContext, caseName: string): Promise<string[]> {
  const names = await availablePeers(context, caseName)
  return names.filter((name) => findDriver(name).concurrent)
}

/** The ratio of the medians; how it went in single rounds stands beside it. */
export function ratio(target: number, ours: Result, other: Result): Outcome {
  const byRound = ours.rounds.map((value, round) => value / other.rounds[round]!)
  const [mine, theirs] = [median(ours.rounds), median(other.rounds)]
  const spread = `${Math.min(...byRound).toFixed(2)}…${Math.max(...byRound).toFixed(2)} by round`
  const against = `${short(mine)}/s against ${short(theirs)}/s of ${findDriver(other.job.driver).label}`
  return atLeast(mine / theirs, target, `${against}, ${spread}`)
}

export function best(results: ByDriver, names: readonly string[]): Result {
  const found = names.map((name) => results.get(name)!).filter(({ failure }) => failure === undefined)
  if (found.length === 0) throw new Error('no peer could be measured')
  return found.reduce((top, one) => (median(one.rounds) > median(top.rounds) ? one : top))
}

/** `callSync`, run by the thread that calls, against the npm packages that block it. */
export function syncProbe(size: number, times: number): Probe {
  return {
    lines: [{ name: `callSync at batch ${size}, against the best synchronous npm peer`, target: `at least ${times}x` }],
    async run(context) {
      const found = await availablePeers(context, 'identity')
      const peers = found.filter((name) => SYNCHRONOUS.includes(name))
      const results = await compare(context, { case: 'identity', size, inFlight: 1 }, ['shared-sync', ...peers])
      return [ratio(times, results.get('shared-sync')!, best(results, peers))]
    },
  }
}

export interface IdentityTargets {
  /** How many times the best asynchronous peer. */
  readonly times?: number
  /** Which part of the JavaScript string ceiling. */
  readonly share?: number
}

/** Our calls against the best asynchronous peer and against the JavaScript string ceiling. */
export function identityProbe(size: number, inFlight: number, { times, share }: IdentityTargets): Probe {
  const lines: Promised[] = []
  if (times !== undefined) {
    lines.push({
      name: `identity at batch ${size}, ${inFlight} in flight, against the best asynchronous peer`,
      target: `at least ${times}x`,
    })
  }
  if (share !== undefined) {
    lines.push({ name: `identity at batch ${size}, against the JavaScript ceiling`, target: `at least ${share}x` })
  }
  return {
    lines,
    async run(context) {
      const peers = times === undefined ? [] : await asynchronousPeers(context, 'identity')
      const bounds = share === undefined ? [] : ['javascript']
      const setting = { case: 'identity', size, inFlight }
      const results = await compare(context, setting, ['shared', ...peers, ...bounds])
      const ours = results.get('shared')!
      const outcomes: Outcome[] = []
      if (times !== undefined) outcomes.push(ratio(times, ours, best(results, peers)))
      if (share !== undefined) outcomes.push(ratio(share, ours, results.get('javascript')!))
      return outcomes
    },
  }
}

/** The model through `mapPython`, on one interpreter against plain Python and on two against one. */
export function forestProbe(size: number, ofPlain: number, ofOne: number): Probe {
  return {
    lines: [
      {
        name: `RandomForest through mapPython at batch ${size}, one interpreter, against plain Python`,
        target: `at least ${ofPlain}x`,
      },
      { name: `RandomForest at batch ${size}, two interpreters against one`, target: `at least ${ofOne}x` },
    ],
    async run(context) {
      const setting = { case: 'forest', size, inFlight: 8 }
      // A batch takes 40 ms: in a short measurement the odd interruption would be all there is to see.
      const longer = { ...context, seconds: context.seconds * 3 }
      const results = await compare(longer, setting, ['shared-stream', 'python', 'namespace-stream'])
      const one = results.get('shared-stream')!
      return [ratio(ofPlain, one, results.get('python')!), ratio(ofOne, results.get('namespace-stream')!, one)]
    },
  }
}

/** The model on columns against the same numpy arrays in plain Python. */
export function forestColumnsProbe(size: number, ofPlain: number): Probe {
  return {
    lines: [
      {
        name: `RandomForest on columns at batch ${size}, one interpreter, against plain Python with the same arrays`,
        target: `at least ${ofPlain}x`,
      },
    ],
    async run(context) {
      const setting = { case: 'forest-columns', size, inFlight: 8 }
      const longer = { ...context, seconds: context.seconds * 3 }
      const results = await compare(longer, setting, ['shared-stream', 'python'])
      return [ratio(ofPlain, results.get('shared-stream')!, results.get('python')!)]
    },
  }
}
