/** The documentation's two specs of the tuner, and its text for TensorBoard: for the report of graphs. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { NodeSpec } from '../../lib/graph'
import { pythonWith } from '../../test/fixtures/python'
import { GRID, TRAIN, UNIFORM } from '../../test/fixtures/tuner'
import { packageFolder } from '../harness/paths'
import type { Outcome, Probe } from './line'

const require = createRequire(join(packageFolder, 'package.json'))
const { pipeline, readSpec } = require('rxjs-python/graph') as typeof import('../../lib/graph')
const { PythonPool } = require('rxjs-python') as typeof import('../../lib/index')

type Found = { trials: { params: Record<string, unknown> }[]; best: { value: number } }

export const tunerProbe: Probe = {
  lines: [
    { name: "the documentation's two specs of the tuner, as written", target: '9 trials in -10 to 10, 4 of the grid' },
  ],
  async run(): Promise<Outcome[]> {
    await using pool = await PythonPool.open({ python: await pythonWith('tuning') })
    const trials = async (node: string): Promise<Found> => {
      const { results } = await pipeline({
        name: 'optimize',
        pool,
        nodes: [readSpec(node) as NodeSpec],
        algorithms: { green: ({ input }) => Math.abs((input[0] as { x: number }).x) },
        pipelines: {
          Green: { nodes: [{ nodeName: 'green', algorithmName: 'green', input: ['@flowInput.hyperParams'] }] },
        },
      }).run()
      return results.optimizerNode as Found
    }
    const uniform = (await trials(UNIFORM)).trials.map(({ params }) => params.x as number)
    const grid = new Set((await trials(GRID)).trials.map(({ params }) => `${params.x} ${params.y}`))
    const inside = uniform.every((x) => x >= -10 && x <= 10)
    return [
      {
        value: `${uniform.length} trials, ${inside ? 'all' : 'not all'} in -10 to 10; ${grid.size} of the grid`,
        holds: uniform.length === 9 && inside && [...grid].sort().join() === '1 3,1 5,2 3,2 5',
      },
    ]
  },
}

export const tensorboardProbe: Probe = {
  lines: [
    {
      name: "the documentation's text for TensorBoard, as it stands",
      target: 'logs in the folder of its node and run',
    },
  ],
  async run(): Promise<Outcome[]> {
    await using pool = await PythonPool.open({ python: await pythonWith('tensorboard') })
    const store = mkdtempSync(join(tmpdir(), 'rxjs-python-show-'))
    try {
      const nodes = [{ nodeName: 'train', algorithm: { python: TRAIN } }]
      await pipeline({ name: 'train', pool, store, nodes }).run({ id: 'run' })
      const folder = join(store, 'metrics', 'run', 'train')
      const logs = existsSync(folder) ? readdirSync(folder).filter((name) => name.includes('tfevents')).length : 0
      return [{ value: `${logs} log in metrics/run/train`, holds: logs === 1 }]
    } finally {
      rmSync(store, { recursive: true, force: true })
    }
  },
}

export const tunerProbes: readonly Probe[] = [tunerProbe, tensorboardProbe]
