// A pipeline that tunes and trains a model, and a graph that uses it. README.md, beside this file, says more.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
// In a program of your own: from 'rxjs-python' and 'rxjs-python/graph'
import type { GraphOutput, NodeReport } from '../../lib/graph'
import { PythonPool } from '../../lib/index'
import { runDemo } from '../shared/demo'
import { tweetGraph } from './graph'
import { moodPipeline, type Trained } from './pipeline'
import { tweets } from './tweets'

export interface GraphResult {
  readonly trained: Trained
  /** How its nodes fared when it was run once more, from `train` on. */
  readonly again: Readonly<Record<string, NodeReport>>
  readonly outputs: readonly GraphOutput[]
  readonly pictures: Readonly<Record<'pipeline' | 'graph', string>>
}

export async function demo(args: readonly string[], print: (line: string) => void): Promise<GraphResult> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      tweets: { type: 'string', default: '1000' },
      trials: { type: 'string', default: '16' },
      store: { type: 'string' },
      chart: { type: 'boolean', default: false },
      pictures: { type: 'string' },
    },
  })
  const [count, trials] = [whole('tweets', values.tweets), whole('trials', values.trials)]
  const store = values.store ?? (await mkdtemp(join(tmpdir(), 'rxjs-python-graph-')))
  await using pool = await PythonPool.open({
    path: [__dirname],
    requirements: join(__dirname, 'requirements.txt'),
  })
  const moods = moodPipeline({ pool, store, trials, chart: values.chart })
  try {
    const first = await moods.run({ flowInput: { tweets: 600 } })
    // The output node's input is a list.
    const [trained] = first.output as [Trained]
    const { params, accuracy } = trained
    const smoothing = params.smoothing.toPrecision(2)
    const { trials } = first.results.optimizerNode as { trials: unknown[] }
    print(
      `the best of ${trials.length} trials: runs of up to ${params.words} words, smoothing ${smoothing}: ${percent(accuracy)} right`,
    )
    const { nodes: again } = await moods.run({ from: 'train' })
    for (const node of Object.values(again)) {
      print(`  once more from 'train' on: ${node.nodeName.padEnd(13)} ${node.cached ? 'from the store' : 'executed'}`)
    }

    const graph = tweetGraph(tweets(count, 2), trained.model, pool)
    const running = await graph.start()
    const outputs: GraphOutput[] = []
    running.output.subscribe((output) => outputs.push(output))
    await running.done
    for (const { flowName, nodeName, message } of [...first3(outputs, 'B'), ...first3(outputs, 'A')]) {
      print(`${flowName.padEnd(7)} ${nodeName}: ${JSON.stringify(message)}`)
    }
    const { sort, A, B } = running.metrics()
    print(`${sort!.received} tweets: ${B!.received} by flow master to B, ${A!.received} by flow analyze to A`)

    const pictures = { pipeline: moods.toSvg(), graph: graph.toSvg() }
    if (values.pictures !== undefined) {
      for (const [name, svg] of Object.entries(pictures)) await writeFile(join(values.pictures, `${name}.svg`), svg)
    }
    return { trained, again, outputs, pictures }
  } finally {
    await moods.close()
    if (values.store === undefined) await rm(store, { recursive: true, force: true })
  }
}

function whole(name: string, text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${name}: '${text}' is not a number from 1 on`)
  return value
}

function first3(outputs: readonly GraphOutput[], node: string): GraphOutput[] {
  return outputs.filter(({ nodeName }) => nodeName === node).slice(0, 3)
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}

if (require.main === module) runDemo(demo)
