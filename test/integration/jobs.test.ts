import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, it } from 'mocha'
import { mapPython, type PythonPool, scanPython } from '../../lib'
import { type JobContext, type StepOptions, step } from '../../lib/jobs'
import {
  type AnyAggregate,
  countWindow,
  inWindows,
  keyBy,
  mapPythonKeyed,
  max,
  type PythonAggregate,
  pythonAggregate,
  rolling,
  session,
  sliding,
  timestampBy,
  values,
} from '../../lib/streams'
import { type Line, linesOf, slowly, startJob } from '../fixtures/jobs/jobs'
import { inEachMode, openPool } from '../fixtures/modes'
import { testPython } from '../fixtures/python'
import { temporaryFolder } from '../fixtures/temporary'
import { killRun } from '../stress/kill-run'

const TALLY = `
class Tally:
    def __init__(self):
        self.total = 0
    def __call__(self, items):
        answers = []
        for item in items:
            self.total += item
            answers.append(self.total)
        return answers
    def snapshot(self):
        return {"total": self.total}
    def restore(self, state):
        self.total = state["total"]
`
const AGGREGATE = `
class Most:
    "Keeps its values in a set, which is no JSON."
    def create(self):
        return set()
    def accumulate(self, seen, line):
        seen.add(line[2])
        return seen
    def combine(self, into, other):
        into |= other
        return into
    def finish(self, seen):
        return max(seen)
    def save(self, seen):
        return sorted(seen)
    def load(self, saved):
        return set(saved)

class Least:
    def create(self):
        return 1_000_000
    def accumulate(self, least, item):
        return min(least, item)
    def combine(self, into, other):
        return min(into, other)
    def finish(self, least):
        return least
`
const NUMBERS = linesOf(1_000).map(([, , value]) => value)
let total = 0
const SUMS = NUMBERS.map((n) => {
  total += n
  return total
})
const EXPECTED = `${SUMS.join('\n')}\n`

for (const isolation of ['shared', 'namespace', 'process'] as const) {
  describe(`jobs with Python state, ${isolation}`, () => {
    const open = async () => openPool({ isolation, size: 1 })

    const tally = (pool: PythonPool, options?: StepOptions) => (job: JobContext) =>
      job
        .source('numbers', slowly(NUMBERS, 10))
        .pipe(step('tally', mapPython<number, number>({ source: TALLY, function: 'Tally' }, { pool }), options))

    it('go on with it after a start, also in another interpreter', async () => {
      await using folder = await temporaryFolder()
      for (let start = 0; ; start++) {
        await using pool = await open()
        const { job, output } = await startJob(folder.path, tally(pool))
        if (start < 4) {
          await job.checkpoint()
          await job.cancel()
          continue
        }
        await job.done
        assert.equal(await output(), EXPECTED)
        break
      }
    })

    it('put it back in the interpreter that has later state', async () => {
      await using folder = await temporaryFolder()
      await using pool = await open()
      const handler = pool.handler<number, number>({ source: TALLY, function: 'Tally' })
      const pipeline = (job: JobContext) => job.source('numbers', slowly(NUMBERS, 10)).pipe(mapPython(handler))
      const { job, output } = await startJob(folder.path, pipeline)
      for (let round = 0; round < 4; round++) await job.restart()
      await job.done
      assert.equal(await output(), EXPECTED)
    })
  })
}

const TOTALS = `
from rxjs_python import KeyedState

class Totals:
    def __init__(self):
        self.totals = KeyedState()
    def __call__(self, lines):
        answers = []
        for key, _, value in lines:
            self.totals.set(key, self.totals.get(key, 0) + value)
            answers.append(f"{key} {self.totals.get(key)}")
        return answers
    def snapshot(self):
        return self.totals.snapshot()
    def restore(self, state):
        self.totals.restore(state)
`

