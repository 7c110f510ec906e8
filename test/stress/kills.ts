/** `npm run kills`: kills jobs at random moments, and compares what they have written with what it should be. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { packageRoot } from '../../lib/package-root'
import { testPython } from '../fixtures/python'
import { count, runMain, seedOf } from './command'
import { killRun } from './kill-run'

const HELP = `npm run kills -- [options]

  --rounds N    how many kills; default 500
  --seed N      where the data and the moments come from; default a new one, which is printed

Runs the built package where there is one (npm run build:dist), which starts in less time.
`

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '500' },
      seed: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(HELP)
    return 0
  }
  const kills = count('rounds', values.rounds)
  const seed = seedOf(values.seed)
  const built = join(packageRoot, 'dist', 'main.cjs')
  console.log(`seed ${seed}, ${existsSync(built) ? 'the built package' : 'the sources'}`)
  const report = await killRun({
    python: await testPython(),
    seed,
    kills,
    ...(existsSync(built) ? { main: built } : {}),
    onKill: (count) => {
      if (count % 50 === 0) console.log(`${count} kills`)
    },
  })
  for (const problem of report.different) console.log(problem)
  console.log(
    `${report.kills} kills, ${report.finished} jobs brought to their end, ` +
      `${report.compared} files compared, ${report.different.length} different`,
  )
  return report.different.length === 0 ? 0 : 1
}

runMain(main)
