/** What `batch: 'auto'` promises. */
import { median, short } from '../harness/stats'
import { atLeast, type Outcome, type Probe } from './line'
import type { AutoBatchAnswer, AutoBatchRequest } from './probes/auto-batch'
import { start } from './processes'

const SIZES = [64, 256, 1024, 4096, 16384]
const MODULES = ['identity', 'model']
const WORK = ['identity strings', 'a model of 1 ms a batch and 5 µs an item']
const LOADS = [10, 1000]

/** Throughput against the best fixed size, and the time of an item at several loads against the one asked for. */
export function autoBatchProbe(share: number, maxLatency: number): Probe {
  const held = `99 of 100 within ${maxLatency} ms`
  return {
    lines: [
      ...WORK.map((work) => ({
        name: `batch 'auto' at saturation, ${work}`,
        target: `at least ${share}x the best fixed size`,
      })),
      ...LOADS.map((load) => ({
        name: `batch 'auto', maxLatency ${maxLatency}, ${load} items a second`,
        target: held,
      })),
      { name: `batch 'auto', maxLatency ${maxLatency}, at saturation`, target: held },
    ],
    async run(context) {
      const rounds = Math.min(context.rounds, 3)
      const request: AutoBatchRequest = {
        modules: MODULES,
        sizes: SIZES,
        rounds,
        seconds: context.seconds,
        maxLatency,
        loads: LOADS,
      }
      const { rates, p99 } = await start<AutoBatchAnswer>('auto-batch', request, context)
      const times = p99.map((time): Outcome => ({ value: `${time.toFixed(1)} ms`, holds: time <= maxLatency }))
      return [...rates.map((one) => against(one, share)), ...times]
    },
  }
}

function against({ fixed, auto }: AutoBatchAnswer['rates'][number], share: number): Outcome {
  const medians = fixed.map((rounds) => median([...rounds]))
  const best = Math.max(...medians)
  const size = SIZES[medians.indexOf(best)]!
  const mine = median([...auto])
  return atLeast(mine / best, share, `${short(mine)}/s against ${short(best)}/s with ${size} items`)
}
