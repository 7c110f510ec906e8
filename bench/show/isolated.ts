/** Ratios of throughputs between isolations, measured turn by turn in processes of their own. */
import { forest } from '../cases/forest'
import { mean, median, short } from '../harness/stats'
import type { Measurement } from '../harness/types'
import { freeThreadedEnvironment, HOW_TO_GET_ONE } from './free-threaded'
import { atLeast, atMost, type Outcome, type Probe, type ShowContext } from './line'
import type { CostAnswer, CostRequest } from './probes/cost'
import type { IsolatedRequest } from './probes/isolated'
import { start } from './processes'

type Mode = IsolatedRequest['isolation']
type Setting = Omit<IsolatedRequest, 'seconds' | 'env'> & { readonly python?: string }

/** Batches of one size that are small enough for a stream of single events, and large enough for a model. */
const SMALL_BATCH = 16

/** Items per second of each setting, round by round; the settings take turns, so that a slow minute falls on all. */
async function measureInTurn(context: ShowContext, settings: readonly Setting[]): Promise<number[][]> {
  const python = settings[0]!.python ?? context.environment.python
  const env = settings.some((one) => one.case === 'forest') ? await forest.prepare(python, context.data) : {}
  const rounds: number[][] = settings.map(() => [])
  const digests = new Set<string>()
  for (let round = 0; round < context.rounds; round += 1) {
    for (const [index, setting] of settings.entries()) {
      const request: IsolatedRequest = { ...setting, seconds: context.seconds, env }
      const { itemsPerSecond, digest } = await start<Measurement>('isolated', request, context)
      rounds[index]!.push(itemsPerSecond)
      digests.add(digest!)
    }
  }
  if (digests.size > 1) throw new Error('the isolations do not give the same results')
  return rounds
}

function perSecond(rounds: readonly number[]): string {
  return `${short(median(rounds))}/s`
}

function twoAgainstOne(target: number, [one, two, plainOne, plainTwo]: readonly number[][]): Outcome {
  const plain =
    plainOne === undefined ? '' : `; two plain Pythons ${(median(plainTwo!) / median(plainOne)).toFixed(2)}x`
  return atLeast(median(two!) / median(one!), target, `${perSecond(two!)} against ${perSecond(one!)}${plain}`)
}

/** Two interpreters against one of the same isolation, in pure Python and in a model. */
export function parallelProbe(mode: Mode, target: number): Probe {
  const works = ['pure', 'forest'] as const
  return {
    lines: [
      { name: `pure Python on two interpreters against one, ${mode}`, target: `at least ${target}x` },
      {
        name: `RandomForest at batch ${SMALL_BATCH} on two interpreters against one, ${mode}`,
        target: `at least ${target}x`,
      },
    ],
    async run(context) {
      const outcomes: Outcome[] = []
      for (const work of works) {
        const setting = { case: work, isolation: mode, batch: SMALL_BATCH, inFlight: 8 }
        const settings = ([mode, 'none'] as const).flatMap((isolation) =>
          [1, 2].map((interpreters) => ({ ...setting, isolation, interpreters })),
        )
        outcomes.push(twoAgainstOne(target, await measureInTurn(context, settings)))
      }
      return outcomes
    },
  }
}

/** The same on a CPython without a GIL, where all threads share one interpreter. */
export function freeThreadedProbe(target: number): Probe {
  return {
    lines: (['pure Python', `RandomForest at batch ${SMALL_BATCH}`] as const).map((work) => ({
      name: `${work} on two threads against one, shared, free-threaded`,
      target: `at least ${target}x`,
    })),
    async run(context) {
      const python = await freeThreadedEnvironment()
      if (python === undefined) return [0, 1].map(() => ({ value: HOW_TO_GET_ONE, holds: false }))
      const outcomes: Outcome[] = []
      for (const work of ['pure', 'forest'] as const) {
        const setting = { case: work, isolation: 'shared', batch: SMALL_BATCH, inFlight: 8, python } as const
        const settings = [1, 2].map((interpreters) => ({ ...setting, interpreters }))
        outcomes.push(twoAgainstOne(target, await measureInTurn(context, settings)))
      }
      return outcomes
    },
  }
}

/** One call after the other: what a worker process adds to the way there and back. */
export function hopProbe(target: number): Probe {
  return {
    lines: [{ name: 'one hop at batch 1, process against in-process', target: `at most ${target}x` }],
    async run(context) {
      const setting = { case: 'identity', interpreters: 1, batch: 1, inFlight: 1 } as const
      const modes = ['shared', 'namespace', 'process'] as const
      const settings = modes.map((isolation) => ({ ...setting, isolation }))
      const [shared, namespace, process] = (await measureInTurn(context, settings)).map(
        (rounds) => 1e6 / median(rounds),
      )
      const details = `${process!.toFixed(1)} µs against ${shared!.toFixed(1)} µs shared, ${namespace!.toFixed(1)} µs namespace`
      return [atMost(process! / shared!, target, details)]
    },
  }
}

/** Throughput of an empty handler, one interpreter each. */
export function throughputProbe(batch: number, target: number): Probe {
  return {
    lines: [{ name: `throughput at batch ${batch}, process against in-process`, target: `at least ${target}x` }],
    async run(context) {
      const setting = { case: 'identity', interpreters: 1, batch, inFlight: 8 } as const
      const settings = (['shared', 'process'] as const).map((isolation) => ({ ...setting, isolation }))
      const [shared, process] = await measureInTurn(context, settings)
      const details = `${perSecond(process!)} against ${perSecond(shared!)}`
      return [atLeast(median(process!) / median(shared!), target, details)]
    },
  }
}

/** What a further interpreter takes; docs/isolation.md has these figures. */
export function costProbe(isolation: CostRequest['isolation'], startMs: number, memoryMiB: number): Probe {
  return {
    lines: [
      { name: `start of a further interpreter, ${isolation}`, target: `at most ${startMs} ms` },
      { name: `memory of a further interpreter with numpy, ${isolation}`, target: `at most ${memoryMiB} MiB` },
    ],
    async run(context) {
      const answers: CostAnswer[] = []
      for (let round = 0; round < Math.min(context.rounds, 3); round += 1) {
        answers.push(await start<CostAnswer>('cost', { isolation } satisfies CostRequest, context))
      }
      const of = (key: keyof CostAnswer) => median(answers.map((answer) => answer[key]))
      const [first, further, bare] = [of('firstMs'), of('furtherMs'), of('bareMiB')]
      const numpy = mean(answers.map(({ numpyMiB }) => numpyMiB))
      return [
        {
          value: `${further.toFixed(1)} ms, the first one in a process ${first.toFixed(0)} ms`,
          holds: further <= startMs,
        },
        { value: `${numpy.toFixed(1)} MiB, ${bare.toFixed(1)} MiB without numpy`, holds: numpy <= memoryMiB },
      ]
    },
  }
}
