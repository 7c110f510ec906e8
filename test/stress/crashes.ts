/** `npm run crashes`: induces crashes of worker processes under a running stream, and accounts for every item. */
import { parseArgs } from 'node:util'
import { testPython } from '../fixtures/python'
import { count, runMain, seedOf } from './command'
import { crashRun } from './crash-run'

const HELP = `npm run crashes -- [options]

  --crashes N   how many, half of them with onCrash 'fail' and half with 'retry'; default 1000
  --seed N      where items, their deeds and the kills come from; default a new one, which is printed
`
/** The most that a worker may wait between two results, in milliseconds, while items wait for it. */
const LONGEST_WAIT = 200

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      crashes: { type: 'string', default: '1000' },
      seed: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(HELP)
    return 0
  }
  const crashes = count('crashes', values.crashes, 2)
  const seed = seedOf(values.seed)
  const python = await testPython()
  console.log(`seed ${seed}`)
  let total = 0
  let longest = 0
  const problems: string[] = []
  for (const onCrash of ['fail', 'retry'] as const) {
    const report = await crashRun({ python, seed, crashes: Math.ceil(crashes / 2), onCrash })
    console.log(
      `onCrash '${onCrash}': ${report.crashes} crashes, ${report.kills} of them kills from outside; ${report.items} items, ` +
        `${report.delivered} delivered, ${report.reported} reported as failed; ` +
        `a worker waited at most ${report.longestWaitMs.toFixed(1)} ms`,
    )
    total += report.crashes
    longest = Math.max(longest, report.longestWaitMs)
    problems.push(...report.problems)
  }
  for (const problem of problems.slice(0, 20)) console.log(problem)
  console.log(`${total} crashes, ${problems.length} discrepancies, longest wait ${longest.toFixed(1)} ms`)
  return problems.length === 0 && longest <= LONGEST_WAIT ? 0 : 1
}

runMain(main)
