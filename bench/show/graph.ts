/** What graphs promise: the documentation's texts, hand-overs, runs from a node, bursts, and right answers. */
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import type { GraphOptions, NodeSpec, StreamNodeSpec } from '../../lib/graph'
import type { PythonPool } from '../../lib/index'
import { CODE_API_RESULTS, codeApi, NODE_RESULTS, start } from '../../test/fixtures/graph/codeApi'
import { comparePipeline, compareStream, pipelineCase, streamCase } from '../../test/fixtures/graph/random'
import { packageFolder } from '../harness/paths'
import type { Outcome, Probe, Report, ShowContext } from './line'
import { tunerProbes } from './tuner'

/** The package as users get it. */
function load() {
  const require = createRequire(join(packageFolder, 'package.json'))
  const { graph, pipeline } = require('rxjs-python/graph') as typeof import('../../lib/graph')
  const { PythonPool } = require('rxjs-python') as typeof import('../../lib/index')
  return { graph, pipeline, PythonPool }
}

async function withPool<R>({ environment }: ShowContext, use: (pool: PythonPool) => Promise<R>): Promise<R> {
  const pool = await load().PythonPool.open({ python: environment.python })
  try {
    return await use(pool)
  } finally {
    await pool.close()
  }
}

const documentProbe: Probe = {
  lines: [
    { name: "the documentation's Python text of the Code API, as it stands", target: 'every action right' },
    { name: "the documentation's Node.js text of the Code API, as it stands", target: 'every action right' },
  ],
  run: (context) =>
    withPool(context, async (pool) => {
      const { pipeline } = load()
      const outcomes: Outcome[] = []
      const texts = [
        [codeApi(pool), CODE_API_RESULTS],
        [codeApi(pool, { start }), NODE_RESULTS],
      ] as const
      for (const [options, results] of texts) {
        const documented = pipeline(options)
        const right: string[] = []
        for (const [action, expected] of Object.entries(results)) {
          const { results } = await documented.run({ flowInput: { action } })
          if (isDeepStrictEqual(results.api, expected)) right.push(action)
        }
        const all = Object.keys(results).length
        outcomes.push({ value: `${right.length} of ${all}: ${right.join(', ')}`, holds: right.length === all })
      }
      return outcomes
    }),
}

const HAND_OVERS = 40
const MESSAGES = 6_000
const PART = 0.1
const PASS_ON = 'def start(args, api):\n    return args["streamInput"]["message"]\n'

/** Records as streams have them. */
function records(count: number): unknown[] {
  return Array.from({ length: count }, (_, id) => ({
    id,
    user: `user ${id % 97}`,
    text: 'the quick brown fox jumps over the lazy dog',
    score: id / 7,
    tags: ['a', 'b', `t${id % 5}`],
    seen: id % 2 === 0,
  }))
}

/** Microseconds for each message through so many nodes in Python, one behind the other. */
async function through(pool: PythonPool, nodes: number, way: 'direct' | 'javascript', messages: readonly unknown[]) {
  const { graph } = load()
  const chain: StreamNodeSpec[] = [{ nodeName: 'in' }]
  for (let at = 0; at < nodes; at++) {
    // A node that passes messages on stands between, and so takes them out of Python.
    if (way === 'javascript' && at > 0) chain.push({ nodeName: `between${at}` })
    chain.push({ nodeName: `p${at}`, algorithm: { python: PASS_ON } })
  }
  const options: GraphOptions = {
    name: 'chain',
    pool,
    nodes: chain,
    flows: { main: chain.map(({ nodeName }) => nodeName).join(' >> ') },
    capacity: 1 << 20,
  }
  const running = await graph(options).start()
  let out = 0
  running.output.subscribe(() => out++)
  const started = performance.now()
  for (const message of messages) void running.send('in', message)
  await running.end()
  const milliseconds = performance.now() - started
  if (out !== messages.length) throw new Error(`${out} of ${messages.length} messages came out`)
  return (milliseconds * 1000) / messages.length
}

const handOverProbe: Probe = {
  lines: [
    {
      name: 'a hand-over from one Python node to the next on the same interpreter, against the same through JavaScript',
      target: `less than ${PART} of it`,
    },
  ],
  run: (context) =>
    withPool(context, async (pool) => {
      const messages = records(Math.max(1000, Math.round(MESSAGES * context.share)))
      // The least of the rounds: what else the machine does, and what compiles, only adds to them.
      const least = { one: Infinity, direct: Infinity, javascript: Infinity }
      for (let round = 0; round < 2 * context.rounds; round++) {
        least.one = Math.min(least.one, await through(pool, 1, 'direct', messages))
        for (const way of ['direct', 'javascript'] as const) {
          least[way] = Math.min(least[way], await through(pool, 1 + HAND_OVERS, way, messages))
        }
      }
      const [direct, javascript] = [least.direct, least.javascript].map((many) => (many - least.one) / HAND_OVERS) as [
        number,
        number,
      ]
      const ratio = direct / javascript
      const value = `${ratio.toFixed(3)}: ${direct.toFixed(2)} µs against ${javascript.toFixed(2)} µs for a message, in batches of 64`
      return [{ value, holds: ratio < PART }]
    }),
}

