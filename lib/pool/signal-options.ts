import { constants } from 'node:os'
import { isMainThread } from 'node:worker_threads'
import { Checker } from '../checker'
import { OptionError } from '../errors'

const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM']
const DRAIN_TIME = 10_000

/** Options of `pool.closeOnSignal`. */
export interface SignalOptions {
  /** Default SIGINT and SIGTERM. */
  signals?: readonly NodeJS.Signals[]
  /** Milliseconds from the signal after which the process leaves whatever still runs (default 10000). */
  timeout?: number
  /** Called when the pool has drained and closed, before the process leaves: for whatever else has to be closed. */
  onDrained?: (signal: NodeJS.Signals) => void | Promise<void>
}

/** Signal options, checked, with all defaults. */
export interface CompleteSignalOptions {
  signals: readonly NodeJS.Signals[]
  timeout: number
  onDrained: ((signal: NodeJS.Signals) => void | Promise<void>) | undefined
}

/** Checks the options of `pool.closeOnSignal`; throws an `OptionError` that names all problems. */
export function validateSignalOptions(options: SignalOptions = {}): CompleteSignalOptions {
  const check = new Checker('pool.closeOnSignal')
  if (!isMainThread) {
    check.problem('signals reach the main thread alone: call it there, and tell the Worker to close its pool')
  }
  if (!check.object('options', options, ['signals', 'timeout', 'onDrained'])) throw new OptionError(check.problems)
  const { signals = SIGNALS, timeout, onDrained } = options
  if (
    !Array.isArray(signals) ||
    signals.length === 0 ||
    !signals.every((name) => Object.hasOwn(constants.signals, name))
  )
    check.problem("'signals' must be a list of signals such as 'SIGTERM'", signals)
  if (onDrained !== undefined && typeof onDrained !== 'function')
    check.problem("'onDrained' must be a function", onDrained)
  const complete = { signals: [...signals], timeout: check.time('timeout', timeout, false) ?? DRAIN_TIME, onDrained }
  check.done()
  return complete
}
