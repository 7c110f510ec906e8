import { after, before } from 'mocha'
import { Client } from 'pg'
import type { Change, Row } from '../../../lib/connectors/postgres'
import type { Source } from '../../../lib/jobs'
import type { Server } from '../server'
import { url } from '../servers/postgres'

/** A connection for the tests' own queries, opened before them. */
export function useSql(server: () => Server): (text: string, values?: unknown[]) => Promise<Record<string, never>[]> {
  let client: Client | undefined
  before(async () => {
    client = await connected(server())
  })
  after(async () => {
    await client?.end().catch(() => {})
  })
  return async (text, values) => {
    try {
      return (await client!.query(text, values)).rows as Record<string, never>[]
    } catch (error) {
      // The server was killed and is back.
      if (!/terminated|not queryable|ECONN|closed/.test(String(error))) throw error
      client = await connected(server())
      return (await client.query(text, values)).rows as Record<string, never>[]
    }
  }
}

async function connected(server: Server): Promise<Client> {
  const client = new Client(url(server.port))
  client.on('error', () => {})
  await client.connect()
  return client
}

/** A table in memory, to which changes are applied strictly: what cannot be right is an error. */
export class Copy {
  readonly rows = new Map<string, Row>()

  constructor(private readonly key: string) {}

  apply(change: Change): void {
    const { rows } = this
    const keyOf = (row: Row) => String(row[this.key])
    if (change.kind === 'read' || change.kind === 'insert') {
      if (rows.has(keyOf(change.new))) throw new Error(`${change.kind} of ${keyOf(change.new)}, which is there`)
      rows.set(keyOf(change.new), change.new)
    } else if (change.kind === 'update') {
      const before = keyOf(change.old ?? change.new)
      if (!rows.delete(before)) throw new Error(`update of ${before}, which is not there`)
      rows.set(keyOf(change.new), change.new)
    } else if (change.kind === 'delete') {
      if (!rows.delete(keyOf(change.old))) throw new Error(`delete of ${keyOf(change.old)}, which is not there`)
    } else if (change.kind === 'truncate') rows.clear()
  }

  /** In the order of a numeric key. */
  sorted(): Row[] {
    return [...this.rows.values()].sort((a, b) => Number(a[this.key]) - Number(b[this.key]))
  }
}

export interface Given<T, P> {
  readonly items: T[]
  readonly position: P | undefined
}

/** Reads until `enough` says so, then ends reading. */
export async function readUntil<T, P>(
  source: Source<T, P>,
  from: P | undefined,
  enough: (item: T, count: number) => boolean,
): Promise<Given<T, P>> {
  const items: T[] = []
  const over = new AbortController()
  let position = from
  for await (const [item, behind] of source.read(from, over.signal)) {
    items.push(item)
    position = structuredClone(behind)
    if (enough(item, items.length)) break
  }
  over.abort()
  return { items, position }
}

/** The row after the change. */
export function newOf(change: Change | undefined): Row {
  if (change === undefined || !('new' in change)) throw new Error(`no row in ${JSON.stringify(change)}`)
  return change.new
}

/** A source's items, to be taken one by one. */
export function iterate<T, P>(source: Source<T, P>, from?: P, signal?: AbortSignal) {
  return (source.read(from, signal) as AsyncIterable<readonly [T, P]>)[Symbol.asyncIterator]()
}

/** The rows of changes alone: where they lie in the log is not the same twice. */
export function rowsOf<P>(source: Source<Change, P>): Source<Record<string, unknown>, P> {
  return {
    async *read(position, signal) {
      for await (const [change, behind] of source.read(position, signal)) yield [newOf(change), behind] as const
    },
    commit: (position) => source.commit?.(position),
    close: () => source.close?.(),
  }
}
