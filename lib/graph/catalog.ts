import { OptionError } from '../errors'
import { defaultPool } from '../pool/default'
import { PythonPool } from '../pool/pool'
import { type KnownAlgorithm, knownAlgorithm } from './algorithms'
import { GraphChecker, type Known, planPipeline, unknownName } from './check'
import type { NodeHooks } from './hooks'
import { metricsHook } from './metrics'
import type { Plan } from './plan'
import { Slots } from './slots'
import type { PipelineOptions, PipelineSpec } from './types'

const FIELDS = ['name', 'nodes', 'flowInput', 'options', 'algorithms', 'pipelines', 'pool', 'store', 'cache', 'hooks']
const SPEC_FIELDS = ['name', 'nodes', 'flowInput', 'options']

/** What the runs of a pipeline share: algorithms, pipelines that may be started by name, and how many may run. */
export class Catalog implements Known {
  readonly algorithms = new Map<string, KnownAlgorithm>()
  readonly hooks: readonly NodeHooks[]
  readonly cache: boolean
  readonly store: string | undefined
  private readonly plans = new Map<string, Plan>()
  private readonly slots = new Map<string, Slots>()
  private readonly pool: PythonPool | undefined

  /** @throws OptionError with all that is wrong */
  constructor(options: PipelineOptions) {
    const check = new GraphChecker('pipeline')
    if (!check.object('options', options, FIELDS)) throw new OptionError(check.problems)
    const { hooks = [], pool } = options
    const given: readonly NodeHooks[] = Array.isArray(hooks) ? hooks : [hooks as NodeHooks]
    for (const hook of given) {
      if (typeof hook !== 'object' || hook === null) check.problem("'hooks' must be hooks, or a list of them", hook)
    }
    if (pool !== undefined && !(pool instanceof PythonPool)) check.problem("'pool' must be a PythonPool", pool)
    this.pool = pool
    this.store = check.text('store', options.store)
    this.hooks = [metricsHook(this.store), ...given]
    this.cache = check.flag('cache', options.cache) ?? false
    if (this.cache && options.store === undefined) check.problem("'cache' needs a 'store'")
    this.addAlgorithms(check, options)
    this.addPipelines(check, options)
    check.done()
  }

  get pipelines(): readonly string[] {
    return this.names
  }

  private names: readonly string[] = []

  /** @throws OptionError */
  plan(name: string): Plan {
    const plan = this.plans.get(name)
    if (plan === undefined) throw new OptionError([unknownName('pipeline', name, [...this.plans.keys()])])
    return plan
  }

  /** @throws OptionError */
  algorithm(name: string): KnownAlgorithm {
    const algorithm = this.algorithms.get(name)
    if (algorithm === undefined) {
      throw new OptionError([unknownName('algorithm', name, [...this.algorithms.keys()])])
    }
    return algorithm
  }

  /** A plan of a pipeline that is not among those known by name. @throws OptionError */
  planOf(spec: PipelineSpec): Plan {
    const check = new GraphChecker('startRawSubpipeline')
    const plan = planPipeline(check, spec, this)
    check.done()
    return plan!
  }

  /** How many runs of pipelines with this name and limit there may be. */
  runSlots(plan: Plan): Slots {
    const { runs } = plan.settings
    const key = `${runs ?? ''} ${plan.name}`
    let slots = this.slots.get(key)
    if (slots === undefined) {
      slots = new Slots(runs)
      this.slots.set(key, slots)
    }
    return slots
  }

  /** Where an algorithm runs, or what belongs to no algorithm. */
  async poolOf(algorithm: KnownAlgorithm | undefined): Promise<PythonPool> {
    return algorithm?.python?.pool ?? this.pool ?? (await defaultPool())
  }

  private addAlgorithms(check: GraphChecker, { algorithms = {} }: PipelineOptions): void {
    if (!check.object('algorithms', algorithms, Object.keys(algorithms))) return
    for (const [name, value] of Object.entries(algorithms)) {
      const here = check.at(`algorithm '${name}'`)
      const known = knownAlgorithm(name, value, (text) => here.problem(text))
      if (known !== undefined) this.algorithms.set(name, known)
    }
  }

  private addPipelines(check: GraphChecker, options: PipelineOptions): void {
    const { pipelines = {} } = options
    if (!check.object('pipelines', pipelines, Object.keys(pipelines))) return
    this.names = [...Object.keys(pipelines), options.name]
    for (const [name, spec] of Object.entries(pipelines)) {
      const here = check.at(`pipeline '${name}'`)
      if (name === options.name) here.problem('the pipeline itself has this name')
      if (!here.object('options', spec, SPEC_FIELDS)) continue
      this.add(planPipeline(check, { ...spec, name }, this))
    }
    this.add(planPipeline(check, options, this))
  }

  private add(plan: Plan | undefined): void {
    if (plan !== undefined) this.plans.set(plan.name, plan)
  }
}
