import { Checker } from '../checker'
import type { HyperParam, ParamValue, TunerSpec } from './types'

const FIELDS = ['numberOfTrials', 'hyperParams', 'sampler', 'direction', 'concurrency', 'seed', 'chart']
const SUGGEST = ['uniform', 'loguniform', 'int', 'discrete_uniform', 'categorical'] as const
const PARAM_FIELDS = ['name', 'suggest', 'low', 'high', 'q', 'step', 'choices']
const MOST_TRIALS = 1_000_000

/** What is wrong with a tuner's spec, as sentences. `others`: fields that are somebody else's. */
export function tunerProblems(where: string, spec: unknown, others: readonly string[] = []): readonly string[] {
  const check = new TunerChecker(where)
  check.spec(spec, others)
  return check.problems
}

class TunerChecker extends Checker {
  spec(given: unknown, others: readonly string[]): void {
    if (!this.object('spec', given, [...FIELDS, ...others])) return
    const spec = given as Partial<TunerSpec>
    if (spec.numberOfTrials === undefined) this.problem("'spec.numberOfTrials' is missing")
    this.whole('spec.numberOfTrials', spec.numberOfTrials, 1, MOST_TRIALS)
    this.whole('spec.concurrency', spec.concurrency, 1, 1024)
    this.whole('spec.seed', spec.seed, 0, 2 ** 32 - 1)
    this.oneOf('spec.direction', spec.direction, ['minimize', 'maximize'])
    if (typeof spec.chart === 'number') this.whole('spec.chart', spec.chart, 1, 65_535)
    else this.flag('spec.chart', spec.chart)
    if (spec.sampler !== undefined) this.sampler(spec.sampler)
    if (spec.hyperParams === undefined && spec.sampler === undefined) {
      this.problem("the spec needs 'hyperParams', or 'sampler' with a grid")
    }
    if (spec.hyperParams === undefined) return
    if (!Array.isArray(spec.hyperParams) || spec.hyperParams.length === 0) {
      this.problem("'spec.hyperParams' must be a list of hyper-parameters", spec.hyperParams)
      return
    }
    for (const [index, param] of spec.hyperParams.entries()) this.param(`spec.hyperParams[${index}]`, param)
    const names = spec.hyperParams.map((param) => (param as Partial<HyperParam> | null)?.name)
    for (const name of new Set(names.filter((one, at) => one !== undefined && names.indexOf(one) !== at))) {
      this.problem(`'spec.hyperParams' has '${name}' more than once`)
    }
    const space = spec.sampler?.search_space
    if (typeof space === 'object' && space !== null) {
      for (const name of names) {
        if (name !== undefined && !Object.hasOwn(space, name)) this.problem(`the grid has no values for '${name}'`)
      }
    }
  }

  private sampler(given: unknown): void {
    if (!this.object('spec.sampler', given, ['name', 'search_space'])) return
    const { name, search_space: space } = given as NonNullable<TunerSpec['sampler']>
    this.oneOf('spec.sampler.name', name, ['Grid'])
    if (name === undefined) this.problem("'spec.sampler.name' is missing")
    if (typeof space !== 'object' || space === null || Array.isArray(space) || Object.keys(space).length === 0) {
      this.problem("'spec.sampler.search_space' must be an object of lists by the names of hyper-parameters", space)
      return
    }
    for (const [param, values] of Object.entries(space)) this.choices(`spec.sampler.search_space.${param}`, values)
  }

  private param(at: string, given: unknown): void {
    if (!this.object(at, given, PARAM_FIELDS)) return
    const { name, suggest, low, high, q, step, choices } = given as Partial<HyperParam>
    if (name === undefined) this.problem(`'${at}.name' is missing`)
    this.text(`${at}.name`, name)
    if (suggest === undefined) this.problem(`'${at}.suggest' is missing: one of ${SUGGEST.join(', ')}`)
    if (this.oneOf(`${at}.suggest`, suggest, SUGGEST) === undefined) return
    if (suggest === 'categorical') {
      this.choices(`${at}.choices`, choices)
      return
    }
    if (!isNumber(low)) this.problem(`'${at}.low' must be a number`, low)
    if (!isNumber(high)) this.problem(`'${at}.high' must be a number`, high)
    if (isNumber(low) && isNumber(high) && low > high) this.problem(`'${at}.low' (${low}) is above 'high' (${high})`)
    if (suggest === 'loguniform' && isNumber(low) && low <= 0) this.problem(`'${at}.low' must be above 0`, low)
    if (suggest === 'int') {
      for (const [field, value] of Object.entries({ low, high })) {
        if (isNumber(value) && !Number.isSafeInteger(value))
          this.problem(`'${at}.${field}' must be a whole number`, value)
      }
      this.whole(`${at}.step`, step, 1, Number.MAX_SAFE_INTEGER)
    }
    if (suggest === 'discrete_uniform' && q !== undefined && !(isNumber(q) && q > 0)) {
      this.problem(`'${at}.q' must be a number above 0`, q)
    }
  }

  private choices(at: string, values: unknown): void {
    const fine = Array.isArray(values) && values.length > 0 && values.every(isParamValue)
    if (!fine) this.problem(`'${at}' must be a list of texts, numbers, booleans or null`, values)
  }
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

function isParamValue(value: unknown): value is ParamValue {
  return value === null || typeof value === 'string' || typeof value === 'boolean' || isNumber(value)
}