const fromProbe: Probe = {
  lines: [{ name: "run({ from: 'yellow' }): executions of its predecessors", target: 'none, and the same result' }],
  run: (context) =>
    withPool(context, async (pool) => {
      const { pipeline } = load()
      const folder = await mkdtemp(join(tmpdir(), 'rxjs-python-show-'))
      try {
        const log = join(folder, 'log')
        const colour = (name: string, result: string) =>
          `def start(args, api):\n    with open(${JSON.stringify(log)}, "a") as log:\n        log.write("${name}\\n")\n    value = args["input"][0]\n    return ${result}\n`
        const nodes: NodeSpec[] = [
          {
            nodeName: 'red',
            algorithm: { python: colour('red', '[value, value + 1, value + 2]') },
            input: ['@flowInput'],
          },
          { nodeName: 'green', algorithm: { python: colour('green', 'value * 2') }, input: ['#@red'] },
          { nodeName: 'yellow', algorithm: { python: colour('yellow', 'sum(value)') }, input: ['@green'] },
          { nodeName: 'black', algorithm: { python: colour('black', 'str(value)') }, input: ['@yellow'] },
        ]
        const colours = pipeline({ name: 'colours', nodes, pool, store: join(folder, 'store') })
        const executed = () => {
          const counts: Record<string, number> = {}
          for (const name of readFileSync(log, 'utf8').trim().split('\n')) counts[name] = (counts[name] ?? 0) + 1
          return counts
        }
        const whole = await colours.run({ flowInput: 7 })
        const before = executed()
        const again = await colours.run({ from: 'yellow' })
        const after = executed()
        await colours.close()
        const ran = (name: string) => after[name]! - before[name]!
        const same = isDeepStrictEqual(whole.results, again.results)
        const value = `red ${ran('red')}, green ${ran('green')}, yellow ${ran('yellow')}, black ${ran('black')}; the result is ${same ? 'the same' : 'another'}`
        const holds = same && ran('red') === 0 && ran('green') === 0 && ran('yellow') === 1 && before.green === 3
        return [{ value, holds }]
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    }),
}

/** Messages a second before the burst and after it. */
const RATE = 60
const TIMES = 10
const MOST = 6
/** Milliseconds of waiting, not of work, so that interpreters help each other on any machine. */
const WORK = 'import time\ndef start(args, api):\n    time.sleep(0.006)\n    return args["streamInput"]["message"]\n'

const burstProbe: Probe = {
  lines: [
    { name: `a burst of ${TIMES} times the rate: until the node has more interpreters`, target: 'under 1 s' },
    { name: `after the burst, with messages at the old rate`, target: 'one interpreter again, within 10 s' },
    { name: 'messages lost', target: 'none' },
  ],
  async run({ environment }) {
    const { graph } = load()
    const running = await graph({
      name: 'burst',
      nodes: [
        { nodeName: 'in' },
        {
          nodeName: 'work',
          algorithm: { python: WORK },
          interpreters: { min: 1, max: MOST, idleAfter: 1000 },
          batch: 4,
        },
      ],
      flows: { main: 'in >> work' },
      poolOptions: { python: environment.python },
    }).start()
    const seen = new Set<unknown>()
    running.output.subscribe(({ message }) => seen.add(message))
    const interpreters = () => running.metrics().work!.interpreters!
    let sent = 0
    let grown: number | undefined
    let most = 1
    const feed = async (rate: number, seconds: number) => {
      const began = performance.now()
      const first = sent
      for (let now = began; now - began < seconds * 1000; now = performance.now()) {
        while (sent - first < ((now - began) / 1000) * rate) void running.send('in', sent++)
        if (interpreters() > 1) grown ??= now - began
        most = Math.max(most, interpreters())
        await pause(10)
      }
    }
    await feed(RATE, 1.5)
    const early = grown
    await feed(RATE * TIMES, 3)
    const until = performance.now() + 10_000
    const ended = performance.now()
    while (interpreters() > 1 && performance.now() < until) await feed(RATE, 0.1)
    const back = interpreters() === 1
    const shrunk = performance.now() - ended
    await running.end()
    const value = grown === undefined ? 'it did not grow' : `${(grown / 1000).toFixed(2)} s, ${most} at most`
    return [
      { value, holds: early === undefined && grown !== undefined && grown < 1000 },
      { value: `${back ? 'one' : 'more than one'} after ${(shrunk / 1000).toFixed(1)} s`, holds: back && most > 1 },
      { value: `${sent - seen.size} of ${sent.toLocaleString('en')}`, holds: seen.size === sent },
    ]
  },
}

const GRAPHS = 1000

const randomProbe: Probe = {
  lines: [
    {
      name: 'random graphs (fan-out, failures, flows, nodes in both languages) against a naive reference',
      target: `${GRAPHS.toLocaleString('en')}, none different`,
    },
  ],
  run: (context) =>
    withPool(context, async (pool) => {
      const graphs = load()
      const numRuns = Math.max(20, Math.round((GRAPHS / 2) * context.share))
      const seed = Math.floor(Math.random() * 2 ** 31)
      let compared = 0
      const different: unknown[] = []
      const note = (difference: unknown) => {
        compared++
        if (difference !== undefined) different.push(difference)
      }
      const batch = fc.asyncProperty(pipelineCase, async (one) => note(await comparePipeline(graphs, one)))
      const streams = fc.asyncProperty(streamCase, async (one) => note(await compareStream(graphs, one, pool)))
      await fc.assert(batch, { numRuns, seed })
      await fc.assert(streams, { numRuns, seed })
      const first = different.length === 0 ? '' : `; the first: ${JSON.stringify(different[0]).slice(0, 300)}`
      return [
        {
          value: `${compared.toLocaleString('en')} compared, ${different.length} different, seed ${seed}${first}`,
          holds: compared >= 2 * numRuns && different.length === 0,
        },
      ]
    }),
}

export const graph: Report = {
  name: 'graph',
  probes: [documentProbe, ...tunerProbes, handOverProbe, fromProbe, burstProbe, randomProbe],
}
