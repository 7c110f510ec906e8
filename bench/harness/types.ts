import type { PythonEnvironment } from './environment'

/** What a measured process is told to do. Plain data: it travels as JSON. */
export interface Job {
  readonly case: string
  readonly driver: string
  /** Items in a batch. */
  readonly size: number
  /** Batches that may be on their way at once; drivers that make one call after the other ignore it. */
  readonly inFlight: number
  /** Seconds that the measured stretch should last. */
  readonly seconds: number
  /** The Python executable that every driver uses. */
  readonly python: string
}

/** One measured stretch of one process. */
export interface Measurement {
  readonly batches: number
  readonly seconds: number
  readonly itemsPerSecond: number
  /** Hash of the results of the first items: equal for every driver of a case, or one of them is wrong. */
  readonly digest: string
}

/** A driver that is ready to run, in a process of its own. */
export interface Session {
  /** Passes `count` batches through and returns the seconds that it took. */
  run(count: number): Promise<number>
  /** The results of one batch, by which drivers are compared. */
  results(batch: readonly string[]): Promise<readonly string[]>
  close(): Promise<void>
}

/** What a driver gets to work on. */
export interface Work {
  readonly case: Case
  readonly job: Job
  /** A ring of batches, all of the job's size. */
  readonly batches: readonly (readonly string[])[]
}

/** One way of getting items through the handler. */
export interface Driver {
  readonly name: string
  /** What the charts and the tables call it. */
  readonly label: string
  /** `ours` is what the headline is about, `peer` what it is compared with, `bound` a limit that neither can pass. */
  readonly role: 'ours' | 'peer' | 'bound'
  /** Whether the number of calls in flight changes what it does. */
  readonly concurrent: boolean
  readonly cases: readonly string[]
  /** Why it cannot run here, or undefined; called once, before the first measurement. */
  unavailable?(environment: PythonEnvironment): string | undefined
  open(work: Work): Promise<Session>
}

/** What is done with the items. */
export interface Case {
  readonly name: string
  readonly title: string
  /** What an item is, in the plural. */
  readonly unit: string
  readonly sizes: readonly number[]
  /** The handler's module in `bench/handlers`, which has `handle` and, where `init` says so, `load`. */
  readonly module: string
  readonly init: boolean
  /** Numbers of calls in flight that are measured at this size unless the command line says otherwise. */
  inFlight(size: number): readonly number[]
  /** Work that is done once, before the first measurement; returns variables for the measured processes. */
  prepare(python: string, data: string | undefined): Promise<Record<string, string>>
  items(): Promise<string[]>
}
