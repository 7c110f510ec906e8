/** Probes that are a program of their own in `probes/`, run in a fresh process. */
import { join } from 'node:path'
import { launch } from '../harness/launch'
import { mean, median } from '../harness/stats'
import { atMost, type Outcome, type Probe, type ShowContext } from './line'
import type { ArrayHopAnswer } from './probes/array-hop'
import type { EventLoopAnswer, EventLoopRequest } from './probes/event-loop'
import type { MemoryAnswer, MemoryRequest } from './probes/memory'

const LIMIT_S = 900

/** Runs `probes/NAME.ts`; the Python is that of the context, unless the request names another. */
export function start<T>(name: string, request: object, context: ShowContext, nodeOptions: string[] = []): Promise<T> {
  const argument = { python: context.environment.python, ...request }
  return launch<T>(join(__dirname, 'probes', `${name}.ts`), argument, { nodeOptions, limit: LIMIT_S })
}

/** The worst delay of a 1 ms timer while every interpreter holds its GIL for a second. */
export function eventLoopProbe(limitMs: number): Probe {
  const target = `under ${limitMs} ms`
  return {
    lines: [
      { name: 'worst timer delay while every interpreter holds its GIL for 1 s', target },
      { name: 'worst timer delay while further calls are made', target },
    ],
    async run(context) {
      const pools = [
        { isolation: 'shared', size: 1 },
        { isolation: 'namespace', size: 2 },
      ] as const
      const answers: EventLoopAnswer[][] = pools.map(() => [])
      for (let round = 0; round < Math.min(context.rounds, 3); round += 1) {
        for (const [index, pool] of pools.entries()) {
          const request: EventLoopRequest = pool
          answers[index]!.push(await start<EventLoopAnswer>('event-loop', request, context))
        }
      }
      return [outcome(answers, 'heldMs', limitMs), outcome(answers, 'callingMs', limitMs)]
    },
  }
}

/**
 * A call that blocks the event loop does so in every round, while a hiccup of the machine comes once: the median of the
 * rounds decides, of the pool that does worse.
 */
function outcome(answers: readonly EventLoopAnswer[][], key: keyof EventLoopAnswer, limitMs: number): Outcome {
  const delay = Math.max(...answers.map((rounds) => median(rounds.map((answer) => answer[key]))))
  const all = answers.flat()
  const worst = Math.max(...all.map((answer) => answer[key]))
  const idle = Math.max(...all.map((answer) => answer.idleMs))
  const details = `worst round ${worst.toFixed(1)} ms, with nothing to do ${idle.toFixed(1)} ms`
  return { value: `${delay.toFixed(1)} ms (${details})`, holds: delay < limitMs }
}

/** What a hop of 64 MiB costs against one of 1 KiB, and whether both sides see the same memory. */
export function arrayHopProbe(limit: number): Probe {
  const target = `at most ${limit}x`
  const ways = [
    ['allocated', 'array of 64 MiB in, allocated by the pool, against 1 KiB'],
    ['shared', 'array of 64 MiB in, SharedArrayBuffer, against 1 KiB'],
    ['transferred', 'array of 64 MiB in, transferred, against 1 KiB'],
    ['returned', 'numpy array of 64 MiB out, against 1 KiB'],
  ] as const
  return {
    lines: [
      ...ways.map(([, name]) => ({ name, target })),
      { name: 'a write on one side shows on the other', target: 'in all 4 ways' },
    ],
    async run(context) {
      const answers: ArrayHopAnswer[] = []
      for (let round = 0; round < Math.min(context.rounds, 3); round += 1) {
        answers.push(await start<ArrayHopAnswer>('array-hop', {}, context, ['--expose-gc']))
      }
      const hops = ways.map(([way]) => {
        const large = median(answers.map((answer) => answer.hops[way].largeUs))
        const small = median(answers.map((answer) => answer.hops[way].smallUs))
        return atMost(large / small, limit, `${large.toFixed(1)} µs against ${small.toFixed(1)} µs`)
      })
      const blind = ways.map(([way]) => way).filter((way) => !answers.every((answer) => answer.seen[way]))
      const value = blind.length === 0 ? 'in all 4 ways' : `not when ${blind.join(', ')}`
      return [...hops, { value, holds: blind.length === 0 }]
    },
  }
}

/** Resident memory over many rounds of the same work: the last tenth against the second. */
export function memoryProbe(name: string, work: MemoryRequest['work'], count: number, limit: number): Probe {
  return {
    lines: [{ name, target: `at most ${(limit * 100).toFixed(0)} % more in the last tenth than in the second` }],
    async run(context) {
      const request = { work, count: Math.round(count * context.share) }
      const { samples } = await start<MemoryAnswer>('memory', request, context, ['--expose-gc'])
      const tenth = samples.length / 10
      const early = mean(samples.slice(tenth, 2 * tenth))
      const late = mean(samples.slice(9 * tenth))
      const growth = late / early - 1
      const range = `${(early / 2 ** 20).toFixed(1)} to ${(late / 2 ** 20).toFixed(1)} MiB`
      const percent = `${growth >= 0 ? '+' : ''}${(growth * 100).toFixed(2)} %`
      return [{ value: `${percent} (${range}, ${request.count.toLocaleString('en')} rounds)`, holds: growth <= limit }]
    },
  }
}
