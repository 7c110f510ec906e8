import { type Block, Change, type Value } from '../../checkpoint/part'
import { type AnyAggregate, savingOf } from '../aggregates/aggregate'
import { NONE, type Pane, type Panes } from './panes'
import { type RunningWindow, type SavedSuffixes, STALE, Suffixes } from './running'

/** What each checkpoint writes about panes. */
export interface PanesHead {
  /** The panes there are; blocks of others are out of date. */
  readonly starts: readonly number[]
  readonly running: { start: number; end: number; exact: boolean } | undefined
}

/** A piece of a pane. */
interface PaneBlock extends Block {
  /** Nothing before it counts. */
  readonly first: boolean
  readonly accumulators: unknown[]
}

/** Combinations of the window that slides: those at `places`, and the places where there is none, or one to be made anew. */
interface TotalsBlock extends Block {
  readonly totals: unknown[]
  readonly none: number[]
  readonly stale: number[]
}

/** The key of the entries that are no pane's. */
const TOTALS = 'totals'

/** The most places in one block. */
const PIECE = 8192

type Entry = readonly [key: unknown, change: Change, value: unknown]

/**
 * Panes in a checkpoint: keys with their places, and of each pane, and of the window that slides over them, what has changed
 * (`all`: everything). Sums go on from the very numbers that they had.
 */
export function savePanes<K>(
  panes: Panes<K>,
  running: RunningWindow<K> | undefined,
  aggregate: AnyAggregate<never, unknown>,
  all: boolean,
): { head: PanesHead; entries: unknown[] } {
  const { save } = savingOf(aggregate)
  const entries = panes.changes!.take(panes.keys, all, (place) => place)
  for (const pane of panes.all) savePane(pane, save, all, entries)
  if (running !== undefined) saveTotals(running, save, all, entries)
  const { start, end, exact } = running ?? {}
  const head = running === undefined ? undefined : { start: start!, end: end!, exact: exact! }
  return { head: { starts: panes.all.map((pane) => pane.start), running: head }, entries }
}

function savePane(pane: Pane, save: (accumulator: unknown) => unknown, all: boolean, entries: unknown[]): void {
  const changed = pane.marks!.take()
  let places: number[] = []
  let accumulators: unknown[] = []
  let first = all || pane.fresh
  pane.fresh = false
  const flush = () => {
    if (places.length === 0) return
    entries.push(pane.start, Change.Block, { first, places, accumulators } satisfies PaneBlock)
    places = []
    accumulators = []
    first = false
  }
  const add = (place: number, accumulator: unknown) => {
    places.push(place)
    accumulators.push(save(accumulator))
    if (places.length === PIECE) flush()
  }
  if (first) pane.each(add)
  else for (const place of changed) add(place, pane.get(place))
  flush()
}

function saveTotals<K>(
  running: RunningWindow<K>,
  save: (accumulator: unknown) => unknown,
  all: boolean,
  entries: unknown[],
): void {
  const { totals, marks } = running
  const changed = marks!.take()
  const asked = all ? totals.keys() : changed
  let block: TotalsBlock = { places: [], totals: [], none: [], stale: [] }
  for (const place of asked) {
    const total = place < totals.length ? totals[place] : NONE
    if (total === NONE) block.none.push(place)
    else if (total === STALE) block.stale.push(place)
    else {
      ;(block.places as number[]).push(place)
      block.totals.push(total instanceof Suffixes ? total.save(save) : save(total))
    }
    if (block.places.length < PIECE) continue
    entries.push(TOTALS, Change.Block, block)
    block = { places: [], totals: [], none: [], stale: [] }
  }
  entries.push(TOTALS, Change.Block, block)
}

/** Makes panes again from the entries of all their checkpoints. */
export function loadPanes<K>(
  panes: Panes<K>,
  running: RunningWindow<K> | undefined,
  aggregate: AnyAggregate<never, unknown>,
  head: PanesHead,
  entries: Iterable<Entry>,
  migrate: Value | undefined,
): void {
  const keys = new Map<K, number>()
  const saved = new Map<number, Map<number, unknown>>(head.starts.map((start) => [start, new Map()]))
  const totals = new Map<number, unknown>()
  for (const [key, change, value] of entries) {
    if (change === Change.Gone) keys.delete(key as K)
    else if (change !== Change.Block) keys.set(key as K, value as number)
    else if (key === TOTALS) replayTotals(totals, value as TotalsBlock)
    else replayPane(saved.get(key as number), value as PaneBlock)
  }
  panes.restoreKeys(keys)
  const { load } = savingOf(aggregate)
  const made = (place: number, one: unknown) =>
    load(migrate === undefined ? one : migrate(one, panes.names[place] as K))
  for (const start of head.starts) {
    panes.restorePane(start, mapped(saved.get(start)!, made))
  }
  if (running === undefined || head.running === undefined) return
  const { start, end, exact } = head.running
  // What is kept for places that are free is out of date.
  for (const place of [...totals.keys()]) if (!isTaken(panes, place)) totals.delete(place)
  const combined = mapped(totals, (place, total) => {
    if (total === STALE || (exact && !running.exact)) return STALE
    if (!exact) return Suffixes.load(total as SavedSuffixes, (one) => made(place, one))
    return made(place, total)
  })
  running.restore(start, end, exact, combined)
}

function replayPane(pane: Map<number, unknown> | undefined, { first, places, accumulators }: PaneBlock): void {
  if (pane === undefined) return
  if (first) pane.clear()
  for (let i = 0; i < places.length; i++) pane.set(places[i]!, accumulators[i])
}

function replayTotals(all: Map<number, unknown>, { places, totals, none, stale }: TotalsBlock): void {
  for (let i = 0; i < places.length; i++) all.set(places[i]!, totals[i])
  for (const place of none) all.delete(place)
  for (const place of stale) all.set(place, STALE)
}

function isTaken<K>(panes: Panes<K>, place: number): boolean {
  return place < panes.names.length && panes.names[place] !== NONE
}

function* mapped(
  all: ReadonlyMap<number, unknown>,
  change: (place: number, one: unknown) => unknown,
): Generator<readonly [number, unknown]> {
  for (const [place, one] of all) yield [place, change(place, one)]
}
