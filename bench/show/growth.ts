/** Lines on what does not grow: with the length of a stream, and with the number of interpreters. */
import { mean, short } from '../harness/stats'
import type { Outcome, Probe } from './line'
import type { GrowthAnswer, GrowthRequest } from './probes/growth'
import type { InterpretersAnswer, InterpretersRequest } from './probes/interpreters'
import { start } from './processes'

const SHORTEST = 10_000
const LONGEST = 100_000_000
const BATCH = 1024

/** 10 thousand to `longest` items, ten times as many each time. */
export function streamLengths(longest: number): number[] {
  const lengths = [SHORTEST]
  while (lengths.at(-1)! * 10 <= longest) lengths.push(lengths.at(-1)! * 10)
  return lengths
}

/** `rate` is how much of the best throughput of shorter streams the longest has to have, `more` what memory may gain. */
export function growthProbe(rate: number, more: number): Probe {
  return {
    lines: [
      {
        name: 'items/s through mapPython at 100 million items, against the best of shorter streams from 10 thousand on',
        target: `at least ${rate}x`,
      },
      {
        name: 'memory over a stream of 100 million items, last tenth against the second',
        target: `at most ${(more * 100).toFixed(0)} % more`,
      },
    ],
    async run({ share, items, ...context }) {
      const lengths = streamLengths(items ?? LONGEST * share)
      const request: GrowthRequest = { lengths, batch: BATCH }
      const { runs, tenthsMiB } = await start<GrowthAnswer>('growth', request, { share, ...context }, ['--expose-gc'])
      return [flatRate(runs, rate), flatMemory(tenthsMiB, lengths.at(-1)!, more)]
    },
  }
}

function flatRate(runs: GrowthAnswer['runs'], target: number): Outcome {
  const rates = runs.map(({ itemsPerSecond }) => itemsPerSecond)
  const found = rates.at(-1)! / Math.max(...rates.slice(0, -1))
  const details = runs.map(({ items, itemsPerSecond }) => `${short(items)}: ${short(itemsPerSecond)}/s`).join(', ')
  return { value: `${found.toFixed(2)}x, ${details}`, holds: found >= target }
}

function flatMemory(tenths: readonly number[], items: number, limit: number): Outcome {
  const [second, last] = [tenths[1]!, mean(tenths.slice(-2))]
  const growth = last / second - 1
  const range = `${second.toFixed(0)} to ${last.toFixed(0)} MiB, ${short(items)} items`
  return { value: `${growth >= 0 ? '+' : ''}${(growth * 100).toFixed(1)} % (${range})`, holds: growth <= limit }
}

/** Pools of 1, 2, 4 … interpreters with numpy. */
export function interpretersProbe(isolation: InterpretersRequest['isolation'], most: number): Probe {
  return {
    lines: [{ name: `1 to ${most} interpreters with numpy, ${isolation}: right answers`, target: 'from every pool' }],
    async run(context) {
      const request: InterpretersRequest = { isolation, most }
      const { pools } = await start<InterpretersAnswer>('interpreters', request, context)
      const wrong = pools.filter(({ right }) => !right).map(({ size }) => size)
      const sizes = pools.map(({ size, memoryMiB }) => `${size}: ${memoryMiB?.toFixed(0) ?? '?'} MiB`).join(', ')
      const value = wrong.length === 0 ? `from every pool (${sizes})` : `not from pools of ${wrong.join(', ')}`
      return [{ value, holds: wrong.length === 0 && pools.length > 0 }]
    },
  }
}
