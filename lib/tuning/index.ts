export type { TuneOptions, Tuning } from './tune'
export { tune } from './tune'
export type { HyperParam, Params, ParamValue, Trial, TunerSpec, TuningResult } from './types'
