import { randomUUID } from 'node:crypto'
import type { Observable } from 'rxjs'
import { GraphRunError, NodeError, PythonAbortError } from '../errors'
import type { KnownAlgorithm } from './algorithms'
import type { GraphApi } from './api'
import type { Catalog } from './catalog'
import { sharedController } from './controller'
import type { TaskEnvironment } from './hooks'
import { FLOW_INPUT, InputError, type Inputs, resolveInputs } from './inputs'
import type { Memory } from './memory'
import type { Plan, PlannedNode } from './plan'
import { RunLog } from './progress'
import { Slots } from './slots'
import { runTask } from './tasks'
import type {
  AlgorithmArgs,
  NodeReport,
  NodeSpec,
  PipelineRun,
  Progress,
  RunResult,
  RunSettings,
  RunState,
} from './types'

/** Where a run comes from. */
export interface RunOrigin {
  readonly id?: string | undefined
  readonly flowInput: unknown
  readonly signal?: AbortSignal | undefined
  /** Another run's algorithm waits for this one. */
  readonly nested: boolean
  readonly memory: Memory
}

/** One run of a pipeline. */
export class Run implements PipelineRun {
  readonly id: string
  readonly done: Promise<RunResult>
  state: RunState = 'waiting'
  private readonly log: RunLog
  private readonly controller = sharedController()
  private readonly slots: Slots
  private readonly results = new Map<string, unknown>()

  constructor(
    private readonly catalog: Catalog,
    private readonly plan: Plan,
    private readonly origin: RunOrigin,
  ) {
    this.id = origin.id ?? `${plan.name}-${randomUUID().slice(0, 8)}`
    this.log = new RunLog(plan, this.id)
    this.slots = new Slots(plan.settings.concurrency)
    this.done = this.live()
    // Whoever starts a run may look at its state alone.
    this.done.catch(() => {})
  }

  get pipelineName(): string {
    return this.plan.name
  }

  get progress(): Observable<Progress> {
    return this.log.progress
  }

  get nodes(): Readonly<Record<string, NodeReport>> {
    return this.log.reports
  }

  cancel(reason?: unknown): void {
    this.controller.abort(
      new PythonAbortError(reason, `run '${this.id}' of pipeline '${this.plan.name}' was cancelled`),
    )
  }

  private async live(): Promise<RunResult> {
    const { origin, plan, log, controller } = this
    const abort = () => this.cancel(origin.signal!.reason)
    if (origin.signal?.aborted) abort()
    origin.signal?.addEventListener('abort', abort, { once: true })
    let giveBack = () => {}
    let timer: NodeJS.Timeout | undefined
    try {
      giveBack = await this.admission()
      this.state = 'running'
      const { ttl } = plan.settings
      if (ttl !== undefined) timer = setTimeout(() => controller.abort(this.tooLong(ttl)), ttl)
      log.tell('info', 'the run has begun')
      await origin.memory.begun(this.id, plan, origin)
      await this.all()
      this.state = 'completed'
      log.tell('info', 'the run is done')
      return { jobId: this.id, output: this.output(), results: Object.fromEntries(this.results), nodes: this.nodes }
    } catch (error) {
      this.state = error instanceof PythonAbortError ? 'cancelled' : 'failed'
      log.tell('error', error instanceof Error ? error.message : String(error))
      throw error
    } finally {
      clearTimeout(timer)
      origin.signal?.removeEventListener('abort', abort)
      giveBack()
      await origin.memory.ended(this.id, this.state, this.nodes)
      log.end()
    }
  }

  /** A place among the runs of this pipeline. One that another waits for does not wait: who has the places may wait for it. */
  private admission(): Promise<() => void> {
    const { catalog, plan, origin } = this
    const slots = catalog.runSlots(plan)
    if (!slots.free && plan.settings.rejectOnFailure) {
      throw new GraphRunError(
        'ERR_RUN_REJECTED',
        `pipeline '${plan.name}' runs ${plan.settings.runs} times already, which is all that 'concurrentPipelines' allows`,
      )
    }
    return origin.nested ? Promise.resolve(slots.squeeze()) : slots.take(this.controller.signal)
  }

