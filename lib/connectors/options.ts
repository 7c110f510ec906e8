import type { StreamChecker } from '../streams/check'
import { type CodecOption, checkCodec, type RecordCodec } from './codec'
import { checkDeadLetters, type DeadLetterOption, DeadLetters } from './deadLetters'
import { checkRetry, type Retry, type RetryOptions } from './retry'
import { secretsOf } from './secrets'

/** What all connectors take. */
export interface ConnectorOptions<T, Raw = unknown> {
  /** How values become bytes and back (default `'json'`). */
  codec?: CodecOption<T>
  /** The most records of one request to the server, or of one write. */
  batch?: number
  /** Ends reading, or makes writing give up. */
  signal?: AbortSignal
  /** How it comes back to a server that went away (default: for ever, every 100 ms to 10 s). */
  retry?: RetryOptions
  /** Where records go that the codec, or the server, refuses (default: left out with a warning). */
  deadLetters?: DeadLetterOption<Raw>
}

/** The common options, checked, with their defaults. */
export interface CommonOptions<T, Raw = unknown> {
  readonly codec: RecordCodec<T>
  readonly batch: number
  readonly signal: AbortSignal | undefined
  readonly retry: Retry
  readonly deadLetters: DeadLetters<Raw>
  /** What must not appear in errors. */
  readonly secrets: readonly string[]
}

/** The names of the common options, for a connector's list of known ones. */
export const COMMON = ['codec', 'batch', 'signal', 'retry', 'deadLetters'] as const

export interface CommonDefaults {
  /** `batch` where none is given, and the most that it may be. */
  batch: number
  maxBatch: number
}

/** Problems go to `check`; `from` names the connector in dead letters: `'redis: orders'`. */
export function checkCommon<T, Raw = unknown>(
  check: StreamChecker,
  from: string,
  options: ConnectorOptions<T, Raw>,
  { batch, maxBatch }: CommonDefaults,
): CommonOptions<T, Raw> {
  checkDeadLetters(check, options.deadLetters)
  return {
    codec: checkCodec(check, options.codec),
    batch: check.whole('batch', options.batch, 1, maxBatch) ?? batch,
    signal: check.signal('signal', options.signal),
    retry: checkRetry(check, options.retry),
    deadLetters: new DeadLetters(from, options.deadLetters),
    secrets: secretsOf(options),
  }
}

/** A signal that aborts when one of them does; each may be missing. */
export function anySignal(...signals: (AbortSignal | undefined)[]): AbortSignal {
  return AbortSignal.any(signals.filter((signal) => signal !== undefined))
}
