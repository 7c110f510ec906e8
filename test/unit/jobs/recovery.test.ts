import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, it } from 'mocha'
import { map, type Observable, share } from 'rxjs'
import { type JobContext, replay, step } from '../../../lib/jobs'
import {
  allOf,
  average,
  count,
  countWindow,
  diskState,
  distinct,
  filterItems,
  flatMapItems,
  hashJoin,
  inWindows,
  keyBy,
  mapAsync,
  mapItems,
  mapKeyed,
  max,
  memoryState,
  mergeEvents,
  rolling,
  session,
  sliding,
  streamJoin,
  sum,
  throughItems,
  timestampBy,
  toList,
  topN,
  tumbling,
  values,
  type WindowDefinition,
} from '../../../lib/streams'
import type { AnyAggregate } from '../../../lib/streams/aggregates/aggregate'
import { type Line, linesOf, slowly, startJob } from '../../fixtures/jobs/jobs'
import { temporaryFolder } from '../../fixtures/temporary'
import { seeded } from '../../stress/random'

const LINES = linesOf(3_000)

function read(job: JobContext, name = 'lines', lines = LINES) {
  return job.source(name, slowly(lines)).pipe(
    timestampBy(([, time]: Line) => time, { disorder: 10, partition: ([key]) => key > 'k3' }),
    keyBy(([key]) => key),
  )
}

const numberOf = ([, , value]: Line) => value

// biome-ignore lint/suspicious/noExplicitAny: accumulators of every kind
const windows = (window: WindowDefinition, aggregate: AnyAggregate<Line, any>, lateness = 0) => {
  return (job: JobContext) => read(job).pipe(inWindows(window, aggregate, lateness === 0 ? {} : { lateness }), values())
}

/** More keys and panes than one piece of a checkpoint has, and places that are used again. */
function manyKeys(aggregate: AnyAggregate<Line, unknown>, window: WindowDefinition = sliding(2_000, 500)) {
  const lines = linesOf(30_000, 3_000).map(([key, time, value]): Line => [`${key} ${time >> 14}`, time, value])
  return (job: JobContext) =>
    job.source('lines', slowly(lines, 300)).pipe(
      timestampBy(([, time]: Line) => time, { disorder: 30 }),
      keyBy(([key]) => key),
      inWindows(window, aggregate),
      mapItems(({ key, end, value }) => [key, end, value]),
      values(),
    )
}

