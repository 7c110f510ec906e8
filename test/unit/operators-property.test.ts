import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { concat, concatMap, from, type Observable, of, throwError, timer } from 'rxjs'
import { StageMetrics } from '../../lib/metrics'
import type { OperatorOptions } from '../../lib/operators/options'
import { stage } from '../../lib/operators/stage'
import { fromIterable } from '../../lib/sources/fromIterable'
import { type FakeCall, FakeHandler, Recorder, settle } from './fakeHandler'

interface Plan {
  mode: 'map' | 'filter' | 'flatMap' | 'scan'
  count: number
  bad: number
  source: 'burst' | 'pull' | 'trickle' | 'async'
  sourceFails: boolean
  batch: number
  maxWait: number
  concurrency: number
  ordered: boolean
  onError: 'error' | 'skip' | 'replace' | 'deadLetter'
  isolateErrors: boolean
  /** In which order calls are answered. */
  order: number[]
}

const plan: fc.Arbitrary<Plan> = fc.record({
  mode: fc.constantFrom('map', 'filter', 'flatMap', 'scan'),
  count: fc.integer({ min: 0, max: 60 }),
  bad: fc.integer({ min: 2, max: 40 }),
  source: fc.constantFrom('burst', 'pull', 'trickle', 'async'),
  sourceFails: fc.boolean(),
  batch: fc.integer({ min: 1, max: 9 }),
  maxWait: fc.constantFrom(0, 0, 1),
  concurrency: fc.integer({ min: 1, max: 4 }),
  ordered: fc.boolean(),
  onError: fc.constantFrom('error', 'skip', 'replace', 'deadLetter'),
  isolateErrors: fc.boolean(),
  order: fc.array(fc.nat(10), { minLength: 1, maxLength: 20 }),
})

function sourceOf({ source, count, sourceFails }: Plan): Observable<number> {
  const items = Array.from({ length: count }, (_, i) => i + 1)
  const stream = {
    burst: () => from(items),
    pull: () => fromIterable(items),
    trickle: () => from(items).pipe(concatMap((n) => (n % 5 === 0 ? timer(0).pipe(concatMap(() => of(n))) : of(n)))),
    async: () =>
      fromIterable(async function* () {
        yield* items
      }),
  }[source]()
  return sourceFails
    ? concat(
        stream,
        throwError(() => new Error('source')),
      )
    : stream
}

/** What Python would do with one item; culprits fail. */
function results(mode: Plan['mode'], n: number): number[] {
  if (mode === 'filter') return n % 2 === 0 ? [n] : []
  if (mode === 'flatMap') return Array.from({ length: n % 4 }, () => n)
  return [-n]
}

function answer(mode: Plan['mode'], items: number[]): unknown[] {
  if (mode === 'filter') return items.map((n) => n % 2 === 0)
  return items.flatMap((n) => results(mode, n))
}

describe('operators against a naive reference', () => {
  it('give the same, whatever the timing, batches, failures and options', async () => {
    await fc.assert(
      fc.asyncProperty(plan, async (given) => {
        const { mode, bad, onError } = given
        const scan = mode === 'scan'
        const ordered = given.ordered || scan
        const isolateErrors = given.isolateErrors && !scan
        const dead: number[] = []
        const metrics = new StageMetrics()
        const options: OperatorOptions<number, number> = {
          batch: { maxItems: given.batch, maxWait: given.maxWait },
          concurrency: given.concurrency,
          ordered,
          isolateErrors,
          metrics,
          onError:
            onError === 'replace'
              ? (_error, items) => items.map((n) => 1000 + n)
              : onError === 'deadLetter'
                ? { deadLetter: { next: ({ items }) => dead.push(...items) } }
                : onError,
        }
        const handler = new FakeHandler({ mode })
        const recorder = new Recorder<number>()
        sourceOf(given)
          .pipe(stage<number, number>('test', mode, handler.typed<number, number>(), options))
          .subscribe(recorder.observer)

        const real = scan ? handler.variants[0]! : handler
        const failedBatches: number[][] = []
        const answered = new Set<FakeCall>()
        for (let turn = 0, idle = 0; recorder.state === 'open' && idle < 50; turn++) {
          const open = real.calls.filter((call) => !answered.has(call))
          if (open.length === 0) {
            idle++
            await new Promise((resolve) => setTimeout(resolve, given.maxWait))
            continue
          }
          idle = 0
          const call = open[given.order[turn % given.order.length]! % open.length]!
          answered.add(call)
          const items = call.items as number[]
          if (items.some((n) => n % bad === 0)) {
            if (!isolateErrors || items.length === 1) failedBatches.push([...items])
            call.reject(new Error('culprit'))
          } else call.resolve(answer(mode, items))
          if (turn % 3 === 0) await settle(1)
          else await Promise.resolve()
        }

        assert.notEqual(recorder.state, 'open', 'the stream must end')
        assert.ok(real.mostRunning <= given.concurrency)
        assert.deepEqual([metrics.waiting, metrics.inFlight], [0, 0])
        assert.equal(metrics.itemsOut, recorder.values.length)

        const failed = new Set(failedBatches.flat())
        const all = Array.from({ length: given.count }, (_, i) => i + 1)
        if (onError === 'error' && failed.size > 0) {
          assert.match(String(recorder.error), /culprit/)
          if (ordered) {
            // Everything before the first failure in order, and nothing else.
            const first = Math.min(...failed)
            const before = all.filter((n) => n < first).flatMap((n) => results(mode, n))
            assert.deepEqual(recorder.values, before)
          } else {
            const possible = all.filter((n) => !failed.has(n)).flatMap((n) => results(mode, n))
            assert.ok(recorder.values.every((value) => possible.includes(value)))
          }
          return
        }
        assert.equal(recorder.state, given.sourceFails ? 'failed' : 'completed')
        if (given.sourceFails) assert.match(String(recorder.error), /source/)
        if (isolateErrors) assert.ok([...failed].every((n) => n % bad === 0))
        const expected = all.flatMap((n) => {
          if (!failed.has(n)) return results(mode, n)
          return onError === 'replace' ? [1000 + n] : []
        })
        const byValue = (a: number, b: number) => a - b
        if (ordered) assert.deepEqual(recorder.values, expected)
        else assert.deepEqual([...recorder.values].sort(byValue), [...expected].sort(byValue))
        if (onError === 'deadLetter') assert.deepEqual([...dead].sort(byValue), [...failed].sort(byValue))
        assert.equal(metrics.failed, failed.size)
        assert.equal(metrics.itemsIn, given.count)
      }),
      { numRuns: 400 },
    )
  })
})
