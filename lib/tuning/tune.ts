import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type Observable, ReplaySubject } from 'rxjs'
import { Checker } from '../checker'
import { TuningError } from '../errors'
import { PythonPool } from '../pool/pool'
import { ChartServer } from './chart'
import { tunerProblems } from './check'
import { Study } from './study'
import type { Params, Trial, TunerSpec, TuningResult } from './types'

export interface TuneOptions extends TunerSpec {
  /** Tries these values; what it gives is a number, or a promise of one. What it throws fails the trial alone. */
  objective: (params: Params, trial: { number: number; signal: AbortSignal }) => unknown
  /** Where Optuna runs (default: the default pool). */
  pool?: PythonPool
  /** A folder: the study is kept there, and a program that was killed goes on with it. Default: it is forgotten. */
  store?: string
  /** The study's name in the store (default `'tuning'`). */
  name?: string
  signal?: AbortSignal
}

/** A search for the best hyper-parameters that has begun. */
export interface Tuning {
  /** Rejects with TuningError where no trial had a value, with the signal's reason, and with what Python raised. */
  readonly done: Promise<TuningResult>
  /** Trials as they end, those of before a restart first. Errors and completes with `done`. */
  readonly trials: Observable<Trial>
  /** The address of the live chart, once it is served; undefined where there is none. */
  readonly chart: Promise<string | undefined>
}

const NAME = /^[\w.-]{1,100}$/
/** Studies that this process works on. */
const inUse = new Set<string>()

/**
 * Looks for the hyper-parameters with which `objective` gives the best value.
 *
 * @throws OptionError with all that is wrong
 */
export function tune(options: TuneOptions): Tuning {
  const check = new Checker('tune')
  const { objective, pool, store, name = 'tuning', signal, ...spec } = options
  for (const problem of tunerProblems('tune', spec)) check.problems.push(problem)
  if (typeof objective !== 'function') check.problem("'objective' must be a function", objective)
  if (pool !== undefined && !(pool instanceof PythonPool)) check.problem("'pool' must be a PythonPool", pool)
  check.text('store', store)
  if (!NAME.test(name)) check.problem("'name' must be 1 to 100 letters, digits, '.', '-' or '_'", name)
  check.signal('signal', signal)
  check.done()
  return new Run(options)
}

class Run implements Tuning {
  readonly done: Promise<TuningResult>
  readonly trials = new ReplaySubject<Trial>()
  readonly chart: Promise<string | undefined>
  private readonly server: ChartServer | undefined
  private readonly parallel: number

  constructor(private readonly options: TuneOptions) {
    this.parallel = options.concurrency ?? availableParallelism()
    this.server = options.chart ? new ChartServer(options) : undefined
    this.chart = this.server === undefined ? Promise.resolve(undefined) : this.server.open()
    this.chart.catch(() => {})
    this.done = this.run()
    this.done.then(
      () => this.trials.complete(),
      (error) => this.trials.error(error),
    )
  }

  private async run(): Promise<TuningResult> {
    const { store, name = 'tuning' } = this.options
    const folder = store === undefined ? mkdtempSync(join(tmpdir(), 'rxjs-python-tuning-')) : resolve(store)
    const file = freeFile(folder, name)
    inUse.add(file)
    try {
      await this.chart
      return await this.search(file, name)
    } finally {
      inUse.delete(file)
      await this.server?.close()
      if (store === undefined) rmSync(folder, { recursive: true, force: true })
    }
  }

  private async search(file: string, name: string): Promise<TuningResult> {
    const { options, parallel } = this
    const pool = options.pool ?? (await (await import('../pool/default')).defaultPool())
    options.signal?.throwIfAborted()
    const study = new Study(pool, options, name, file, parallel)
    try {
      const before = await study.begin()
      for (const trial of before) this.tell(trial)
      let left = study.trials - before.length
      const work = async () => {
        while (left > 0) {
          left--
          options.signal?.throwIfAborted()
          await this.attempt(study)
        }
      }
      await Promise.all(Array.from({ length: Math.min(parallel, Math.max(left, 0)) }, work))
      const trials = await study.end(true)
      const best = bestOf(trials, options.direction)
      if (best === undefined) throw new TuningError(trials)
      this.server?.end(best)
      return { best, trials, study: study.name }
    } finally {
      await study.close().catch(() => {})
    }
  }

  /** One trial. A trial that is broken off has no end in the journal, and is made again by the next start. */
  private async attempt(study: Study): Promise<void> {
    const { number, params } = await study.next()
    const started = Date.now()
    this.server?.begin({ number, params })
    let value: number | null = null
    let error: string | null = null
    const { signal = new AbortController().signal } = this.options
    try {
      value = numberOf(await this.options.objective(params, { number, signal }))
    } catch (problem) {
      signal.throwIfAborted()
      error = problem instanceof Error ? problem.message : String(problem)
    }
    await study.tell(number, value, error)
    const state = error === null ? 'completed' : 'failed'
    this.tell({ number, state, value, params, error, started, ended: Date.now() })
  }

  private tell(trial: Trial): void {
    this.server?.trial(trial)
    this.trials.next(trial)
  }
}

/** The number that an objective came to, also where it is the only thing in lists and objects. */
export function numberOf(value: unknown): number {
  let inner = value
  while (typeof inner === 'object' && inner !== null) {
    const values: unknown[] = Array.isArray(inner) ? inner : Object.values(inner)
    if (values.length !== 1) break
    inner = values[0]
  }
  if (typeof inner === 'number' && Number.isFinite(inner)) return inner
  throw new TypeError(`the objective must come to one number; got ${JSON.stringify(value) ?? typeof value}`)
}

function bestOf(trials: readonly Trial[], direction: TunerSpec['direction']): Trial | undefined {
  const sign = direction === 'maximize' ? -1 : 1
  return trials
    .filter(({ value }) => value !== null)
    .reduce<Trial | undefined>(
      (best, trial) => (best === undefined || sign * trial.value! < sign * best.value! ? trial : best),
      undefined,
    )
}

/** Two searches with one name at a time have a journal each. */
function freeFile(folder: string, name: string): string {
  for (let number = 1; ; number++) {
    const file = join(folder, number === 1 ? `${name}.journal` : `${name}.${number}.journal`)
    if (!inUse.has(file)) return file
  }
}