  private tooLong(ttl: number): GraphRunError {
    return new GraphRunError(
      'ERR_RUN_TIMEOUT',
      `run '${this.id}' of pipeline '${this.plan.name}' took longer than ${ttl} ms`,
    )
  }

  private async all(): Promise<void> {
    const { plan, controller } = this
    const running = new Map<string, Promise<void>>()
    for (const node of plan.nodes) {
      const needed = node.needs.map((name) => running.get(name)!)
      const work = Promise.all(needed).then(() => this.node(node))
      running.set(
        node.name,
        work.catch((error) => {
          // The first one tells why; the others hear of it.
          controller.abort(error)
          throw error
        }),
      )
    }
    await Promise.allSettled(running.values())
    if (!controller.signal.aborted) return
    for (const node of plan.nodes) this.log.stopped(node, 'cancelled')
    throw controller.signal.reason
  }

  private async node(node: PlannedNode): Promise<void> {
    const { log, origin } = this
    this.controller.signal.throwIfAborted()
    const inputs = this.inputsOf(node)
    const stored = await origin.memory.find(this.plan, node, inputs.tasks)
    if (stored.found) {
      this.results.set(node.name, stored.value)
      log.completed(node, true)
      return
    }
    log.begun(node, inputs.tasks.length)
    try {
      const value = await this.tasks(node, inputs)
      this.results.set(node.name, value)
      if (log.reports[node.name]!.failures.length === 0) await stored.keep(value)
      log.completed(node, false)
    } catch (error) {
      log.stopped(node, this.controller.signal.aborted ? 'cancelled' : 'failed')
      throw error
    }
  }

  private inputsOf(node: PlannedNode): Inputs {
    try {
      return resolveInputs(node.input, node.operation, (name) =>
        name === FLOW_INPUT ? this.origin.flowInput : this.results.get(name),
      )
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      this.log.taskFailed(node, undefined, error, false)
      this.log.stopped(node, 'failed')
      throw this.nodeError(node, undefined, error)
    }
  }

  private async tasks(node: PlannedNode, { fanOut, tasks }: Inputs): Promise<unknown> {
    if (node.isOutput) return tasks[0]
    if (!fanOut) return this.single(node, tasks[0]!)
    const { batchTolerance } = this.plan.settings
    const places = new Slots(node.concurrency)
    const results: { value: unknown }[] = []
    let failed = 0
    await Promise.all(
      tasks.map(async (input, at) => {
        const giveBack = await places.take(this.controller.signal)
        try {
          results[at] = { value: await this.task(node, input, at) }
          this.log.taskDone(node, at)
        } catch (error) {
          this.controller.signal.throwIfAborted()
          const over = ++failed * 100 >= batchTolerance * tasks.length
          this.log.taskFailed(node, at, error, !over)
          if (!over) return
          const wrapped = this.nodeError(node, at, error, `${failed} of ${tasks.length} tasks failed`)
          // Its neighbours stop at once.
          this.controller.abort(wrapped)
          throw wrapped
        } finally {
          giveBack()
        }
      }),
    )
    return results.filter((one) => one !== undefined).map(({ value }) => value)
  }

  private async single(node: PlannedNode, input: readonly unknown[]): Promise<unknown> {
    try {
      const value = await this.task(node, input, undefined)
      this.log.taskDone(node, undefined)
      return value
    } catch (error) {
      this.controller.signal.throwIfAborted()
      this.log.taskFailed(node, undefined, error, false)
      throw this.nodeError(node, undefined, error)
    }
  }

  private nodeError(node: PlannedNode, batchIndex: number | undefined, cause: unknown, more?: string): NodeError {
    return new NodeError(this.plan.name, node.name, batchIndex, cause, more)
  }

  private async task(node: PlannedNode, input: readonly unknown[], batchIndex: number | undefined): Promise<unknown> {
    const giveBack = await this.slots.take(this.controller.signal)
    try {
      return await this.execute(node, input, batchIndex, this.origin.nested)
    } finally {
      giveBack()
    }
  }

