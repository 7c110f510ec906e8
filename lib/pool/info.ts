import type { PoolCounters } from '../native'
import type { DebugInfo } from './debug'
import type { GilState } from './gil'
import type { IsolationMode } from './isolation'
import type { PythonInfo } from './locate'

/** A record of Python's `logging` that no handler of the user's took. */
export interface LogRecord {
  level: string
  logger: string
  message: string
  /** Milliseconds since 1970. */
  time: number
  traceback?: string
}

export function isLogRecord(record: Partial<LogRecord>): record is LogRecord {
  const { level, logger, message, time } = record
  return [level, logger, message].every((text) => typeof text === 'string') && typeof time === 'number'
}

/** What a pool is and does, as of now. */
export interface PoolInfo extends PoolCounters {
  name: string
  python: PythonInfo
  /** The isolation in use, and why where `auto` chose it. */
  isolation: IsolationMode
  reason: string
  /**
   * Whether Python has a GIL: `enabled` where it does, `disabled` where it does not (free-threaded builds), `reenabled`
   * where the import of an extension module has switched it on since.
   */
  gil: GilState
  /** The extension modules whose import did that; mostly one. */
  gilImports: readonly string[]
  /** How many interpreters there are, and between which numbers that may change by itself. */
  size: number
  min: number
  max: number
  /** How often one was added, or went because it was not needed. */
  resizes: number
  /** Interpreters that `recycleAfter` replaced. */
  recycled: number
  /** Calls without a result, those that run included. */
  pending: number
  /** Calls that no interpreter has taken yet. */
  waiting: number
  /** Why no Python can run now: a call that does not stop keeps all others from it. Null while it can. */
  blocked: string | null
  /** Handlers with `debug`, and where debuggers connect to them. */
  debug: readonly DebugInfo[]
  closed: boolean
}
