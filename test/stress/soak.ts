/** `npm run soak`: an hour's worth of batches, condensed, with all that can go wrong at once. */
import { parseArgs } from 'node:util'
import { testPython } from '../fixtures/python'
import { runMain, seedOf } from './command'
import { growth, largest } from './memory-log'
import { soakRun } from './soak-run'

const HELP = `npm run soak -- [options]

  --duration T   how long the batches would take at 100 a second: 90s, 60m, 1h; default 60m. They go as fast as they can
  --seed N       where all that happens comes from; default a new one, which is printed
  --mode MODE    shared, namespace or process; default all of them at once
`
/** Batches for each second of the duration. */
const RATE = 100
const MODES = ['shared', 'namespace', 'process'] as const
/** Batches below which memory is not judged. */
const JUDGED_FROM = 300_000
const UNITS: Record<string, number> = { s: 1, m: 60, h: 3600 }

function seconds(text: string): number {
  const [, number, unit] = /^(\d+)([smh])$/.exec(text) ?? []
  if (number === undefined) throw new Error(`--duration: "${text}" is no time such as 90s, 60m or 1h`)
  return Number(number) * UNITS[unit!]!
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      duration: { type: 'string', default: '60m' },
      seed: { type: 'string' },
      mode: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(HELP)
    return 0
  }
  const batches = seconds(values.duration) * RATE
  const seed = seedOf(values.seed)
  const modes = MODES.filter((mode) => values.mode === undefined || mode === values.mode)
  if (modes.length === 0) throw new Error(`--mode: "${values.mode}" is none of ${MODES.join(', ')}`)

  console.log(`seed ${seed}, ${batches.toLocaleString('en')} batches, ${modes.join(', ')}`)
  const start = performance.now()
  let samples = 0
  const report = await soakRun({
    python: await testPython(),
    seed,
    batches,
    modes,
    progress: (tally, { own, worker, copies, heap }) => {
      if (++samples % 10 !== 0) return
      const at = `${((performance.now() - start) / 1000).toFixed(0)} s`
      const pythons = `${copies} ${copies === 1 ? 'Python' : 'Pythons'}`
      const here = `${own.toFixed(0)} MiB, of them JavaScript ${heap.toFixed(0)} MiB, with ${pythons}`
      const memory = `${here}${worker > 0 ? `, a worker ${worker.toFixed(0)} MiB` : ''}`
      console.log(
        `${at}: ${tally.batches.toLocaleString('en')} batches, ${tally.problems.length} discrepancies, ${memory}`,
      )
    },
  })

  const { tally, pools } = report
  const memory = {
    'this process': growth(report.memory.map(({ own }) => own)),
    'the largest worker process': growth(
      report.memory.map(({ worker }) => worker),
      largest,
    ),
  }
  for (const [mode, totals] of Object.entries(pools)) console.log(`${mode}: ${JSON.stringify(totals)}`)
  const codes = [...tally.failures].map(([code, count]) => `${code} ${count}`)
  console.log(`${tally.streams} streams, ${tally.calls} calls; failures: ${codes.join(', ')}`)
  console.log(`items: ${tally.delivered} delivered, ${tally.reported} reported as failed, ${tally.cutOff} cut off`)
  const judged = batches >= JUDGED_FROM
  let isFlat = true
  for (const [who, { before, after, share, flat }] of Object.entries(memory)) {
    console.log(`memory of ${who}: ${before.toFixed(1)} to ${after.toFixed(1)} MiB, ${(share * 100).toFixed(1)} %`)
    if (!flat) isFlat = false
  }
  if (!judged) console.log(`memory is judged from ${JUDGED_FROM.toLocaleString('en')} batches on`)
  for (const problem of tally.problems.slice(0, 20)) console.log(problem)
  const spent = ((performance.now() - start) / 1000).toFixed(0)
  const word = judged ? (isFlat ? 'memory flat' : 'memory not flat') : 'memory not judged'
  console.log(`seed ${seed}: ${tally.batches} batches in ${spent} s, ${tally.problems.length} discrepancies, ${word}`)
  return tally.problems.length === 0 && (isFlat || !judged) ? 0 : 1
}

runMain(main)
