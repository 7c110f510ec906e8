import { RxjsPythonError } from './base'
import { PythonError } from './python'

/** A node of a pipeline failed (`ERR_NODE`); `cause` is what its algorithm threw, or why it has no input. */
export class NodeError extends RxjsPythonError {
  readonly pipelineName: string
  readonly nodeName: string
  /** Which task of a node that fans out, from 0. */
  declare readonly batchIndex?: number

  constructor(pipelineName: string, nodeName: string, batchIndex: number | undefined, cause: unknown, more?: string) {
    const task = batchIndex === undefined ? '' : `, task ${batchIndex}`
    const what = reasonOf(cause)
    const count = more === undefined ? '' : `${more}: `
    super('ERR_NODE', `pipeline '${pipelineName}', node '${nodeName}'${task}: ${count}${what}`, { cause })
    this.pipelineName = pipelineName
    this.nodeName = nodeName
    if (batchIndex !== undefined) this.batchIndex = batchIndex
  }
}

/**
 * A run of a pipeline did not come to its end: `ERR_RUN_TIMEOUT` (its time, or a node's, is up), `ERR_RUN_REJECTED` (as many
 * run already as may).
 */
export class GraphRunError extends RxjsPythonError {
  constructor(code: 'ERR_RUN_TIMEOUT' | 'ERR_RUN_REJECTED', message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

/** A message was sent along a flow that is not there, or that its node is not in (`ERR_FLOW`). */
export class GraphFlowError extends RxjsPythonError {
  constructor(message: string) {
    super('ERR_FLOW', message)
  }
}

/** No trial of a search for hyper-parameters came to a value (`ERR_TUNING`). */
export class TuningError extends RxjsPythonError {
  readonly trials: readonly { number: number; error: string | null }[]

  constructor(trials: readonly { number: number; error: string | null }[]) {
    const [first] = trials
    super(
      'ERR_TUNING',
      `none of ${trials.length} trials came to a value; the first one: ${first?.error ?? 'none was made'}`,
    )
    this.trials = trials
  }
}

/** Of a Python exception what it says, without the name of the handler that is ours. */
function reasonOf(cause: unknown): string {
  if (cause instanceof PythonError && cause.pythonType !== '') return `${cause.pythonType}: ${cause.pythonMessage}`
  return cause instanceof Error ? cause.message : String(cause)
}
