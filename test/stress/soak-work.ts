/** The pieces of work of a soak: a stream or some calls, with whatever may happen to them. */
import { setTimeout as pause } from 'node:timers/promises'
import { fromIterable, mapPython, type PythonPool, type RxjsPythonError, StageMetrics } from '../../lib/index'
import { oneOf, type Random, whole } from './random'
import { Books, type Deed, type Item, type Result, type Tally } from './soak-books'

/**
 * One item of so many does this. A wait is broken by a signal, which reaches Python's main thread: each interpreter has
 * one, but not in `shared`. What ends or blocks a process is for processes of their own.
 */
const RARITY: Record<'shared' | 'namespace' | 'process', Partial<Record<Deed, number>>> = {
  shared: { raise: 500, spin: 8000 },
  namespace: { raise: 500, spin: 8000, hang: 8000 },
  process: {
    raise: 500,
    spin: 8000,
    hang: 8000,
    stuck: 30_000,
    segfault: 16_000,
    abort: 16_000,
    leave: 16_000,
    overflow: 16_000,
  },
}
/** Milliseconds for a batch, in streams that have a limit; items that would hang are only in those. */
const LIMITS = [100, 400] as const

type Ending = 'complete' | 'error' | 'unsubscribe' | 'abort'
const ENDINGS: readonly Ending[] = ['complete', 'complete', 'complete', 'error', 'unsubscribe', 'abort']
const HANGS: readonly Deed[] = ['hang', 'spin', 'stuck']

function* items(random: Random, count: number, pool: PythonPool, limited: boolean, books: Books): Generator<Item> {
  const deeds = Object.entries(RARITY[pool.info().isolation]) as [Deed, number][]
  for (let id = 0; id < count; id++) {
    const seconds = random() < 0.02 ? random() / 500 : 0
    const [deed] = deeds.find(([one, rarity]) => random() < 1 / rarity && (limited || !HANGS.includes(one))) ?? []
    yield books.take(deed === undefined ? { id, seconds } : { id, seconds, deed })
  }
}

/** One stream from its source to its end, whichever that is. */
export async function streamWork(pool: PythonPool, random: Random, tally: Tally): Promise<void> {
  const ending = oneOf(random, ENDINGS)
  const limited = random() < 0.5
  const ordered = random() < 0.7
  const count = whole(random, 20, 800)
  const stop = ending === 'unsubscribe' || ending === 'abort' ? whole(random, 1, count) : Number.POSITIVE_INFINITY
  const title = `stream ${tally.streams} (${pool.info().isolation}, ${ending})`
  const books = new Books(title, tally, ordered, limited)
  const metrics = new StageMetrics()
  const controller = new AbortController()
  const results = fromIterable(() => items(random, count, pool, limited, books)).pipe(
    mapPython<Item, Result>('hostile:handle', {
      pool,
      batch: whole(random, 1, 64),
      concurrency: whole(random, 1, 8),
      ordered,
      metrics,
      signal: controller.signal,
      isolateErrors: random() < 0.3,
      ...(limited ? { timeout: whole(random, ...LIMITS) } : {}),
      onError: ending === 'error' ? 'error' : (failure, batch) => books.report(failure, batch as Item[]),
    }),
  )
  const error = await new Promise<RxjsPythonError | undefined>((resolve) => {
    const subscription = results.subscribe({
      next: (result) => {
        if (books.deliver(result) < stop) return
        if (ending === 'abort') return controller.abort()
        subscription.unsubscribe()
        resolve(undefined)
      },
      error: resolve,
      complete: () => resolve(undefined),
    })
  })
  tally.batches += metrics.batches
  const code = error?.code
  const stopped = stop < count || code !== undefined
  if (code !== undefined) judge(code, ending, pool, books, tally, error)
  books.close(!stopped)
}

/** Whether a stream may end with this error. */
function judge(
  code: string,
  ending: Ending,
  pool: PythonPool,
  books: Books,
  tally: Tally,
  error: RxjsPythonError | undefined,
): void {
  if (code === 'ERR_POOL_CLOSED' && pool.closed) tally.failed(code)
  else if (code === 'ERR_ABORTED' && ending === 'abort') tally.failed(code)
  else if (ending === 'error') books.explain(error, books.items)
  else books.problem(`ended with ${error}`)
}

/** Single calls with typed arrays, some of which are taken back. */
export async function callWork(pool: PythonPool, random: Random, tally: Tally): Promise<void> {
  const handler = pool.handler<Float64Array, Float64Array>('hostile:double', { codec: 'array' })
  const calls = Array.from({ length: whole(random, 1, 40) }, async (_, index) => {
    const length = whole(random, 0, random() < 0.1 ? 200_000 : 500)
    const array = random() < 0.5 ? pool.allocate(Float64Array, length) : new Float64Array(length)
    array.fill(index)
    const controller = new AbortController()
    const aborted = random() < 0.2
    if (aborted) setTimeout(() => controller.abort(), random() * 3)
    try {
      const result = await handler.call(array, { signal: controller.signal, transfer: random() < 0.2 })
      tally.delivered += 1
      if (result.length !== length || result.some((value) => value !== 2 * index))
        tally.problem(`a call's array of ${length} came back wrong (${pool.info().isolation})`)
    } catch (error) {
      const { code } = error as RxjsPythonError
      if (!(code === 'ERR_ABORTED' && aborted) && !(code === 'ERR_POOL_CLOSED' && pool.closed))
        tally.problem(`a call failed: ${error} (${pool.info().isolation})`)
      tally.reported += 1
      tally.failed(code)
    }
  })
  await Promise.all(calls)
  await pause(0)
  await handler.close().catch(() => {})
  tally.calls += calls.length
  tally.batches += calls.length
}
