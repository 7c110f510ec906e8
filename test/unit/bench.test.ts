/** What the benchmark makes of its measurements. The measurements themselves are not asserted anywhere. */
import { strict as assert } from 'node:assert'
import { findCase } from '../../bench/cases'
import { cut } from '../../bench/cases/lists'
import { decode, encode } from '../../bench/drivers/text'
import { compareCounts } from '../../bench/harness/counts'
import { disagreements, type Result } from '../../bench/harness/rounds'
import { quantile, short } from '../../bench/harness/stats'
import { chartsOf } from '../../bench/report/charts'
import { benchmarksFile } from '../../bench/report/markdown'
import { tablesOf, textOf } from '../../bench/report/table'
import { streamLengths } from '../../bench/show/growth'

function result(driver: string, size: number, median: number, more: Partial<Result> = {}): Result {
  const job = { case: 'identity', driver, size, inFlight: 8, seconds: 1, python: 'python3' }
  return { job, rounds: [median], summary: { median, min: median, max: median }, digest: 'same', ...more }
}

const facts = {
  date: '2026-03-04T10:00:00.000Z',
  rounds: 5,
  seconds: 0.7,
  skipped: [{ driver: 'pymport', reason: 'it does not install' }],
  machine: {
    processor: 'a processor',
    cores: 2,
    memoryGiB: 8,
    system: 'Linux x64',
    load: 0,
    versions: { 'rxjs-python': '1.0.0', node: '20.0.0' },
  },
}

describe('the benchmark', () => {
  it('takes the value that a share of all do not pass', () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index)
    assert.equal(quantile(values, 0.99), 99)
    assert.equal(quantile(values, 0.5), 50)
    assert.equal(quantile([7], 0.99), 7)
    assert.ok(Number.isNaN(quantile([], 0.5)))
    assert.equal(short(1_234_567), '1.23 M')
  })

  it('cuts items into a ring of batches and repeats them where there are too few', () => {
    assert.deepEqual(cut([1, 2, 3, 4, 5], 2), [
      [1, 2],
      [3, 4],
    ])
    assert.deepEqual(cut([1, 2, 3], 2), [
      [1, 2],
      [3, 1],
    ])
  })

  it('carries every payload over a text channel', () => {
    const array = Float64Array.of(1.5, -0, Number.NaN)
    assert.deepEqual(decode(encode(array, 'array'), 'array'), array)
    const frames = [Uint8Array.of(0, 255), new Uint8Array(0)]
    const back = decode(encode(frames, 'frames'), 'frames') as readonly Uint8Array[]
    assert.deepEqual(
      back.map((one) => [...one]),
      [[0, 255], []],
    )
    assert.deepEqual(decode(encode(['a', 'ü'], 'strings'), 'strings'), ['a', 'ü'])
  })

  it('notices results that are missing, in every case', async () => {
    const identity = findCase('identity')
    const [batch] = await identity.batches(4)
    identity.consume(batch!, batch!)
    assert.throws(() => identity.consume(batch!.slice(1), batch!), /3 results came back for 4 items/)
    const array = findCase('array-out')
    assert.throws(() => array.consume(new Float64Array(3), Float64Array.of(4)), /an array of 3 came back instead of 4/)
  })

  it('notices drivers that do not agree, and none where order is not kept', () => {
    const one = result('shared', 16, 10)
    assert.deepEqual(disagreements([one, result('child-process', 16, 10)]), [])
    assert.deepEqual(disagreements([one, result('child-process', 16, 10, { digest: undefined })]), [])
    const [problem] = disagreements([one, result('child-process', 16, 10, { digest: 'other' })])
    assert.match(problem!, /identity: the drivers do not give the same results: shared at 16 against child-process/)
  })

  it('fails a codec that executes more than 5 % more than its baseline', () => {
    const compared = compareCounts({ string: 104, json: 106, buffer: 50 }, { string: 100, json: 100 })
    assert.deepEqual(
      compared.map(({ worse }) => worse),
      [false, true, false],
    )
    assert.match(compared[1]!.line, /^json: 106 \(\+6\.00 %\) {2}<- more than 5 % worse$/)
    assert.match(compared[2]!.line, /no baseline/)
  })

  it('draws a chart whose title says who is ahead, and one of memory', () => {
    const results = [
      result('shared', 1024, 9e6, { memoryMiB: 90 }),
      result('child-process', 1024, 3e6, { memoryMiB: 80 }),
      result('rest', 1024, 1e5, { memoryMiB: 120 }),
    ]
    const charts = chartsOf(results)
    assert.deepEqual(
      charts.map(({ name }) => name),
      ['identity', 'memory'],
    )
    assert.match(charts[0]!.svg, /3\.0x the best of the others \(child process, JSON lines\), batches of 1,024/)
    assert.match(charts[1]!.svg, /120 MiB/)
    for (const { svg } of charts) assert.doesNotMatch(svg, /NaN|undefined|Infinity/)
  })

  it('writes a table with what failed, and latencies as p50 and p99', () => {
    const failed: Result = { ...result('rest', 1024, 1), summary: undefined, failure: 'it ended' }
    const slow = result('shared', 10, 10, { latency: { p50: 200, p99: 800, calls: 100 } })
    const latency = { ...slow, job: { ...slow.job, case: 'latency' } }
    const text = textOf(tablesOf([result('shared', 1024, 9e6), failed, latency]))
    assert.match(text, /rxjs-python call, 8 in flight +9\.00 M/)
    assert.match(text, /REST \(FastAPI, uvicorn\), 8 in flight +failed/)
    assert.match(text, /0\.20 ms \/ 0\.80 ms/)
  })

  it('keeps the lines of other dates in BENCHMARKS.md', () => {
    const results = [result('shared', 1024, 9e6), result('child-process', 1024, 3e6)]
    const write = (date: string, before: string) =>
      benchmarksFile({ ...facts, date }, results, chartsOf(results), tablesOf(results), before)
    const first = write('2026-03-04T10:00:00.000Z', '')
    const second = write('2026-04-05T10:00:00.000Z', write('2026-04-05T09:00:00.000Z', first))
    const lines = second.split('\n').filter((line) => /^\| 20/.test(line))
    assert.equal(lines.length, 2)
    assert.match(lines[0]!, /^\| 2026-04-05 \| 1\.0\.0 \| a processor, 2 cores \| 3\.0x child process/)
    assert.match(lines[1]!, /^\| 2026-03-04 /)
    assert.match(second, /left out: pymport, it does not install/)
  })

  it('streams ten times as many items each time', () => {
    assert.deepEqual(streamLengths(1_000_000), [10_000, 100_000, 1_000_000])
    assert.deepEqual(streamLengths(99_999), [10_000])
  })
})
