/** A hyper-parameter, and where its values come from. */
export interface HyperParam {
  name: string
  /**
   * `uniform`: any number from `low` to `high`; `loguniform`: the same, with small ones as often as large ones; `int`: a whole
   * number; `discrete_uniform`: `low`, `low + q`, …; `categorical`: one of `choices`.
   */
  suggest: 'uniform' | 'loguniform' | 'int' | 'discrete_uniform' | 'categorical'
  low?: number
  high?: number
  /** Of `discrete_uniform`: the distance between two values (default 1). */
  q?: number
  /** Of `int`: the distance between two values (default 1). */
  step?: number
  choices?: readonly ParamValue[]
}

export type ParamValue = string | number | boolean | null

export interface TunerSpec {
  /** How often the objective is tried. A grid has no more trials than combinations. */
  numberOfTrials: number
  hyperParams?: readonly HyperParam[]
  /** `Grid` tries all combinations of `search_space`. Default: Optuna's TPE, which learns from the trials before. */
  sampler?: { name: 'Grid'; search_space: Readonly<Record<string, readonly ParamValue[]>> }
  /** Default `'minimize'`. */
  direction?: 'minimize' | 'maximize'
  /** The most trials at a time (default: the number of processors). */
  concurrency?: number
  /** Makes the values the same each time, where `concurrency` is 1. */
  seed?: number
  /** A page with a live chart: on a port of 127.0.0.1 that is free (`true`), or on this one. */
  chart?: boolean | number
}

export type Params = Readonly<Record<string, ParamValue>>

/** A trial that has come to an end. */
export interface Trial {
  /** In the order in which they began. After a restart, a trial that was broken off has another one in its place. */
  number: number
  state: 'completed' | 'failed'
  /** What the objective gave; null where it failed. */
  value: number | null
  params: Params
  error: string | null
  /** Milliseconds since 1970. */
  started: number | null
  ended: number | null
}

export interface TuningResult {
  /** The trial with the best value. */
  best: Trial
  trials: readonly Trial[]
  /** The study's name in Optuna's journal. */
  study: string
}
