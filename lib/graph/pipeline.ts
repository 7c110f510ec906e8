import { OptionError } from '../errors'
import { StreamChecker } from '../streams/check'
import { Catalog } from './catalog'
import { unknownName } from './check'
import { noMemory, StoredMemory } from './memory'
import { toMermaid } from './picture/mermaid'
import { pictureOfPlan } from './picture/ofPlan'
import { toSvg } from './picture/svg'
import type { Plan } from './plan'
import { Run } from './run'
import { closeStore, openStore, type RunRecord, type RunStore } from './store'
import type { PipelineOptions, PipelineRun, RunOptions, RunResult } from './types'

const RUN_FIELDS = ['flowInput', 'from', 'signal', 'id']
const RUN_ID = /^[\w.-]{1,200}$/

/** A graph of nodes, each of which runs once in a run, or once for each item that it fans out over. */
export class Pipeline implements AsyncDisposable {
  readonly name: string
  private readonly catalog: Catalog
  private readonly plan: Plan
  private store: RunStore | undefined

  /** @internal */
  constructor(options: PipelineOptions) {
    this.catalog = new Catalog(options)
    this.name = options.name
    this.plan = this.catalog.plan(options.name)
  }

  /**
   * Runs it and gives each node's result.
   *
   * @throws OptionError, NodeError (a node failed), GraphRunError (time, or too many runs), PythonAbortError
   */
  async run(options: RunOptions = {}): Promise<RunResult> {
    return this.start(options).done
  }

  /** Begins a run, to be watched and cancelled. @throws OptionError */
  start(options: RunOptions = {}): PipelineRun {
    const check = new StreamChecker('pipeline.run', options, RUN_FIELDS)
    const { from, id } = options
    const signal = check.signal('signal', options.signal)
    if (id !== undefined && !(typeof id === 'string' && RUN_ID.test(id))) {
      check.problem("'id' must be 1 to 200 letters, digits, '.', '-' or '_'", id)
    }
    if (from !== undefined) {
      const names = this.plan.nodes.map(({ name }) => name)
      if (!names.includes(from)) check.problem(`'from': ${unknownName('node', String(from), names)}`)
      if (this.catalog.store === undefined) check.problem("'from' needs a pipeline with a 'store'")
    }
    check.done()
    const store = this.openedStore()
    const flowInput = options.flowInput === undefined ? this.usualInput(from) : options.flowInput
    const memory = store === undefined ? noMemory : new StoredMemory(this.catalog, store, from)
    return new Run(this.catalog, this.plan, { id, flowInput, signal, nested: false, memory })
  }

  /** The runs that its store knows, the last one first, without those that algorithms have started. */
  runs(): RunRecord[] {
    return (this.openedStore()?.list(this.name) ?? []).filter(({ nested }) => !nested)
  }

  /** Gives its store back. Runs that are under way must have ended. */
  async close(): Promise<void> {
    const { store } = this.catalog
    if (this.store === undefined || store === undefined) return
    this.store = undefined
    await closeStore(store)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  private openedStore(): RunStore | undefined {
    const { store } = this.catalog
    if (store !== undefined) this.store ??= openStore(store)
    return this.store
  }

  /** Who runs it again from a node on means the last run, where there was one. */
  private usualInput(from: string | undefined): unknown {
    const last = from === undefined ? undefined : this.runs()[0]
    return last === undefined ? this.plan.flowInput : last.flowInput
  }

  /** A drawing of its nodes and of what refers to what. */
  toSvg(): string {
    return toSvg(pictureOfPlan(this.plan))
  }

  /** The same as a Mermaid flowchart. */
  toMermaid(): string {
    return toMermaid(pictureOfPlan(this.plan))
  }
}

/**
 * A batch pipeline, checked.
 *
 * @throws OptionError with all that is wrong, each with its place
 */
export function pipeline(options: PipelineOptions): Pipeline {
  if (typeof options !== 'object' || options === null)
    throw new OptionError(['pipeline: the options must be an object'])
  return new Pipeline(options)
}
