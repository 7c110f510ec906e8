import type { Key } from '../pool/affinity'
import type { Handler } from '../pool/handler'
import type { Migrate, StatePart } from './part'

/** Something that holds items for a while: a checkpoint waits until it holds none. */
export interface Holder {
  readonly idle: boolean
}

/** What the operators of a job's pipeline tell the job as they are subscribed. */
export interface JobScope {
  /** A part of the state that belongs into checkpoints. */
  part(step: StepOfJob | undefined, kind: string, part: StatePart): void
  holder(holder: Holder): void
  /** The handler of a Python stage; its state is restored before the first item comes. */
  python(step: StepOfJob | undefined, kind: string, handler: Promise<Handler<never, unknown>>, keys: Keys): void
}

/** What tells which interpreters a Python stage's items go to: a key of its own, one for each item, or neither. */
export interface Keys {
  readonly key?: Key | undefined
  readonly keyOf?: unknown
}

/** The step that is being subscribed, as `step` names it. */
export interface StepOfJob {
  readonly id: string
  readonly version: number
  readonly migrate: Migrate | undefined
}

interface Current {
  readonly scope: JobScope
  readonly step: StepOfJob | undefined
}

let current: Current | undefined

/** Whether a job's pipeline is being subscribed. */
export function inJob(): boolean {
  return current !== undefined
}

/** Runs `subscribe`; what it subscribes belongs to the job. */
export function withinJob(scope: JobScope, subscribe: () => void): void {
  within({ scope, step: undefined }, subscribe)
}

/** Runs `subscribe`; what it subscribes belongs to that step of the job, where there is one. */
export function withinStep(step: StepOfJob | undefined, subscribe: () => void): void {
  if (current === undefined) subscribe()
  else within({ scope: current.scope, step }, subscribe)
}

/** The step that is being subscribed. */
export function currentStep(): StepOfJob | undefined {
  return current?.step
}

/** Tells the job about state; false where there is no job, and nobody will ask for it. */
export function registerPart(kind: string, part: StatePart): boolean {
  current?.scope.part(current.step, kind, part)
  return current !== undefined
}

export function registerHolder(holder: Holder): void {
  current?.scope.holder(holder)
}

/** The way to tell the job about a Python handler that may open later; undefined where there is no job. */
export function pythonOfJob(
  kind: string,
): ((handler: Promise<Handler<never, unknown>>, keys: Keys) => void) | undefined {
  if (current === undefined) return undefined
  const { scope, step } = current
  return (handler, keys) => scope.python(step, kind, handler, keys)
}

function within(inner: Current, run: () => void): void {
  const outer = current
  current = inner
  try {
    run()
  } finally {
    current = outer
  }
}
