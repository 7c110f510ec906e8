/** What the stream operators promise. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { from, lastValueFrom, map, tap } from 'rxjs'
import type { Rolled } from '../../lib/streams'
import { comparePipeline, pipelineCase } from '../../test/fixtures/streams/pipelines'
import { packageFolder } from '../harness/paths'
import { median } from '../harness/stats'
import { jobProbes } from './jobs'
import type { Probe, Report } from './line'
import { atMost } from './line'
import { byHand, byOperators, type Sample, type Streams, samples } from './sliding'

/** The operators as users get them. */
function loadStreams(): Streams {
  return createRequire(join(packageFolder, 'package.json'))('rxjs-python/streams') as Streams
}

function loadBatch(): typeof import('../../lib/batch') {
  return createRequire(join(packageFolder, 'package.json'))('rxjs-python/batch')
}

const PIPELINES = 10_000

const differentialProbe: Probe = {
  lines: [
    {
      name: `windowed pipelines over random, disordered, duplicated streams, against the reference`,
      target: `${PIPELINES.toLocaleString('en')} equal, none different`,
    },
  ],
  async run({ share }) {
    const runs = Math.max(100, Math.round(PIPELINES * share))
    const details = fc.check(fc.property(pipelineCase, comparePipeline), { numRuns: runs })
    const equal = details.failed ? details.numRuns - 1 : details.numRuns
    const problem = details.failed ? `, then different: ${fc.defaultReportMessage(details)}` : ''
    return [
      {
        value: `${equal} equal, ${details.failed ? 'one or more' : 'none'} different, seed ${details.seed}${problem}`,
        holds: !details.failed,
      },
    ]
  },
}

const EVENTS = 1_000_000
const KEYS = 10_000
const TIMES = 2

/** Processor time of this process, which other processes on the machine disturb less than time by the clock. */
function timed<T>(run: () => T): { result: T; milliseconds: number } {
  const before = process.cpuUsage()
  const result = run()
  const { user, system } = process.cpuUsage(before)
  return { result, milliseconds: (user + system) / 1000 }
}

const slidingProbe: Probe = {
  lines: [
    {
      name: 'sliding sums of 10 slices, 1 million events, 10,000 keys, against a loop written by hand',
      target: `at most ${TIMES}x its time`,
    },
  ],
  async run({ rounds, share }) {
    const streams = loadStreams()
    const input: Sample[] = samples(Math.round(EVENTS * Math.max(share, 0.1)), KEYS)
    const times = { operators: [] as number[], hand: [] as number[] }
    // One round more than counted: the first one compiles.
    for (let round = 0; round <= Math.max(3, rounds); round++) {
      const hand = timed(() => byHand(input))
      const operators = timed(() => byOperators(streams, input))
      if (JSON.stringify(hand.result) !== JSON.stringify(operators.result)) {
        throw new Error(`the results differ: ${JSON.stringify([hand.result, operators.result])}`)
      }
      if (round === 0) continue
      times.hand.push(hand.milliseconds)
      times.operators.push(operators.milliseconds)
    }
    const [ours, hand] = [median(times.operators), median(times.hand)]
    const rate = Math.round((input.length / ours) * 1000).toLocaleString('en')
    return [atMost(ours / hand, TIMES, `${ours.toFixed(0)} ms against ${hand.toFixed(0)} ms, ${rate} events/s`)]
  },
}

const memoryProbe: Probe = {
  lines: [
    { name: 'memory of a key with 10 slices in a sliding sum', target: 'at most 1,000 bytes, none left at the end' },
  ],
  async run() {
    const { inWindows, keyBy, sliding, sum, timestampBy, values } = loadStreams()
    const collect = (globalThis as { gc?: () => void }).gc ?? exposedGc()
    const used = () => {
      collect()
      return process.memoryUsage().heapUsed
    }
    const keys = 100_000
    let inside = 0
    const before = used()
    function* items() {
      for (let time = 0; time < 10; time++)
        for (let key = 0; key < keys; key++) yield { key, time: time * 10, value: 1 }
      inside = used()
    }
    from(items())
      .pipe(
        timestampBy((item) => item.time),
        keyBy((item) => item.key),
        inWindows(
          sliding(100, 10),
          sum((item) => item.value),
        ),
        values(),
      )
      .subscribe()
    const perKey = (inside - before) / keys
    const left = Math.max(0, used() - before) / keys
    return [{ value: `${perKey.toFixed(0)} bytes, ${left.toFixed(1)} left`, holds: perKey <= 1000 && left < 5 }]
  },
}

function exposedGc(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}

const WORDS =
  'the quick brown fox jumps over the lazy dog while a small bird sings in the old green tree by the river'.split(' ')

const WORDS_IN_LINE = 8

/** Lines of words, some of them far more frequent than others. */
function* texts(lines: number): Generator<string> {
  let seed = 7
  const word = () => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
    return WORDS[Math.floor(((seed >>> 8) / 2 ** 24) ** 2 * WORDS.length)]!
  }
  for (let line = 0; line < lines; line++) yield Array.from({ length: WORDS_IN_LINE }, word).join(' ')
}

const wordCountProbe: Probe = {
  lines: [{ name: 'word count over a text file, its top 10 asked for while it runs', target: 'every answer right' }],
  async run({ share }) {
    const { count, keyBy, memoryState, rolling, timestampBy } = loadStreams()
    const { fromFiles } = loadBatch()
    const lines = Math.max(2_000, Math.round(50_000 * share))
    const store = memoryState<string, Rolled>()
    const counted = new Map<string, number>()
    const top = (entries: Iterable<readonly [string, number]>) =>
      [...entries].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 10)
    let asked = 0
    let right = 0
    let words = 0
    const folder = await mkdtemp(join(tmpdir(), 'rxjs-python-words-'))
    const file = join(folder, 'words.txt')
    await writeFile(file, [...texts(lines)].join('\n'))
    const started = performance.now()
    await lastValueFrom(
      fromFiles(file, { partitionBytes: 256 << 10 })
        .flatMap((text) => text.split(' '))
        .toStream()
        .pipe(
          tap((word) => counted.set(word, (counted.get(word) ?? 0) + 1)),
          map((word, index) => ({ word, index })),
          timestampBy((one) => one.index),
          keyBy((one) => one.word),
          rolling(count(), { store: () => store }),
          tap((event) => {
            if (event.kind !== 'item' || ++words % 10_000 !== 0) return
            asked++
            const found = [...store.entries()].map(([word, { accumulator }]) => [word, accumulator as number] as const)
            if (isDeepStrictEqual(top(found), top(counted))) right++
          }),
        ),
    ).finally(() => rm(folder, { recursive: true }))
    const seconds = (performance.now() - started) / 1000
    const rate = Math.round(words / seconds).toLocaleString('en')
    const whole = words === lines * WORDS_IN_LINE
    return [{ value: `${right} of ${asked}, ${rate} words/s`, holds: asked > 0 && right === asked && whole }]
  },
}

export const streams: Report = {
  name: 'streams',
  probes: [differentialProbe, slidingProbe, memoryProbe, wordCountProbe, ...jobProbes],
}
