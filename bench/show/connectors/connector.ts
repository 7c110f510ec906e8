/** What a connector shows of itself; `probes.ts` makes the report's lines of it. */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Change } from '../../../lib/connectors/tables/change'
import type { Sink, Source } from '../../../lib/jobs'
import type { Installation } from '../../../test/services/installing'
import type { Server, ServerDefinition } from '../../../test/services/server'
import { packageFolder } from '../../harness/paths'

/** What goes through: some hundred bytes as JSON. */
export interface Item {
  readonly at: number
  readonly text: string
}

/** Places on a server that nobody used before: items are put into one, and results go to another. */
export interface Place {
  /** Puts items there, by the client itself, as quickly as it can. Not called where there is no `source`. */
  fill?(items: readonly Item[]): Promise<void>
  source?(): Source<Item>
  sink?(): Sink<Item>
  /** The numbers (`at`) of the results that are there, each as often as it is; needed with `sink`. */
  results?(): Promise<readonly number[]>
  /** Where the sink is a server: resolves when a reader of it has so many results, before the sink is closed. */
  arrived?(count: number): Promise<void>
  /** The client alone: connects, reads `count` items, decodes and acknowledges them as its documentation says. */
  clientReads?(count: number): Promise<void>
  /** The client alone: connects, encodes and writes the items, and waits until the server has them. */
  clientWrites?(items: readonly Item[]): Promise<void>
  close(): Promise<void> | void
}

export interface Connector {
  /** For the lines: `Redis streams`. */
  readonly name: string
  /** None where its server is a program of ours, or there is none. */
  readonly installation?: Installation
  /** None where there is no server: `place` is given none. */
  readonly definition?: ServerDefinition
  /** So quick that its speed is measured with so many items: fewer would measure how it begins. */
  readonly timed?: number
  /** `items`: of which size each probe wants its items; see `itemsOf`. */
  place(server: Server): Promise<Place>
}

/** The rows that were added, of a source of changes that begins at `start` where there is no position. */
export function insertedRows<P>(changes: Source<Change, P>, start?: P): Source<Item, P> {
  async function* readMany(position: P | undefined, signal?: AbortSignal) {
    for await (const pairs of changes.readMany!(position ?? start, signal)) {
      const rows: (readonly [Item, P])[] = []
      for (const [change, behind] of pairs) {
        if (change.kind === 'insert') rows.push([change.new as unknown as Item, behind])
      }
      yield rows
    }
  }
  return {
    readMany,
    async *read(position, signal) {
      for await (const pairs of readMany(position, signal)) yield* pairs
    },
    commit: (position) => changes.commit?.(position),
    close: () => changes.close?.(),
  }
}

export function itemsOf(count: number, bytes: number): Item[] {
  const text = 'x'.repeat(bytes)
  return Array.from({ length: count }, (_, at) => ({ at, text }))
}

/** The entry of the built package, as users get it. */
export function entry<T>(name: string): T {
  return createRequire(join(packageFolder, 'package.json'))(`rxjs-python/${name}`) as T
}
