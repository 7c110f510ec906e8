import { catchError, Observable, type OperatorFunction, throwError } from 'rxjs'
import { fromIterable } from '../../sources/fromIterable'
import { StepFailure } from './errors'
import type { Run } from './run'

/**
 * The lineage of a dataset: how each of its partitions is computed from those of the one before. It is never changed, and
 * computes nothing by itself, so a partition can be computed again at any time, and no other with it.
 */
export interface Plan<T> {
  /** Its last step, for errors. */
  readonly step: string
  partitions(): Promise<number>
  /** Computes what its partitions need of more than one partition before them. */
  prepare(run: Run): Promise<void>
  /** The items of a partition. */
  stream(run: Run, partition: number): Observable<T>
}

/** Says which step an error comes from: the first one that it passes. */
export function inStep<T>(step: string): OperatorFunction<T, T> {
  return catchError((error: unknown) =>
    throwError(() => (error instanceof StepFailure ? error : new StepFailure(step, error))),
  )
}

/** Partitions that come from outside. */
export class SourcePlan<T> implements Plan<T> {
  constructor(
    readonly step: string,
    readonly partitions: () => Promise<number>,
    private readonly read: (partition: number) => Iterable<T> | AsyncIterable<T>,
  ) {}

  async prepare(): Promise<void> {}

  stream(_run: Run, partition: number): Observable<T> {
    return fromIterable(() => this.read(partition)).pipe(inStep(this.step))
  }
}

/** A step that needs of each partition only the same one before it: any operator on streams. */
export class StepPlan<T, R> implements Plan<R> {
  constructor(
    private readonly parent: Plan<T>,
    readonly step: string,
    private readonly operator: OperatorFunction<T, R>,
  ) {}

  partitions(): Promise<number> {
    return this.parent.partitions()
  }

  prepare(run: Run): Promise<void> {
    return this.parent.prepare(run)
  }

  stream(run: Run, partition: number): Observable<R> {
    return this.parent.stream(run, partition).pipe(this.operator, inStep(this.step))
  }
}

/** Keeps each partition in memory once it has been computed, for all runs to come. */
export class CachePlan<T> implements Plan<T> {
  private readonly kept = new Map<number, readonly T[]>()

  constructor(private readonly parent: Plan<T>) {}

  get step(): string {
    return this.parent.step
  }

  partitions(): Promise<number> {
    return this.parent.partitions()
  }

  async prepare(run: Run): Promise<void> {
    if (this.kept.size < (await this.partitions())) await this.parent.prepare(run)
  }

  stream(run: Run, partition: number): Observable<T> {
    const kept = this.kept.get(partition)
    if (kept !== undefined) return fromIterable(kept)
    return new Observable<T>((out) => {
      const items: T[] = []
      return this.parent.stream(run, partition).subscribe({
        next: (item) => {
          items.push(item)
          out.next(item)
        },
        error: (error) => out.error(error),
        complete: () => {
          this.kept.set(partition, items)
          out.complete()
        },
      })
    })
  }
}
