/** Lines that the project's stress programs answer, and how long Python goes on after it was told to stop. */
import { median } from '../harness/stats'
import type { Outcome, Probe, ShowContext } from './line'
import type { InterruptLatencyAnswer, InterruptLatencyRequest } from './probes/interrupt-latency'
import { start } from './processes'
import { npm } from './project'

/** The last match of `pattern` in what a program printed; throws with its end where there is none. */
function found(output: string, pattern: RegExp): RegExpMatchArray {
  const match = [...output.matchAll(pattern)].at(-1)
  if (match === undefined) throw new Error(`the program printed no figures\n${output.slice(-400)}`)
  return match
}

export function crashProbe(count: number, longestMs: number): Probe {
  return {
    lines: [
      { name: `items lost or doubled over ${count.toLocaleString('en')} crashes under load`, target: 'none' },
      { name: 'longest wait of the other worker meanwhile', target: `at most ${longestMs} ms` },
    ],
    async run({ share }) {
      const crashes = Math.max(2, Math.round(count * share))
      const { output } = await npm(['run', 'crashes', '--', '--crashes', String(crashes)])
      const [, seen, wrong, wait] = found(output, /^(\d+) crashes, (\d+) discrepancies, longest wait ([\d.]+) ms$/gm)
      return [
        { value: `${wrong} over ${seen} crashes`, holds: Number(seen) >= crashes && Number(wrong) === 0 },
        { value: `${wait} ms`, holds: Number(wait) <= longestMs },
      ]
    },
  }
}

export function exitsProbe(rounds: number): Probe {
  return {
    lines: [{ name: `exits: every way, every isolation, ${rounds} rounds`, target: 'no failure' }],
    async run({ share }) {
      const asked = Math.max(1, Math.round(rounds * share))
      const { status, output } = await npm(['run', 'exits', '--', '--rounds', String(asked)])
      const [, passed, failed] = found(output, /^(\d+) passed, (\d+) failed$/gm)
      const value = `${passed} ended as they should, ${failed} did not (${asked} rounds)`
      return [{ value, holds: status === 0 && Number(failed) === 0 && Number(passed) > 0 }]
    },
  }
}

export function soakProbe(minutes: number): Probe {
  return {
    lines: [
      {
        name: `a soak of ${minutes} minutes' worth of batches`,
        target: 'every item accounted for, memory flat',
      },
    ],
    async run({ share }) {
      const seconds = Math.max(10, Math.round(minutes * 60 * share))
      const { status, output } = await npm(['run', 'soak', '--', '--duration', `${seconds}s`])
      const [line] = found(output, /^seed \d+: .*$/gm)
      return [{ value: line!, holds: status === 0 }]
    },
  }
}

/** How Python can be busy: in its own code, and in waits of the standard library. */
const BLOCKS = ['loop', 'sleep', 'recv']
const POOLS = [
  { isolation: 'shared', size: 1 },
  { isolation: 'namespace', size: 2 },
  { isolation: 'process', size: 2 },
] as const

export function interruptProbe(limitMs: number): Probe {
  return {
    lines: POOLS.map(({ isolation }) => ({
      name: `Python goes on after an abort, ${isolation}`,
      target: `at most ${limitMs} ms`,
    })),
    async run(context: ShowContext) {
      const outcomes: Outcome[] = []
      for (const pool of POOLS) {
        const request: InterruptLatencyRequest = { ...pool, blocks: BLOCKS, rounds: 4 * context.rounds }
        const answers = Object.entries(await start<InterruptLatencyAnswer>('interrupt-latency', request, context))
        const worst = Math.max(...answers.flatMap(([, times]) => times))
        const each = answers.map(([block, times]) => `${block} ${median(times).toFixed(1)} ms`).join(', ')
        outcomes.push({ value: `${worst.toFixed(1)} ms at most; median of ${each}`, holds: worst <= limitMs })
      }
      return outcomes
    },
  }
}
