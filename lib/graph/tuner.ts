import { tune } from '../tuning'
import { tunerProblems } from '../tuning/check'
import type { TunerSpec } from '../tuning/types'
import { unknownName } from './check'
import type { NodeTask } from './hooks'
import type { NodeKind } from './kinds'
import type { NodeSpec } from './types'

interface TunerNodeSpec extends TunerSpec {
  /** The pipeline whose result is the value of a trial; its `flowInput` is `{ hyperParams }`. */
  objectivePipeline: string
}

/**
 * A node of kind `hyperparamsTuner`: runs a pipeline with different hyper-parameters, several runs at a time, and finds those
 * with which its result is best. With the pipeline's `store` a run that was killed goes on where it was.
 */
export const hyperparamsTuner: NodeKind = {
  check({ spec }: NodeSpec, { pipelines }) {
    const problems = [...tunerProblems('hyperparamsTuner', spec, ['objectivePipeline'])]
    const { objectivePipeline } = (spec ?? {}) as Partial<TunerNodeSpec>
    if (typeof objectivePipeline !== 'string') problems.push("'spec.objectivePipeline' must be the name of a pipeline")
    else if (!pipelines.includes(objectivePipeline)) {
      problems.push(`'spec.objectivePipeline': ${unknownName('pipeline', objectivePipeline, pipelines)}`)
    }
    return problems
  },

  async code({ spec }: NodeSpec, pipeline) {
    const { chart, concurrency, ...looked } = spec as TunerNodeSpec
    const objective = await pipeline(looked.objectivePipeline)
    return objective === undefined ? undefined : `${objective}:${JSON.stringify(looked)}`
  },

  async run({ node, args, api, signal, pool, store }: NodeTask) {
    const { objectivePipeline, ...spec } = node.spec as TunerNodeSpec
    const tuning = tune({
      ...spec,
      name: `${args.pipelineName}.${node.nodeName}`.slice(0, 100),
      pool: await pool(),
      signal,
      ...(store === undefined ? {} : { store }),
      objective: (hyperParams) => api.startStoredSubpipeline(objectivePipeline, { hyperParams }),
    })
    tuning.chart.then(
      (chart) => chart && process.stderr.write(`node '${node.nodeName}': a live chart of its trials is at ${chart}\n`),
      () => {}, // `done` tells
    )
    return tuning.done
  },
}
