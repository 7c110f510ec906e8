import { oneByOne, type Source } from '../../jobs/sources'
import type { StreamChecker } from '../../streams/check'
import { anySignal, type CommonOptions, type ConnectorOptions } from '../options'
import { Backoff, pause, retrying } from '../retry'
import { checkKey } from './options'

/** What the query sources of all databases take. */
export interface QueryOptions<T> extends Pick<ConnectorOptions<T>, 'batch' | 'signal' | 'retry'> {
  /** A SELECT, without ORDER BY, LIMIT and semicolon at its end. */
  query: string
  /** The columns of the result by which it is paged: together unique, never null, and best an index. */
  key: string | readonly string[]
  /** Milliseconds after which it is looked for rows behind the last one again (default: it ends there). */
  poll?: number
}

export const QUERY = ['query', 'key', 'poll', 'batch', 'signal', 'retry'] as const

/** The key of the last row, each part as the database writes it. */
export type KeyPosition = readonly string[]

export interface CompleteQuery {
  readonly query: string
  readonly key: readonly string[]
  readonly poll: number | undefined
}

export function checkQuery(check: StreamChecker, options: Partial<QueryOptions<unknown>>): CompleteQuery {
  const query = check.text('query', options.query) ?? ''
  if (options.query === undefined) check.problem("'query' is missing: a SELECT")
  if (/;\s*$/.test(query)) check.problem("'query' must not end with a semicolon: it becomes part of another one", query)
  return { query, key: checkKey(check, options.key), poll: check.time('poll', options.poll, false) }
}

/** Pages of a query. */
export interface Pager<T, K = KeyPosition> {
  /** The rows behind a key, as many as `batch` says; fewer where there are no more. */
  page(after: K | undefined): Promise<readonly (readonly [row: T, key: K])[]>
  /** Whether another attempt may succeed. */
  isPassing(error: unknown): boolean
  /** Ends connections; also comes while `page` waits. `page` may follow. */
  close(): Promise<void> | void
}

/** The rows of a query, in the order of a key: page by page, so that no cursor is held while somebody works on them. */
export class QuerySource<T, K = KeyPosition> implements Source<T, K> {
  private ending = new AbortController()

  constructor(
    private readonly what: string,
    private readonly pager: Pager<T, K>,
    private readonly poll: number | undefined,
    private readonly common: Pick<CommonOptions<T>, 'batch' | 'retry' | 'secrets' | 'signal'>,
  ) {}

  read(position: K | undefined, signal?: AbortSignal): AsyncGenerator<readonly [T, K]> {
    return oneByOne(this.readMany(position, signal))
  }

  async *readMany(position: K | undefined, signal?: AbortSignal): AsyncGenerator<readonly (readonly [T, K])[]> {
    const { batch, retry, secrets } = this.common
    this.ending = new AbortController()
    const ended = anySignal(this.ending.signal, this.common.signal, signal)
    const cut = () => void this.pager.close()
    ended.addEventListener('abort', cut)
    const backoff = new Backoff(this.what, retry, secrets)
    const pageFrom = (after: K | undefined) =>
      retrying(
        backoff,
        ended,
        () => this.pager.page(after),
        (error) => this.pager.isPassing(error),
      )
    try {
      let coming = pageFrom(position)
      let last = position
      for (;;) {
        const rows = await coming
        if (rows === undefined) return
        last = rows.at(-1)?.[1] ?? last
        // The next page comes while this one is worked off.
        const more = rows.length === batch
        if (more) {
          coming = pageFrom(last)
          coming.catch(() => {})
        }
        yield rows
        if (more) continue
        if (this.poll === undefined) return
        await pause(this.poll, ended)
        coming = pageFrom(last)
      }
    } finally {
      ended.removeEventListener('abort', cut)
      this.ending.abort()
      await this.pager.close()
    }
  }

  close(): void {
    this.ending.abort()
  }
}
