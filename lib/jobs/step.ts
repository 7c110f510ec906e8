import { Observable, type OperatorFunction } from 'rxjs'
import type { Migrate } from '../checkpoint/part'
import { currentStep, type StepOfJob, withinStep } from '../checkpoint/scope'
import { StreamChecker } from '../streams/check'

export interface StepOptions {
  /** The version of what the step keeps (default 1): a higher one where its shape changes. */
  version?: number
  /**
   * Turns what an older version kept into what this one keeps. Called for each key with the state of `mapKeyed`, with
   * the accumulators of windows and `rolling`, and with what a Python handler's `snapshot()` returned (its key is undefined).
   */
  migrate?: Migrate
}

/**
 * Names an operator, so that a job finds its state again when the pipeline around it has changed:
 * `step('totals', inWindows(tumbling(60_000), sum()))`. Outside of a job it does nothing.
 */
export function step<T, R>(
  id: string,
  operator: OperatorFunction<T, R>,
  options: StepOptions = {},
): OperatorFunction<T, R> {
  const check = new StreamChecker('step', options, ['version', 'migrate'])
  if (typeof id !== 'string' || !/^[\w.-]{1,100}$/.test(id)) {
    check.problem("'id' must be 1 to 100 letters, digits, '.', '-' or '_'", id)
  }
  check.fn('operator', operator, true)
  check.fn('migrate', options.migrate)
  const version = check.whole('version', options.version, 1, Number.MAX_SAFE_INTEGER) ?? 1
  check.done()
  return withStep({ id, version, migrate: options.migrate }, operator)
}

/** The operator as a step of its own. What lies upstream is not part of it. */
export function withStep<T, R>(step: StepOfJob | undefined, operator: OperatorFunction<T, R>): OperatorFunction<T, R> {
  return (source) =>
    new Observable<R>((out) => {
      const around = currentStep()
      const upstream = new Observable<T>((inner) => withinStep(around, () => inner.add(source.subscribe(inner))))
      withinStep(step, () => out.add(operator(upstream).subscribe(out)))
    })
}
