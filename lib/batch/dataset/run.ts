import { availableParallelism } from 'node:os'
import { Subscription } from 'rxjs'
import { PythonAbortError, PythonCrashError } from '../../errors'
import { StreamChecker } from '../../streams/check'
import { PartitionError, StepFailure } from './errors'
import type { Plan } from './plan'

/** How an action on a dataset is run. */
export interface RunOptions {
  /** The most partitions that are computed at once (default: one for each processor). Their results wait in memory. */
  concurrency?: number
  /** How often a partition is computed at most while the worker processes that work on it are lost (default 4). */
  attempts?: number
}

export interface RunSettings {
  readonly concurrency: number
  readonly attempts: number
}

export function checkRun(where: string, options: RunOptions | undefined): RunSettings {
  const check = new StreamChecker(where, options, ['concurrency', 'attempts'])
  const concurrency = check.whole('concurrency', options?.concurrency, 1, 1024) ?? availableParallelism()
  const attempts = check.whole('attempts', options?.attempts, 1, 1000) ?? 4
  check.done()
  return { concurrency, attempts }
}

/** How the items of a partition become one value. Made anew for each attempt, so that nothing of a failed one is left. */
export interface Fold<T, A> {
  readonly step: string
  create(): A
  add(into: A, item: T): A
}

/** One computation of a dataset, from an action's subscription to its end. What it made along the way is dropped with it. */
export class Run {
  /** What wide steps have put in order by key: for each, the pieces of every partition of the one before. */
  readonly shuffled = new Map<object, Promise<unknown>>()
  private readonly open = new Set<(reason: unknown) => void>()
  private readonly subscriptions = new Subscription()

  constructor(private readonly settings: RunSettings) {}

  /** Ends it: nothing is computed any more. */
  close(): void {
    this.subscriptions.unsubscribe()
    for (const reject of [...this.open]) reject(new PythonAbortError(undefined, 'the run of a dataset has ended'))
  }

  /** The folded partitions in order; a few are computed ahead of the one that is asked for. */
  async *folded<T, A>(plan: Plan<T>, fold: Fold<T, A>): AsyncGenerator<A> {
    await plan.prepare(this)
    const count = await plan.partitions()
    const ahead: Promise<A>[] = []
    for (let next = 0; next < count || ahead.length > 0; ) {
      while (next < count && ahead.length < this.settings.concurrency) {
        const one = this.partition(plan, next++, count, fold)
        // Its error is told when its turn comes.
        one.catch(() => {})
        ahead.push(one)
      }
      yield await ahead.shift()!
    }
  }

  private async partition<T, A>(plan: Plan<T>, index: number, count: number, fold: Fold<T, A>): Promise<A> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.attempt(plan, index, fold)
      } catch (error) {
        const { step, reason } = error instanceof StepFailure ? error : new StepFailure(plan.step, error)
        if (reason instanceof PythonCrashError && attempt < this.settings.attempts) continue
        throw new PartitionError(step, index, count, attempt, reason)
      }
    }
  }

  private attempt<T, A>(plan: Plan<T>, index: number, fold: Fold<T, A>): Promise<A> {
    return new Promise<A>((resolve, reject) => {
      const subscription = new Subscription()
      const settle = () => {
        this.open.delete(fail)
        this.subscriptions.remove(subscription)
        subscription.unsubscribe()
      }
      const fail = (reason: unknown) => {
        settle()
        reject(reason)
      }
      this.open.add(fail)
      this.subscriptions.add(subscription)
      let total: A
      const guarded = (run: () => void) => {
        try {
          run()
        } catch (error) {
          fail(new StepFailure(fold.step, error))
        }
      }
      guarded(() => {
        total = fold.create()
      })
      subscription.add(
        plan.stream(this, index).subscribe({
          next: (item) =>
            guarded(() => {
              total = fold.add(total, item)
            }),
          error: fail,
          complete: () => {
            settle()
            resolve(total)
          },
        }),
      )
    })
  }
}
