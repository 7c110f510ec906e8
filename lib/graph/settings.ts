import { MAX_TIME } from '../checker'
import type { GraphChecker } from './check'
import type { PlannedSettings } from './plan'
import { PROGRESS_LEVELS, type RunSettings } from './types'

const FIELDS = ['batchTolerance', 'concurrentPipelines', 'progressVerbosityLevel', 'ttl', 'concurrency']
const BATCH_TOLERANCE = 80

/** The options of a pipeline's runs, with numbers and booleans that may be texts. */
export function checkSettings(check: GraphChecker, options: RunSettings | undefined): PlannedSettings {
  const given = options ?? {}
  const here = check.at('options')
  if (!here.object('options', given, FIELDS)) return checkSettings(check, undefined)
  const tolerance = numberOf(given.batchTolerance)
  if (tolerance !== undefined && !(typeof tolerance === 'number' && tolerance >= 0 && tolerance <= 100)) {
    here.problem("'batchTolerance' must be a percentage from 0 to 100", given.batchTolerance)
  }
  const runs = given.concurrentPipelines
  let amount: number | undefined
  let reject: boolean | undefined
  if (runs !== undefined && here.object('concurrentPipelines', runs, ['amount', 'rejectOnFailure'])) {
    amount = here.whole('concurrentPipelines.amount', numberOf(runs.amount), 1, 2 ** 31)
    if (runs.amount === undefined) here.problem("'concurrentPipelines.amount' is missing")
    reject = here.flag('concurrentPipelines.rejectOnFailure', flagOf(runs.rejectOnFailure))
  }
  return {
    batchTolerance: typeof tolerance === 'number' ? tolerance : BATCH_TOLERANCE,
    runs: amount,
    rejectOnFailure: reject ?? false,
    level: here.oneOf('progressVerbosityLevel', given.progressVerbosityLevel, PROGRESS_LEVELS) ?? 'info',
    ttl: timeToLive(here, given.ttl),
    concurrency: here.whole('concurrency', numberOf(given.concurrency), 1, 2 ** 31),
  }
}

/** Seconds as milliseconds. */
export function timeToLive(check: GraphChecker, given: unknown): number | undefined {
  const seconds = numberOf(given)
  if (seconds === undefined) return undefined
  // A timer takes some 24 days; longer is for ever.
  if (typeof seconds === 'number' && seconds > 0) return Math.min(seconds * 1000, MAX_TIME)
  check.problem("'ttl' must be a number of seconds above 0", given)
  return undefined
}

/** `'100'` as 100; anything else as it is. */
function numberOf(value: unknown): unknown {
  return typeof value === 'string' && /^\d+(\.\d+)?$/.test(value) ? Number(value) : value
}

function flagOf(value: unknown): unknown {
  return value === 'true' ? true : value === 'false' ? false : value
}
