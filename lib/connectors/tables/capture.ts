import { oneByOne, type Source } from '../../jobs/sources'
import { anySignal, type CommonOptions } from '../options'
import { Backoff } from '../retry'
import type { Change, Row } from './change'
import type { TablePart } from './parts'

/** How often all connections are cut while reading is to end, in milliseconds. */
const CUT = 50

export type Positioned<P> = readonly [change: Change, position: P]

/** What a source of changes needs of its connections. */
export interface CaptureConnections {
  /** Ends all of them at once: what waits for an answer gets an error. */
  cut(): void
  /** The error without what nobody may see. */
  safe(error: unknown): unknown
  /** Whether another attempt may succeed. */
  isPassing(error: unknown): boolean
}

/** Changes of tables: one attempt after the other, each from where the last one came to. */
export abstract class ChangeSource<P> implements Source<Change, P> {
  /** The last position that went out. */
  protected given: P | undefined
  private ending = new AbortController()

  constructor(
    private readonly what: string,
    protected readonly capture: CaptureConnections,
    protected readonly common: CommonOptions<Change>,
  ) {}

  /** One connection's worth of changes, from a position on. */
  protected abstract attempt(from: P | undefined): AsyncGenerator<readonly Positioned<P>[]>
  protected abstract begun(position: P | undefined): void
  /** Gives back what is open. */
  protected abstract ended(): Promise<void>

  read(position: P | undefined, signal?: AbortSignal): AsyncGenerator<Positioned<P>> {
    return oneByOne(this.readMany(position, signal))
  }

  async *readMany(position: P | undefined, signal?: AbortSignal): AsyncGenerator<readonly Positioned<P>[]> {
    const { retry, secrets } = this.common
    this.ending = new AbortController()
    const over = anySignal(this.ending.signal, this.common.signal, signal)
    let again: NodeJS.Timeout | undefined
    const cut = () => {
      this.capture.cut()
      // A connection may just be about to be opened.
      again = setTimeout(cut, CUT)
    }
    over.addEventListener('abort', cut)
    const backoff = new Backoff(this.what, retry, secrets)
    this.given = position
    this.begun(position)
    try {
      while (!over.aborted) {
        try {
          for await (const pairs of this.attempt(this.given)) {
            backoff.succeeded()
            this.given = pairs.at(-1)![1]
            yield pairs
          }
        } catch (error) {
          if (over.aborted) return
          if (!this.capture.isPassing(error)) throw this.capture.safe(error)
          await backoff.failed(error, over)
        }
      }
    } finally {
      over.removeEventListener('abort', cut)
      clearTimeout(again)
      await this.ended()
      this.capture.cut()
    }
  }

  close(): void {
    this.ending.abort()
  }
}

/** What a position says of tables: read to their end (with their columns), in parts that are ahead of the log, and up to where. */
export interface TablesRead<Part> {
  readonly tables: Readonly<Record<string, string>>
  readonly ranges: readonly Part[]
  readonly reading?: Part
}

export type Pages<Key> = AsyncIterable<readonly (readonly [row: Row, key: Key])[]>

/** The rows of tables that were not read to their end yet, as one view of the database shows them; returns where that leads. */
export async function* readTables<
  Key,
  Part extends TablePart<Key>,
  P extends TablesRead<Part>,
  Table extends { readonly table: string; readonly columns: string },
>(
  unread: readonly Table[],
  from: P,
  pagesOf: (table: Table, after: Key | undefined) => Pages<Key>,
  part: (table: string, upTo: Key | null) => Part,
): AsyncGenerator<readonly Positioned<P>[], P> {
  let at = from
  const begun = at.reading?.table
  for (const one of [...unread].sort((a, b) => Number(b.table === begun) - Number(a.table === begun))) {
    const { table, columns } = one
    const { reading, ...rest } = at
    at = rest as P
    let after: Key | undefined
    if (reading?.table === table) {
      after = reading.upTo!
      at = { ...at, ranges: [...at.ranges, reading] }
    }
    for await (const page of pagesOf(one, after)) {
      const base = at
      yield page.map(([row, upTo]): Positioned<P> => {
        return [
          { kind: 'read', table, new: row },
          { ...base, reading: part(table, upTo) },
        ]
      })
    }
    at = { ...at, tables: { ...at.tables, [table]: columns }, ranges: [...at.ranges, part(table, null)] }
  }
  return at
}