  /** @param awaited an algorithm that runs waits for it, so it must not wait for its place */
  private async execute(
    {
      name,
      spec,
      algorithm,
      kind,
      ttl,
      retries,
    }: Pick<PlannedNode, 'name' | 'spec' | 'algorithm' | 'kind' | 'ttl' | 'retries'>,
    input: readonly unknown[],
    batchIndex: number | undefined,
    awaited: boolean,
  ): Promise<unknown> {
    const { signal } = this.controller
    const giveBack = awaited ? algorithm?.slots.squeeze() : await algorithm?.slots.take(signal)
    const args: AlgorithmArgs = {
      input: [...input],
      flowInput: this.origin.flowInput ?? null,
      nodeName: name,
      algorithmName: algorithm?.name ?? '',
      pipelineName: this.plan.name,
      jobId: this.id,
      ...(batchIndex === undefined ? {} : { batchIndex }),
    }
    const api = (own: AbortSignal, env: TaskEnvironment) => this.apiOf(name, own, env)
    try {
      return await runTask(this.catalog, { node: spec, algorithm, kind, args, signal, ttl, retries, api })
    } finally {
      giveBack?.()
    }
  }

  private apiOf(nodeName: string, signal: AbortSignal, env: TaskEnvironment): GraphApi {
    return {
      signal,
      env,
      startAlgorithm: async (algorithmName, input = [], includeResult = true) => {
        const algorithm = this.catalog.algorithm(algorithmName)
        this.log.tell('trace', `node '${nodeName}' starts algorithm '${algorithmName}'`, nodeName)
        const result = await this.inner(algorithm, input)
        return includeResult ? result : { jobId: this.id, status: 'completed' }
      },
      startStoredSubpipeline: (pipelineName, flowInput, includeResult = true) =>
        this.subpipeline(nodeName, signal, async () => this.catalog.plan(pipelineName), flowInput, includeResult),
      startRawSubpipeline: (name, nodes, flowInput, options, webhooks, includeResult = true) =>
        this.subpipeline(
          nodeName,
          signal,
          async () => this.rawPlan(name, nodes, options, webhooks),
          flowInput,
          includeResult,
        ),
    }
  }

  private inner(algorithm: KnownAlgorithm, input: readonly unknown[]): Promise<unknown> {
    if (!Array.isArray(input)) throw new TypeError('startAlgorithm: the input must be a list')
    const spec: NodeSpec = { nodeName: algorithm.name, algorithmName: algorithm.name }
    const node = { name: algorithm.name, spec, algorithm, kind: undefined, ttl: undefined, retries: 0 }
    return this.execute(node, input, undefined, true)
  }

  private rawPlan(
    name: string,
    nodes: readonly NodeSpec[],
    options: RunSettings | undefined,
    webhooks: object | undefined,
  ): Plan {
    if (Object.keys(webhooks ?? {}).length > 0) {
      throw new TypeError("startRawSubpipeline: 'webhooks' must be empty; the run's progress tells what they would")
    }
    return this.catalog.planOf({ name, nodes, ...(options == null ? {} : { options }) })
  }

  private async subpipeline(
    nodeName: string,
    signal: AbortSignal,
    plan: () => Promise<Plan>,
    flowInput: unknown,
    includeResult: boolean,
  ): Promise<unknown> {
    const found = await plan()
    this.log.tell('trace', `node '${nodeName}' starts pipeline '${found.name}'`, nodeName)
    const memory = this.origin.memory.ofSubpipeline()
    const run = new Run(this.catalog, found, { flowInput: flowInput ?? found.flowInput, signal, nested: true, memory })
    const { jobId, output } = await run.done
    return includeResult ? output : { jobId, status: 'completed' }
  }

  private output(): unknown {
    const { output, leaves } = this.plan
    if (output !== undefined) return this.results.get(output.name)
    return Object.fromEntries(leaves.map(({ name }) => [name, this.results.get(name)]))
  }
}
