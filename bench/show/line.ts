import type { PythonEnvironment } from '../harness/environment'

/** What a line of the report promises. */
export interface Promised {
  readonly name: string
  readonly target: string
}

/** What was measured for a line. */
export interface Outcome {
  readonly value: string
  readonly holds: boolean
}

export interface ShowOptions {
  readonly rounds: number
  /** Seconds of one throughput measurement. */
  readonly seconds: number
  /** Part of the calls that the memory lines make: 1, or less for a quick look. */
  readonly share: number
  /** Items of the longest stream; default 100 million, or less for a quick look. */
  readonly items?: number
  readonly data?: string
}

export interface ShowContext extends ShowOptions {
  readonly environment: PythonEnvironment
}

/** One measurement and the lines that it answers, in the order of the outcomes. */
export interface Probe {
  readonly lines: readonly Promised[]
  run(context: ShowContext): Promise<readonly Outcome[]>
}

/** A report: `npm run show -- NAME`. */
export interface Report {
  readonly name: string
  readonly probes: readonly Probe[]
}

export function atLeast(ratio: number, target: number, details: string): Outcome {
  return { value: `${ratio.toFixed(2)}x, ${details}`, holds: ratio >= target }
}

export function atMost(ratio: number, target: number, details: string): Outcome {
  return { value: `${ratio.toFixed(2)}x, ${details}`, holds: ratio <= target }
}
