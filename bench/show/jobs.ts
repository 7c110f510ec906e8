/** What jobs promise: nothing lost or doubled, whatever is killed; little cost; a quick recovery. */
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { killRun } from '../../test/stress/kill-run'
import { packageFolder } from '../harness/paths'
import { median } from '../harness/stats'
import type { Probe } from './line'
import { type Sample, SIZE, SLIDE, type Streams } from './sliding'

type Jobs = typeof import('../../lib/jobs')

function load(): { jobs: Jobs; streams: Streams } {
  const require = createRequire(join(packageFolder, 'package.json'))
  return { jobs: require('rxjs-python/jobs') as Jobs, streams: require('rxjs-python/streams') as Streams }
}

async function inFolder<R>(use: (folder: string) => Promise<R>): Promise<R> {
  const folder = await mkdtemp(join(tmpdir(), 'rxjs-python-show-'))
  try {
    return await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const KILLS = 500

const killProbe: Probe = {
  lines: [
    {
      name: 'kill -9 at random moments in jobs with Python state, windows, a join, state on the disk and file sinks',
      target: `${KILLS} kills, every file as that of an undisturbed run, byte for byte`,
    },
  ],
  async run({ share, environment }) {
    const kills = Math.max(10, Math.round(KILLS * share))
    const seed = Math.floor(Math.random() * 2 ** 31)
    const main = join(packageFolder, 'dist', 'main.cjs')
    const report = await killRun({ python: environment.python, seed, kills, main })
    const { compared, different } = report
    return [
      {
        value: `${report.kills} kills, ${compared - different.length} of ${compared} files equal, seed ${seed}`,
        holds: report.kills >= kills && compared > 0 && different.length === 0,
      },
    ]
  },
}

const COST = 0.05
const KEYS = 10_000

/** Events over the keys at random, in order of time; the position is their number. */
function endless(count: number) {
  return {
    *read(position = 0): Generator<readonly [Sample, number]> {
      for (let at = position; at < count; at++) {
        const hash = Math.imul(at ^ 0x9e3779b9, 0x85ebca6b) >>> 8
        yield [{ key: hash % KEYS, time: Math.floor(at / 10), value: hash % 100 }, at + 1]
      }
    },
  }
}

interface Timed {
  milliseconds: number
  /** Of the processor, all threads together. */
  processor: number
  epochs: number
}

/** What a job with sliding windows takes for so many events. Its sink keeps nothing, so that both jobs have the same to do. */
function timedJob(events: number, every: number): Promise<Timed> {
  const { jobs, streams } = load()
  const { inWindows, keyBy, sliding, sum, timestampBy, values } = streams
  return inFolder(async (folder) => {
    let results = 0
    const processor = process.cpuUsage()
    const started = performance.now()
    const job = await jobs.runJob({
      name: 'cost',
      pipeline: (context) =>
        context.source('samples', endless(events)).pipe(
          timestampBy((sample) => sample.time),
          keyBy((sample) => sample.key),
          inWindows(
            sliding(SIZE, SLIDE),
            sum((sample) => sample.value),
          ),
          values(),
        ),
      sink: {
        open() {},
        write() {
          results++
        },
        prepare: async () => null,
        commit: async () => {},
        close() {},
      },
      checkpoint: { store: folder, every },
    })
    await job.done
    if (results === 0) throw new Error('the job gave no results')
    const milliseconds = performance.now() - started
    const { user, system } = process.cpuUsage(processor)
    return { milliseconds, processor: (user + system) / 1000, epochs: job.epoch }
  })
}

const costProbe: Probe = {
  lines: [
    {
      name: 'a checkpoint every second of sliding windows over 10,000 keys, against none but the first and the last',
      target: `at most ${COST * 100} % of throughput`,
    },
  ],
  async run({ rounds, share }) {
    // Long enough for some checkpoints.
    const events = Math.round(20_000_000 * Math.max(share, 0.25))
    const costs: number[] = []
    const processor: number[] = []
    let epochs = 0
    let rate = 0
    await timedJob(500_000, 1_000)
    for (let round = 0; round < Math.max(3, rounds); round++) {
      const run = { none: () => timedJob(events, 1_000_000), each: () => timedJob(events, 1_000) }
      // Each of the two goes first in turn: machines get slower and quicker as they work.
      const first = round % 2 === 0 ? await run.none() : await run.each()
      const second = round % 2 === 0 ? await run.each() : await run.none()
      const [none, each] = round % 2 === 0 ? [first, second] : [second, first]
      costs.push(1 - none.milliseconds / each.milliseconds)
      processor.push(1 - none.processor / each.processor)
      epochs += each.epochs - 2
      rate = (events / each.milliseconds) * 1000
    }
    const cost = median(costs)
    const [percent, ofProcessor] = [cost, median(processor)].map((part) => (part * 100).toFixed(1))
    return [
      {
        value: `${percent} % by the clock, ${ofProcessor} % of processor time, ${epochs} checkpoints, ${Math.round(rate).toLocaleString('en')} events/s`,
        holds: cost <= COST && epochs > 0,
      },
    ]
  },
}

const MILLION = 1_000_000
const RECOVERY = 10

const recoveryProbe: Probe = {
  lines: [
    { name: 'recovery of 1 million keys, from the call of runJob to a running job', target: `under ${RECOVERY} s` },
  ],
  async run() {
    const { jobs, streams } = load()
    const { count, keyBy, rolling, timestampBy, values } = streams
    return inFolder(async (folder) => {
      const results: number[] = []
      /** Each key once; from then on waits, and after a restart gives a key that was there. */
      const source = {
        async *read(position: number | undefined): AsyncGenerator<readonly [number, number]> {
          if (position === undefined) for (let key = 0; key < MILLION; key++) yield [key, key + 1] as const
          else yield [123_456, position + 1] as const
          caught()
          await new Promise(() => {})
        },
      }
      let caught = () => {}
      const start = async () => {
        const all = new Promise<void>((resolve) => {
          caught = resolve
        })
        const job = await jobs.runJob({
          name: 'recovery',
          pipeline: (context) =>
            context.source('keys', source).pipe(
              timestampBy(() => 0),
              keyBy((key) => `key ${key}`),
              rolling(count()),
              values(),
            ),
          sink: jobs.idempotentSink(async (epoch) => {
            results.push(epoch.results.at(-1) as number)
          }),
          checkpoint: { store: folder, every: 1_000_000 },
        })
        return { job, all }
      }
      const first = await start()
      await first.all
      await first.job.suspend()
      await first.job.cancel()
      const began = performance.now()
      const second = await start()
      const seconds = (performance.now() - began) / 1000
      await second.all
      await second.job.suspend()
      await second.job.cancel()
      const right = results.at(-1) === 2
      return [
        {
          value: `${seconds.toFixed(2)} s, the state of a key ${right ? 'is right' : 'is lost'}`,
          holds: seconds < RECOVERY && right,
        },
      ]
    })
  },
}

export const jobProbes: readonly Probe[] = [killProbe, costProbe, recoveryProbe]
