import assert from 'node:assert/strict'
import { appendFile as append, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'mocha'
import type { Observable } from 'rxjs'
import { filter } from 'rxjs'
import { appendFile, fileLines, type JobContext, type StepOptions, step } from '../../../lib/jobs'
import {
  diskState,
  inWindows,
  keyBy,
  mapKeyed,
  memoryState,
  rolling,
  type StateStore,
  sum,
  timestampBy,
  tumbling,
  values,
} from '../../../lib/streams'
import { slowly, startJob } from '../../fixtures/jobs/jobs'
import { temporaryFolder } from '../../fixtures/temporary'

/** The numbers 0, 1, 2, … by whether they are odd. */
const numbersUpTo = (job: JobContext, count: number) =>
  job.source('numbers', slowly(Array.from({ length: count }, (_, at) => at))).pipe(
    timestampBy((n) => n),
    keyBy((n) => n % 2),
  )

/** Runs a job over lines `0` to `to - 1` of a file that grows from start to start, and leaves it with a checkpoint. */
async function upTo(
  folder: string,
  to: number,
  pipeline: (lines: Observable<string>) => Observable<unknown>,
  options: { dropState?: boolean; from?: string; snapshot?: string; out?: string } = {},
): Promise<string[]> {
  const { snapshot, out = 'out', ...rest } = options
  const path = join(folder, 'lines')
  const had = (await readFile(path, 'utf8').catch(() => '')).split('\n').length - 1
  for (let at = had; at < to; at++) await append(path, `${at}\n`)
  const lines = fileLines(path)
  // A file that others go on writing to has no end.
  const endless = {
    async *read(position: number | undefined) {
      yield* lines.read(position) as AsyncIterable<readonly [string, number]>
      await new Promise(() => {})
    },
  }
  const { job } = await startJob<unknown>(folder, (context) => pipeline(context.source('lines', endless)), {
    sink: appendFile(join(folder, out)),
    checkpoint: { store: folder, every: 60_000 },
    ...rest,
  })
  for (let looks = 0; looks < 20; looks++) await new Promise((resolve) => setTimeout(resolve, 2))
  await job.checkpoint()
  if (snapshot !== undefined) await job.snapshot(snapshot)
  await job.cancel()
  return (await readFile(join(folder, out), 'utf8').catch(() => '')).split('\n').slice(0, -1)
}

const timed = (lines: Observable<string>) =>
  lines.pipe(
    timestampBy((line) => Number(line)),
    keyBy((line) => (Number(line) % 2 === 0 ? 'even' : 'odd')),
  )

const counter = (options?: StepOptions) => (lines: Observable<string>) =>
  timed(lines).pipe(
    step(
      'counter',
      mapKeyed((line: string, state, key: string) => {
        const seen = ((state.get() as number | undefined) ?? 0) + 1
        state.set(seen)
        return `${key} ${line} ${seen}`
      }),
      options,
    ),
    values(),
  )

describe('a job whose code changes', () => {
  it('keeps the state of named steps, wherever they are in the pipeline', async () => {
    await using folder = await temporaryFolder()
    assert.deepEqual(await upTo(folder.path, 3, counter()), ['even 0 1', 'odd 1 1', 'even 2 2'])
    const changed = (lines: Observable<string>) =>
      timed(lines.pipe(filter((line) => line !== '4'))).pipe(
        rolling(sum((line) => Number(line))),
        step(
          'counter',
          mapKeyed((total: number, state, key: string) => {
            const seen = (state.get() as number) + 1
            state.set(seen)
            return `${key} ${total} ${seen}`
          }),
        ),
        values(),
      )
    assert.deepEqual((await upTo(folder.path, 6, changed)).slice(3), ['odd 3 2', 'odd 8 3'])
  })

  it('moves state from one store to another: memory, disk, one of the user’s', async () => {
    await using folder = await temporaryFolder()
    const own = () => {
      const map = new Map<string, number>()
      return {
        get: (key: string) => map.get(key),
        set: (key: string, value: number) => void map.set(key, value),
        delete: (key: string) => map.delete(key),
        entries: () => map.entries(),
        clear: () => map.clear(),
        get size() {
          return map.size
        },
      }
    }
    const disk = () => diskState<string, number>({ memory: 2 })
    const memory = () => memoryState<string, number>()
    const pipeline = (store: () => StateStore<string, number>) => (lines: Observable<string>) =>
      lines.pipe(
        timestampBy((line) => Number(line)),
        keyBy((line) => `key ${Number(line) % 5}`),
        step(
          'sums',
          mapKeyed<string, number, number, string>(
            (line, state) => {
              const value = (state.get() ?? 0) + Number(line)
              state.set(value)
              return value
            },
            { store },
          ),
        ),
        values(),
      )
    let had = 0
    let lines: string[] = []
    for (const store of [memory, disk, disk, memory, own, disk, own, memory]) {
      had += 7
      lines = await upTo(folder.path, had, pipeline(store))
    }
    const sums = [0, 0, 0, 0, 0]
    const expected = Array.from({ length: had }, (_, n) => {
      sums[n % 5]! += n
      return `${sums[n % 5]}`
    })
    assert.deepEqual(lines, expected)
  })

  it('keeps the order of state that evicts as it moves', async () => {
    await using folder = await temporaryFolder()
    const limits = { maxKeys: 3, overflow: 'evict' } as const
    const disk = () => diskState<string, number>({ memory: 1, ...limits })
    const memory = () => memoryState<string, number>(limits)
    const pipeline = (store: () => StateStore<string, number>) => (lines: Observable<string>) =>
      lines.pipe(
        timestampBy((line) => Number(line)),
        keyBy((line) => 'bcadbaacdbbadc'[Number(line) % 14]!),
        step(
          'seen',
          mapKeyed<string, string, number, string>(
            (_, state, key) => {
              state.set((state.get() ?? 0) + 1)
              return `${key} ${state.get()}`
            },
            { store },
          ),
        ),
        values(),
      )
    let lines: string[] = []
    for (const [at, store] of [memory, disk, memory, disk, disk, memory].entries()) {
      lines = await upTo(folder.path, 5 * (at + 1), pipeline(store))
    }
    await using calm = await temporaryFolder()
    assert.deepEqual(lines, await upTo(calm.path, 30, pipeline(memory)))
  })

  it('refuses to lose state that it was not told to drop', async () => {
    await using folder = await temporaryFolder()
    await upTo(folder.path, 3, counter())
    const without = (lines: Observable<string>) => timed(lines).pipe(values())
    await assert.rejects(upTo(folder.path, 4, without), {
      code: 'ERR_JOB_RECOVERY',
      message: /has state of counter\/mapKeyed, which the pipeline does not have/,
    })
    assert.deepEqual((await upTo(folder.path, 5, without, { dropState: true })).slice(3), ['3', '4'])
    // It is gone for good.
    assert.deepEqual((await upTo(folder.path, 6, counter())).slice(5), ['odd 5 1'])
  })

  it('migrates state whose shape has changed, once', async () => {
    await using folder = await temporaryFolder()
    await upTo(folder.path, 3, counter())
    const calls: unknown[] = []
    const next = (lines: Observable<string>) =>
      timed(lines).pipe(
        step(
          'counter',
          mapKeyed((line: string, state, key: string) => {
            const { seen } = state.get() as { seen: number }
            state.set({ seen: seen + 1 })
            return `${key} ${line} ${seen + 1}`
          }),
          {
            version: 2,
            migrate(value, from, key) {
              calls.push([value, from, key])
              return { seen: value }
            },
          },
        ),
        values(),
      )
    assert.deepEqual((await upTo(folder.path, 5, next)).slice(3), ['odd 3 2', 'even 4 3'])
    assert.deepEqual((await upTo(folder.path, 7, next)).slice(5), ['odd 5 3', 'even 6 4'])
    assert.deepEqual(calls, [
      [2, 1, 'even'],
      [1, 1, 'odd'],
    ])
    await assert.rejects(upTo(folder.path, 8, counter()), {
      code: 'ERR_JOB_RECOVERY',
      message: /counter\/mapKeyed has version 2, the pipeline 1, which is newer/,
    })
    await assert.rejects(upTo(folder.path, 8, counter({ version: 3 })), {
      code: 'ERR_JOB_RECOVERY',
      message: /and there is no 'migrate'/,
    })
  })

  it('migrates the accumulators of open windows', async () => {
    await using folder = await temporaryFolder()
    const windows = (scale: number, options?: StepOptions) => (lines: Observable<string>) =>
      timed(lines).pipe(
        step(
          'sums',
          inWindows(
            tumbling(10),
            sum((line: string) => Number(line) * scale),
          ),
          options,
        ),
        values(),
      )
    assert.deepEqual(await upTo(folder.path, 5, windows(1)), [])
    const next = windows(100, { version: 2, migrate: (total) => (total as number) * 100 })
    const results = (await upTo(folder.path, 11, next)).map((line) => JSON.parse(line))
    assert.deepEqual(
      results.map(({ key, value }) => [key, value]),
      [
        ['even', 2_000],
        ['odd', 2_500],
      ],
    )
  })
})

describe('a job’s snapshots', () => {
  it('are what a start, and every later one with the same name, goes on from', async () => {
    await using folder = await temporaryFolder()
    await upTo(folder.path, 3, counter(), { snapshot: 'three' })
    assert.deepEqual((await upTo(folder.path, 5, counter())).slice(3), ['odd 3 2', 'even 4 3'])
    const other = (lines: Observable<string>) => counter()(lines.pipe(filter((line) => line !== '3')))
    // What came after the snapshot is taken back, and comes again in the other way.
    const expected = ['even 0 1', 'odd 1 1', 'even 2 2', 'even 4 3']
    assert.deepEqual(await upTo(folder.path, 5, other, { from: 'three' }), expected)
    expected.push('odd 5 2')
    assert.deepEqual(await upTo(folder.path, 6, other, { from: 'three' }), expected)
  })

  it('start another file at its beginning', async () => {
    await using folder = await temporaryFolder()
    await upTo(folder.path, 3, counter(), { snapshot: 'three' })
    assert.deepEqual(await upTo(folder.path, 5, counter(), { from: 'three', out: 'other' }), ['odd 3 2', 'even 4 3'])
  })

  it('are listed, replaced, gone back to while the job runs, and dropped', async () => {
    await using folder = await temporaryFolder()
    const pipeline = (job: JobContext) => numbersUpTo(job, 5_000).pipe(rolling(sum()), values())
    const { job, output } = await startJob(folder.path, pipeline)
    await job.snapshot('b')
    await job.snapshot('a')
    await job.snapshot('a')
    assert.deepEqual(await job.snapshots(), ['a', 'b'])
    await assert.rejects(job.restart({ snapshot: 'c' }), {
      code: 'ERR_JOB_RECOVERY',
      message: "job 'job' has no snapshot 'c': there are a, b",
    })
    await job.restart({ snapshot: 'b' })
    assert.equal(await job.dropSnapshot('a'), true)
    assert.equal(await job.dropSnapshot('a'), false)
    await job.done
    const sums = [0, 0]
    const expected = Array.from({ length: 5_000 }, (_, n) => {
      sums[n % 2]! += n
      return `${sums[n % 2]}\n`
    })
    assert.equal(await output(), expected.join(''))
  })

  it('that are not there are an error', async () => {
    await using folder = await temporaryFolder()
    await writeFile(join(folder.path, 'lines'), '')
    await assert.rejects(upTo(folder.path, 1, counter(), { from: 'nothing' }), {
      code: 'ERR_JOB_RECOVERY',
      message: "job 'job' has no snapshot 'nothing': there are none",
    })
  })
})
