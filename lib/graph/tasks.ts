import { GraphRunError } from '../errors'
import type { KnownAlgorithm } from './algorithms'
import type { GraphApi } from './api'
import type { Catalog } from './catalog'
import { sharedController } from './controller'
import { around, environmentOf, type NodeTask, type TaskEnvironment } from './hooks'
import type { NodeKind } from './kinds'
import { runPython } from './python'
import type { AlgorithmArgs, NodeSpec } from './types'

/** One task of a run, before it is known what environment it has. */
export interface TaskToRun {
  readonly node: NodeSpec
  readonly algorithm: KnownAlgorithm | undefined
  readonly kind: NodeKind | undefined
  readonly args: AlgorithmArgs
  readonly signal: AbortSignal
  readonly ttl: number | undefined
  readonly retries: number
  readonly api: (signal: AbortSignal, env: TaskEnvironment) => GraphApi
}

/** Runs a task, again where it fails and may. */
export async function runTask(catalog: Catalog, task: TaskToRun): Promise<unknown> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await withinTime(task, (signal) => attemptTask(catalog, task, signal, attempt))
    } catch (error) {
      if (attempt > task.retries || task.signal.aborted) throw error
    }
  }
}

async function attemptTask(
  catalog: Catalog,
  { node, algorithm, kind, args, api }: TaskToRun,
  signal: AbortSignal,
  attempt: number,
): Promise<unknown> {
  // The environment is asked for with an API that has none yet.
  const surroundings = { pool: () => catalog.poolOf(undefined), store: catalog.store }
  const before: NodeTask = { node, args, api: api(signal, {}), signal, attempt, ...surroundings }
  const env = await environmentOf(catalog.hooks, before)
  const task: NodeTask = { ...before, api: api(signal, env) }
  return around(catalog.hooks, task, async () => {
    signal.throwIfAborted()
    if (kind !== undefined) return kind.run(task)
    if (algorithm!.start !== undefined) return algorithm!.start(args, task.api)
    return runPython(await catalog.poolOf(algorithm!), algorithm!.python!.spec, args, task.api, node.debug)
  })
}

/** Lets what runs go when the run is over or the task's time is up, also where it does not listen to its signal. */
function withinTime<R>({ signal, ttl, args }: TaskToRun, run: (signal: AbortSignal) => Promise<R>): Promise<R> {
  signal.throwIfAborted()
  const controller = sharedController()
  return new Promise((resolve, reject) => {
    const abort = () => controller.abort(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    const timer =
      ttl === undefined
        ? undefined
        : setTimeout(() => {
            controller.abort(new GraphRunError('ERR_RUN_TIMEOUT', `node '${args.nodeName}' took longer than ${ttl} ms`))
          }, ttl)
    controller.signal.addEventListener('abort', () => reject(controller.signal.reason), { once: true })
    run(controller.signal)
      .then(resolve, reject)
      .finally(() => {
        clearTimeout(timer)
        signal.removeEventListener('abort', abort)
      })
  })
}
