import type { Value } from '../../checkpoint/part'
import { type AnyAggregate, type Saving, savingOf } from '../aggregates/aggregate'
import type { KeySlices } from './slices'

/** The fields of a key's slices that hold accumulators. */
interface Fields {
  accumulators: unknown[]
  running?: unknown
  recent?: unknown
  suffixes?: { start: number; accumulator: unknown }[] | undefined
  [field: string]: unknown
}

/** The slices of a key in a checkpoint: field by field, so that sums go on from the very numbers that they had. */
export class SlicesForm {
  private readonly saving: Saving
  private readonly plain: boolean

  constructor(
    aggregate: AnyAggregate<never, unknown>,
    private readonly migrate?: Value,
  ) {
    this.saving = savingOf(aggregate)
    this.plain = aggregate.save === undefined && aggregate.load === undefined
  }

  save<K>(state: KeySlices<K>): unknown {
    const { key: _, ...fields } = state as unknown as Fields
    return this.plain ? fields : withAccumulators(fields as Fields, (accumulator) => this.saving.save(accumulator))
  }

  load<K, S extends KeySlices<K>>(state: S, saved: unknown): S {
    const { migrate, saving } = this
    const fields = saved as Fields
    if (this.plain && migrate === undefined) return Object.assign(state, fields)
    const made = withAccumulators(fields, (accumulator) =>
      saving.load(migrate === undefined ? accumulator : migrate(accumulator, state.key)),
    )
    return Object.assign(state, made)
  }
}

function withAccumulators(fields: Fields, change: (accumulator: unknown) => unknown): Fields {
  const changed = (accumulator: unknown) => (accumulator === undefined ? undefined : change(accumulator))
  return {
    ...fields,
    accumulators: fields.accumulators.map(changed),
    running: changed(fields.running),
    recent: changed(fields.recent),
    suffixes: fields.suffixes?.map(({ start, accumulator }) => ({ start, accumulator: changed(accumulator) })),
  }
}
