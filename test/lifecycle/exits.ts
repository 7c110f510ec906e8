/** `npm run exits`: every way to end × every isolation × many rounds, in child processes. */
import { parseArgs } from 'node:util'
import { seeded } from '../stress/random'
import { StepRunner } from './runner'
import type { Setting } from './steps'
import { type Way, waysToEnd } from './ways'

const HELP = `npm run exits -- [options]

  --rounds N     rounds of each way in each isolation; default 100
  --only TEXT    only ways whose name holds this text, or only this isolation
  --seed N       where the pauses before each end come from; default a new one, which is printed
`
const WAYS = waysToEnd(100)
const ISOLATIONS = ['shared', 'namespace', 'process'] as const
/** Rounds at the same time. */
const AT_ONCE = 2
/** Milliseconds; what Python is in the middle of takes some 10 ms for each step. */
const LONGEST_PAUSE = 30
const FIRST_COLUMN = Math.max(...WAYS.map(({ title }) => title.length))

interface Cell {
  readonly way: Way
  readonly isolation: Setting['isolation']
  passed: number
  readonly failures: string[]
}

async function runCell(cell: Cell, rounds: number, seed: number, runner: StepRunner): Promise<void> {
  let next = 0
  const lane = async () => {
    while (next < rounds) {
      const round = next++
      const random = seeded(`${seed} ${cell.way.title} ${cell.isolation} ${round}`)
      const steps = cell.way.steps(['pause', Math.floor(random() * LONGEST_PAUSE)])
      try {
        await runner.runOnce(steps, { ...cell.way.expected, isolation: cell.isolation })
        cell.passed += 1
      } catch (error) {
        cell.failures.push(`${cell.way.title}, ${cell.isolation}, round ${round}: ${(error as Error).message}`)
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
}

function row(cells: readonly string[]): string {
  const [first, ...others] = cells
  return [first!.padEnd(FIRST_COLUMN), ...others.map((cell) => cell.padStart(11))].join('  ')
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '100' },
      only: { type: 'string', default: '' },
      seed: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(HELP)
    return 0
  }
  const rounds = Number(values.rounds)
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds: "${values.rounds}" is not a positive number`)
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
  if (!Number.isInteger(seed)) throw new Error(`--seed: "${values.seed}" is not a whole number`)
  const only = values.only
  const isolations = ISOLATIONS.filter((isolation) => isolation === only)
  const columns = isolations.length > 0 ? isolations : ISOLATIONS
  const ways = isolations.length > 0 ? WAYS : WAYS.filter(({ title }) => title.includes(only))
  if (ways.length === 0) throw new Error(`--only: no way and no isolation holds "${only}"`)

  const start = performance.now()
  console.log(`seed ${seed}, ${rounds} rounds`)
  console.log(row(['', ...columns]))
  const runner = await StepRunner.make()
  const failures: string[] = []
  let passed = 0
  try {
    for (const way of ways) {
      const cells = columns.map((isolation): Cell => ({ way, isolation, passed: 0, failures: [] }))
      for (const cell of cells) await runCell(cell, rounds, seed, runner)
      console.log(row([way.title, ...cells.map((cell) => `${cell.passed}/${rounds}`)]))
      for (const cell of cells) {
        passed += cell.passed
        failures.push(...cell.failures)
      }
    }
  } finally {
    runner.remove()
  }
  for (const failure of failures) console.log(`\n${failure}`)
  console.log(`\nseed ${seed}, ${((performance.now() - start) / 1000).toFixed(0)} s`)
  console.log(`${passed} passed, ${failures.length} failed`)
  return failures.length === 0 ? 0 : 1
}

main().then(
  (status) => {
    process.exitCode = status
  },
  (error) => {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 2
  },
)