const PIPELINES: Record<string, (job: JobContext) => Observable<unknown>> = {
  'tumbling windows': windows(tumbling(40), sum(numberOf)),
  'late results': windows(tumbling(10), toList(), 40),
  'sliding windows': windows(
    sliding(100, 10),
    allOf({ n: count(), mean: average((line: Line) => numberOf(line) / 3) }),
  ),
  'sliding windows without deduct': windows(sliding(100, 10), max(numberOf), 20),
  'sliding windows over many keys, some of which stay away': manyKeys(max(numberOf)),
  'sliding windows over many keys, with deduct': manyKeys(sum(numberOf)),
  'tumbling windows over many keys': manyKeys(sum(numberOf), tumbling(500)),
  'session windows': windows(session(12), topN(2, { by: numberOf }), 30),
  'count windows': windows(countWindow(9, { slide: 4 }), toList()),
  sketches: windows(tumbling(1_000), allOf({ n: distinct(numberOf, { exact: 8 }) })),
  'keyed state with a time to live': (job) =>
    read(job).pipe(
      mapKeyed(
        (line, state) => {
          const seen = ((state.get() as number | undefined) ?? 0) + 1
          if (numberOf(line) < 10) state.delete()
          else state.set(seen)
          return seen
        },
        { ttl: 30 },
      ),
      values(),
    ),
  'keyed state that evicts': (job) =>
    read(job).pipe(rolling(sum(numberOf), { maxKeys: 3, overflow: 'evict' }), values()),
  'keyed state in a store of the user’s': (job) =>
    read(job).pipe(
      rolling(sum(numberOf), {
        store: () => {
          const inner = memoryState<string, { accumulator: unknown }>()
          return { ...methodsOf(inner) }
        },
      }),
      values(),
    ),
  'keyed state on the disk': (job) =>
    read(job).pipe(rolling(sum(numberOf), { store: () => diskState({ memory: 2 }) }), values()),
  'keyed state on the disk that evicts': (job) =>
    read(job).pipe(
      rolling(sum(numberOf), { store: () => diskState({ memory: 2, maxKeys: 5, overflow: 'evict' }) }),
      values(),
    ),
  joins: (job) => {
    const lines = read(job).pipe(share())
    return lines.pipe(
      filterItems((line) => numberOf(line) % 2 === 0),
      streamJoin(lines.pipe(filterItems((line) => numberOf(line) % 2 === 1)), tumbling(20), { kind: 'outer' }),
      values(),
    )
  },
  'a table that changes': (job) => {
    const lines = read(job).pipe(share())
    const changes = lines.pipe(
      flatMapItems((line) =>
        numberOf(line) < 50 ? [{ key: line[0], row: numberOf(line) < 5 ? undefined : line }] : [],
      ),
      values(),
    )
    return lines.pipe(hashJoin(changes, { on: (line) => line[0], ready: 'now' }), values())
  },
  'a table that is read first': (job) => {
    const table = job.source('table', slowly(LINES.slice(0, 500))).pipe(map((line) => ({ key: line[0], row: line })))
    const lines = job.source('lines', replay(LINES.slice(500))).pipe(timestampBy(([, time]) => time))
    return lines.pipe(hashJoin(table, { on: (line) => line[0] }), values())
  },
  'calls of services': (job) =>
    read(job).pipe(
      throughItems(mapAsync((line: Line) => sleep(0, numberOf(line)), { concurrency: 8 })),
      inWindows(tumbling(100), sum()),
      values(),
    ),
  'merged streams': (job) => {
    const lines = read(job).pipe(share())
    const totals = (size: number) => inWindows<number, number, string>(tumbling(size), sum())
    const numbers = lines.pipe(mapItems(numberOf))
    return mergeEvents(numbers.pipe(totals(10)), numbers.pipe(totals(30))).pipe(values())
  },
}

/** A store that is none of ours. */
function methodsOf<K, S>(inner: ReturnType<typeof memoryState<K, S>>) {
  return {
    get: (key: K) => inner.get(key),
    set: (key: K, value: S) => inner.set(key, value),
    delete: (key: K) => inner.delete(key),
    entries: () => inner.entries(),
    clear: () => inner.clear(),
    get size() {
      return inner.size
    },
  }
}

describe('a job that is cut off anywhere and started again', () => {
  for (const [name, pipeline] of Object.entries(PIPELINES)) {
    it(`${name}: its results are those of an undisturbed run, byte for byte`, async function () {
      this.timeout(30_000)
      await using calm = await temporaryFolder()
      const undisturbed = await startJob(calm.path, pipeline)
      await undisturbed.job.done
      const expected = await undisturbed.output()
      assert.ok(expected.length > 500, 'there are results')

      const seed = Math.floor(Math.random() * 2 ** 31)
      const random = seeded(seed)
      await using folder = await temporaryFolder()
      let cuts = 0
      for (let start = 0; ; start++) {
        const { job, output } = await startJob(folder.path, pipeline)
        if (start < 12) {
          await Promise.race([job.done, sleep(random() * 15)])
          await job.cancel()
        }
        await job.done
        const text = await output()
        if (job.state === 'cancelled') {
          assert.ok(expected.startsWith(text), `seed ${seed}: what is committed is a beginning of the results`)
          cuts++
          continue
        }
        assert.equal(text, expected, `seed ${seed}`)
        assert.ok(cuts > 0, 'it was cut off in the middle')
        break
      }
    })
  }

  it('does nothing more once it has completed', async () => {
    await using folder = await temporaryFolder()
    const pipeline = (job: JobContext) =>
      job.source('numbers', replay([1, 2, 3])).pipe(
        step(
          'double',
          map((n) => n * 2),
        ),
      )
    for (let start = 0; start < 2; start++) {
      const { job, output } = await startJob(folder.path, pipeline)
      await job.done
      assert.equal(job.state, 'completed')
      assert.equal(await output(), '2\n4\n6\n')
    }
  })
})