inEachMode('jobs with Python state by key', (test) => {
  const lines = linesOf(1_500, 40)
  const totals = (pool: PythonPool) => (job: JobContext) =>
    job.source('lines', slowly(lines, 10)).pipe(
      timestampBy(([, time]) => time),
      keyBy(([key]) => key),
      step('totals', mapPythonKeyed<Line, string>({ source: TOTALS, function: 'Totals' }, { pool, batch: 32 })),
      values(),
    )
  const sums = new Map<string, number>()
  const expected = lines.map(([key, , value]) => {
    sums.set(key, (sums.get(key) ?? 0) + value)
    return `${key} ${sums.get(key)}\n`
  })

  it('save that of each interpreter, and put it back where its keys are', async () => {
    await using folder = await temporaryFolder()
    for (let start = 0; start < 4; start++) {
      // The other pool has the same places, and nothing in them.
      await using other = await openPool(test.mode)
      const { job, output } = await startJob(folder.path, totals(start % 2 === 0 ? test.pool : other))
      if (start < 3) {
        await job.checkpoint()
        await job.cancel()
        continue
      }
      await job.done
      assert.equal(await output(), expected.join(''))
    }
  })

  if (test.mode.size > 1 && test.mode.isolation !== 'shared') {
    it('refuse a pool in which the keys would be elsewhere', async () => {
      await using folder = await temporaryFolder()
      const { job } = await startJob(folder.path, totals(test.pool))
      await job.suspend()
      await job.cancel()
      await using one = await openPool({ isolation: test.mode.isolation, size: 1 })
      await assert.rejects(startJob(folder.path, totals(one)), {
        code: 'ERR_JOB_RECOVERY',
        message: /totals.*the state of 2 interpreters and this pool has 1/,
      })
    })
  }
})

