import type { Observable } from 'rxjs'
import { placeOf } from '../../pool/affinity'
import { fromIterable } from '../../sources/fromIterable'
import type { AnyAggregate } from '../../streams/aggregates/aggregate'
import { inStep, type Plan } from './plan'
import type { Run } from './run'

/** The accumulators of one partition: a piece for each partition behind the shuffle. */
type Pieces<K> = Map<K, unknown>[]

/**
 * Brings what has the same key into one partition. Each partition before it is aggregated by key where it is, so that
 * only an accumulator for each key goes on. These are kept for the run: a partition behind the shuffle that is lost is computed
 * again from them, and nothing before the shuffle is.
 */
export class Shuffle<T, K> {
  constructor(
    private readonly parent: Plan<T>,
    private readonly step: string,
    private readonly key: (item: T) => K,
    private readonly aggregate: AnyAggregate<T, unknown>,
    /** How many partitions there are behind it. */
    readonly partitions: () => Promise<number>,
  ) {}

  async prepare(run: Run): Promise<void> {
    let pieces = run.shuffled.get(this)
    if (pieces === undefined) {
      pieces = this.divide(run)
      run.shuffled.set(this, pieces)
    }
    await pieces
  }

  /** The accumulators of one partition behind the shuffle, keys in the order in which they first came. */
  async merged(run: Run, partition: number): Promise<Map<K, unknown>> {
    const all = (await run.shuffled.get(this)) as Pieces<K>[]
    const { aggregate } = this
    const merged = new Map<K, unknown>()
    for (const pieces of all) {
      for (const [key, accumulator] of pieces[partition]!) {
        // Into new ones: those that were kept may be needed again.
        const into = merged.has(key) ? merged.get(key) : aggregate.create()
        merged.set(key, aggregate.combine(into, accumulator))
      }
    }
    return merged
  }

  private async divide(run: Run): Promise<Pieces<K>[]> {
    const { key: keyOf, aggregate } = this
    const buckets = Array.from({ length: await this.partitions() }, (_, i) => i)
    const fold = {
      step: this.step,
      create: (): Pieces<K> => buckets.map(() => new Map()),
      add: (pieces: Pieces<K>, item: T) => {
        const key = keyOf(item)
        const piece = pieces.length === 1 ? pieces[0]! : pieces[placeOf(textOf(key), buckets)]!
        const before = piece.get(key)
        const into = before === undefined && !piece.has(key) ? aggregate.create() : before
        piece.set(key, aggregate.accumulate(into, item))
        return pieces
      },
    }
    const all: Pieces<K>[] = []
    for await (const pieces of run.folded(this.parent, fold)) all.push(pieces)
    return all
  }
}

/** What decides where a key goes. Objects are told apart by what they are, not by what is in them, so they stay together. */
function textOf(key: unknown): string {
  return typeof key === 'object' || typeof key === 'function' || typeof key === 'symbol' ? '' : String(key)
}

export interface Group<K, R> {
  key: K
  value: R
}

export class GroupPlan<T, K, R> implements Plan<Group<K, R>> {
  readonly step = 'groupBy'
  private readonly shuffle: Shuffle<T, K>

  constructor(
    parent: Plan<T>,
    key: (item: T) => K,
    private readonly aggregate: AnyAggregate<T, R>,
    partitions: number | undefined,
  ) {
    const width = () => (partitions === undefined ? parent.partitions() : Promise.resolve(partitions))
    this.shuffle = new Shuffle(parent, this.step, key, aggregate, width)
  }

  partitions(): Promise<number> {
    return this.shuffle.partitions()
  }

  prepare(run: Run): Promise<void> {
    return this.shuffle.prepare(run)
  }

  stream(run: Run, partition: number): Observable<Group<K, R>> {
    const { shuffle, aggregate } = this
    async function* groups(): AsyncGenerator<Group<K, R>> {
      const merged = await shuffle.merged(run, partition)
      for (const [key, accumulator] of merged) yield { key, value: aggregate.finish(accumulator) }
    }
    return fromIterable(groups).pipe(inStep(this.step))
  }
}

export class JoinPlan<L, R, K, O> implements Plan<O> {
  readonly step = 'join'

  constructor(
    private readonly left: Shuffle<L, K>,
    private readonly right: Shuffle<R, K>,
    private readonly leftOuter: boolean,
    private readonly rightOuter: boolean,
    private readonly select: (left: L | undefined, right: R | undefined, key: K) => O,
  ) {}

  partitions(): Promise<number> {
    return this.left.partitions()
  }

  async prepare(run: Run): Promise<void> {
    await this.left.prepare(run)
    await this.right.prepare(run)
  }

  stream(run: Run, partition: number): Observable<O> {
    return fromIterable(() => this.pairs(run, partition)).pipe(inStep(this.step))
  }

  private async *pairs(run: Run, partition: number): AsyncGenerator<O> {
    const { select } = this
    const lefts = (await this.left.merged(run, partition)) as Map<K, L[]>
    const rights = (await this.right.merged(run, partition)) as Map<K, R[]>
    for (const [key, left] of lefts) {
      const right = rights.get(key)
      if (right !== undefined) for (const one of left) for (const other of right) yield select(one, other, key)
      else if (this.leftOuter) for (const one of left) yield select(one, undefined, key)
    }
    if (!this.rightOuter) return
    for (const [key, right] of rights) {
      if (!lefts.has(key)) for (const other of right) yield select(undefined, other, key)
    }
  }
}
