import type { PythonEnvironment } from './environment'

/** What a call carries: a list of strings, of records, of frames (`Uint8Array`), or one array of float64. */
export type Payload = 'strings' | 'records' | 'frames' | 'array'

/** What goes into one call, and what comes back. */
export type Batch = readonly unknown[] | Float64Array

/** What a measured process is told to do. Plain data: it travels as JSON. */
export interface Job {
  readonly case: string
  readonly driver: string
  /** Items in a batch; for arrays their bytes, for latencies the calls per second. */
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
  /** Hash of the results of the first items: equal for every driver of a case, or one of them is wrong. Undefined where order is not kept. */
  readonly digest?: string
  /** CPU time of the JavaScript thread for each item; undefined where the system does not say. */
  readonly threadUsPerItem?: number
  /** Memory of the process and all its children after the stretch; what several of them share counts once. */
  readonly memoryMiB?: number
  /** What each call of a latency case took above the handler's own time. */
  readonly latenciesUs?: readonly number[]
}

/** A driver that is ready to run, in a process of its own. */
export interface Session {
  /** Passes `count` batches through and returns the seconds that it took. */
  run(count: number): Promise<number>
  /** The results of one batch, by which drivers are compared. */
  results(batch: Batch): Promise<Batch>
  close(): Promise<void>
}

/** What a driver gets to work on. */
export interface Work {
  readonly case: Case
  readonly job: Job
  /** A ring of batches, all of the job's size. */
  readonly batches: readonly Batch[]
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
  readonly carries: readonly Payload[]
  /** The only cases that it runs, where that is not every case with such a payload. */
  readonly only?: readonly string[]
  /** Cases that it cannot run for want of something else. */
  readonly except?: readonly string[]
  /** The largest job size by payload: what takes it minutes is left out. */
  readonly largest?: Partial<Record<Payload, number>>
  /** Variables for the measured process. */
  variables?(environment: PythonEnvironment): Record<string, string>
  /** Why it cannot run here, or undefined; called once, before the first measurement. */
  unavailable?(environment: PythonEnvironment): string | undefined | Promise<string | undefined>
  open(work: Work): Promise<Session>
  /** For what is no package of Node's: a measurement by a program of its own. */
  measure?(job: Job, variables: Readonly<Record<string, string>>): Promise<Measurement>
}

/** What is done with the items. */
export interface Case {
  readonly name: string
  readonly title: string
  /** What an item is, in the plural. */
  readonly unit: string
  /** What is reported: items per second, or microseconds of a call above the handler's own time. */
  readonly measures: 'throughput' | 'latency'
  readonly sizes: readonly number[]
  readonly payload: Payload
  /** The codec of ours; default the one for the payload. */
  readonly codec?: 'columns'
  /** The handler's module in `bench/handlers`, which has the function `handle` and, where `init` says so, `load`. */
  readonly module: string
  readonly function?: string
  readonly init: boolean
  /** Numbers of calls in flight that are measured at this size unless the command line says otherwise. */
  inFlight(size: number): readonly number[]
  /** Work that is done once, before the first measurement; returns variables for the measured processes. */
  prepare(python: string, data: string | undefined): Promise<Record<string, string>>
  /** A ring of batches of one size. */
  batches(size: number): Promise<readonly Batch[]>
  /** How many items a batch of this size counts for. */
  itemsIn(size: number): number
  /** Looks at every result, so that a driver which puts work off until then gains nothing; throws where one is missing. */
  consume(results: Batch, batch: Batch): void
  /** Texts that are the same for the same results. */
  fingerprint(results: Batch): readonly string[]
}

export function runsCase(driver: Driver, used: Case): boolean {
  if (driver.only !== undefined) return driver.only.includes(used.name)
  return driver.carries.includes(used.payload) && !(driver.except ?? []).includes(used.name)
}

export function runsSize(driver: Driver, used: Case, size: number): boolean {
  return size <= (driver.largest?.[used.payload] ?? Number.POSITIVE_INFINITY)
}