describe('jobs with Python', () => {
  const open = async (size: number) => openPool({ isolation: 'shared', size })
  const numbers = (job: JobContext) => job.source('numbers', slowly(NUMBERS, 4))

  it('keep state in a module, too', async () => {
    await using folder = await temporaryFolder()
    const source = [
      'total = 0',
      'def handle(items):',
      '    global total',
      '    total += sum(items)',
      '    return [total] * len(items)',
      'def snapshot():',
      '    return total',
      'def restore(state):',
      '    global total',
      '    total = state',
    ].join('\n')
    for (let start = 0; start < 3; start++) {
      await using pool = await open(1)
      const { job, output } = await startJob(folder.path, (context: JobContext) =>
        numbers(context).pipe(mapPython({ source }, { pool, batch: 1 })),
      )
      if (start < 2) {
        await job.checkpoint()
        await job.cancel()
        continue
      }
      await job.done
      assert.equal(await output(), EXPECTED)
    }
  })

  it('migrate it', async () => {
    await using folder = await temporaryFolder()
    await using pool = await open(1)
    const pipeline = (options?: StepOptions) => (job: JobContext) =>
      numbers(job).pipe(step('tally', mapPython({ source: TALLY, function: 'Tally' }, { pool }), options))
    const first = await startJob(folder.path, pipeline())
    await first.job.suspend()
    await first.job.cancel()
    const lines = (await first.output()).split('\n').length - 1
    const calls: unknown[] = []
    const migrate = (value: unknown, from: number) => {
      calls.push([value, from])
      return { total: 1_000_000 }
    }
    const second = await startJob(folder.path, pipeline({ version: 2, migrate }))
    await second.job.done
    const total = lines === 0 ? 0 : SUMS[lines - 1]!
    assert.deepEqual(calls, [[{ total }, 1]])
    assert.equal((await second.output()).split('\n').at(-2), `${SUMS.at(-1)! - total + 1_000_000}`)
  })

  it('need a pool with one interpreter where there is state', async () => {
    await using folder = await temporaryFolder()
    await using pool = await open(2)
    const stateful = mapPython<number, number>({ source: TALLY, function: 'Tally' }, { pool })
    await assert.rejects(
      startJob(folder.path, (job: JobContext) => numbers(job).pipe(stateful)),
      {
        code: 'ERR_JOB_RECOVERY',
        message: /needs a pool with one interpreter, or keys \(mapPythonKeyed\); this pool has 2/,
      },
    )
    const plain = mapPython<number, number>({ source: 'def handle(items): return items' }, { pool })
    const { job } = await startJob(folder.path, (context: JobContext) => numbers(context).pipe(plain))
    await job.done
  })

  it('refuse scanPython, whose state nobody could save', async () => {
    await using folder = await temporaryFolder()
    await using pool = await open(1)
    const scan = scanPython('def handle(state, item): return state + item', { pool, seed: 0 })
    await assert.rejects(
      startJob(folder.path, (job: JobContext) => numbers(job).pipe(scan)),
      { code: 'ERR_OPTION', message: /not for jobs/ },
    )
  })

  for (const [name, window] of Object.entries({
    'sliding windows': sliding(60, 20),
    sessions: session(3),
    'count windows': countWindow(9, { slide: 3 }),
  })) {
    it(`go on with the accumulators of aggregates in Python: ${name}`, async () => {
      await using folder = await temporaryFolder()
      const lines = linesOf(2_500, 5)
      const pipeline =
        (aggregate: AnyAggregate<Line, number> | PythonAggregate<Line, number>, every: number) => (job: JobContext) =>
          job.source('lines', slowly(lines, every)).pipe(
            timestampBy(([, time]) => time, { disorder: 10 }),
            keyBy(([key]) => key),
            step('windows', inWindows<Line, number, string>(window, aggregate)),
            values(),
          )
      const best = max(([, , value]: Line) => value)
      const naive: AnyAggregate<Line, number> = { ...best, finish: (one) => best.finish(one)![2] }
      await using calm = await temporaryFolder()
      const undisturbed = await startJob(calm.path, pipeline(naive, 2_500))
      await undisturbed.job.done
      const expected = await undisturbed.output()
      assert.ok(expected.length > 5_000)
      for (let start = 0; ; start++) {
        await using pool = await open(2)
        const most = pythonAggregate<Line, number>({ source: AGGREGATE, function: 'Most' }, { pool })
        const { job, output } = await startJob(folder.path, pipeline(most, 15))
        if (start < 5) {
          await Promise.race([job.done, sleep(20 + 7 * start)])
          await job.cancel()
          assert.ok(expected.startsWith(await output()))
          continue
        }
        await job.done
        assert.equal(await output(), expected)
        break
      }
    })
  }

  it('migrate the accumulators of aggregates in Python', async () => {
    await using folder = await temporaryFolder()
    await using pool = await open(1)
    const most = pythonAggregate<number, number>({ source: AGGREGATE, function: 'Least' }, { pool })
    const items = NUMBERS.map((number) => Math.abs(number - 5))
    const pipeline = (every: number, options?: StepOptions) => (job: JobContext) =>
      job.source('numbers', slowly(items, every)).pipe(
        timestampBy(() => 0),
        step('least', rolling<number, number>(most), options),
        values(),
      )
    const first = await startJob(folder.path, pipeline(1))
    await first.job.suspend()
    await first.job.cancel()
    const seen = (await first.output()).split('\n').length - 1
    const migrate = (value: unknown) => (value as [number, number][]).map(([number]) => [number, -1])
    const second = await startJob(folder.path, pipeline(100, { version: 2, migrate }))
    await second.job.done
    const lines = (await second.output()).split('\n').slice(seen, -1)
    assert.ok(lines.length > 0)
    // Without an item before the checkpoint there is nothing to migrate.
    if (seen > 0) assert.deepEqual(new Set(lines), new Set(['-1']))
  })

  it('are killed at any moment, and write what an undisturbed run does, byte for byte', async function () {
    this.timeout(180_000)
    const seed = Math.floor(Math.random() * 2 ** 31)
    const report = await killRun({ python: await testPython(), seed, kills: 10, lines: 20_000 })
    assert.deepEqual(report.different, [], `seed ${seed}`)
    assert.equal(report.kills, 10)
    assert.ok(report.compared >= 3)
  })
})
