import type { JobOptions } from '../jobs'
import { StreamChecker } from '../streams/check'
import { isShared, type SharedJob } from './shared'

/** What a job that a node runs knows of its surroundings. */
export interface NodeContext {
  /** The name that it was submitted under. */
  readonly name: string
  /** A folder of its own, which stays from start to start and goes when the job is cancelled. */
  readonly folder: string
  /** What followed `--` at its submission. */
  readonly args: readonly string[]
  /**
   * Tells a topic: the node prints it, and `rxjs-python listen TOPIC` shows it. At most once: nobody is told what came before.
   * Resolves when it is on its way, so that who waits for it does not run ahead of the node.
   */
  publish(topic: string, value: string | number): Promise<void>
  /** Called when the job ends or its node stops, the last one first: what the definition has opened is closed here. */
  onClose(close: () => void | Promise<void>): void
}

/** A job as a node runs it: what `runJob` takes, but for the name and the checkpoints, which the node sees to. */
export interface JobDefinition<T> extends Omit<JobOptions<T>, 'name' | 'checkpoint'> {
  /** Milliseconds from one checkpoint to the next (default 1000). */
  every?: number
}

/** A job of its own, or one that several nodes share: `kafkaJob` makes those. */
export type AnyJob<T = unknown> = JobDefinition<T> | SharedJob

/** A definition, or what makes one: called at each start, in the job's own process. */
export type JobModule<T = unknown> = AnyJob<T> | ((node: NodeContext) => AnyJob<T> | Promise<AnyJob<T>>)

/** Types a module's job: `export default defineJob(async (node) => ({ pipeline: …, sink: … }))`. */
export function defineJob<T>(module: JobModule<T>): JobModule<T> {
  const check = new StreamChecker('defineJob', undefined, [])
  const object = typeof module === 'object' && module !== null ? module : {}
  const whole = isShared(object) || typeof (object as JobDefinition<T>).pipeline === 'function'
  if (typeof module !== 'function' && !whole) {
    check.problem('a job is an object with pipeline(), a kafkaJob({ … }), or a function that makes one of them', module)
  }
  check.done()
  return module
}
