// In a program of your own: from 'rxjs-python' and 'rxjs-python/graph'
import { type AlgorithmStart, type Pipeline, pipeline } from '../../lib/graph'
import type { PythonPool } from '../../lib/index'
import { type Tweet, tweets } from './tweets'

const FOLDS = 3

interface Fold {
  readonly learn: readonly Tweet[]
  readonly test: readonly Tweet[]
}

/** What its output node has. */
export interface Trained {
  readonly params: { readonly words: number; readonly smoothing: number }
  readonly accuracy: number
  readonly model: unknown
}

/** Each part of the tweets is kept aside once. */
const split: AlgorithmStart = ({ input }): Fold[] => {
  const all = tweets(input[0] as number, 1)
  return Array.from({ length: FOLDS }, (_, fold) => ({
    learn: all.filter(({ id }) => id % FOLDS !== fold),
    test: all.filter(({ id }) => id % FOLDS === fold),
  }))
}

const mean: AlgorithmStart = ({ input }) => {
  const values = input[0] as number[]
  return values.reduce((sum, one) => sum + one, 0) / values.length
}

export interface MoodOptions {
  readonly pool: PythonPool
  readonly store: string
  readonly trials: number
  readonly chart: boolean
}

/** Finds the best parameters of a model, and trains it with them. */
export function moodPipeline({ pool, store, trials, chart }: MoodOptions): Pipeline {
  return pipeline({
    name: 'moods',
    pool,
    store,
    nodes: [
      {
        kind: 'hyperparamsTuner',
        nodeName: 'optimizerNode',
        spec: {
          numberOfTrials: trials,
          objectivePipeline: 'Mood',
          direction: 'maximize',
          seed: 7,
          concurrency: 1,
          chart,
          hyperParams: [
            { suggest: 'int', name: 'words', low: 1, high: 3 },
            { suggest: 'loguniform', name: 'smoothing', low: 0.001, high: 10 },
          ],
        },
      },
      { nodeName: 'split', algorithmName: 'split', input: ['@flowInput.tweets'] },
      { nodeName: 'train', algorithmName: 'train', input: ['@optimizerNode.best.params', '@split'] },
      {
        kind: 'output',
        nodeName: 'trained',
        input: [{ params: '@optimizerNode.best.params', accuracy: '@train.accuracy', model: '@train.model' }],
      },
    ],
    algorithms: { split, mean, score: { python: 'moods:score' }, train: { python: 'moods:train' } },
    pipelines: {
      // A trial: how well the parameters do, on average over the folds, which are tried at the same time.
      Mood: {
        nodes: [
          { nodeName: 'split', algorithmName: 'split', input: [600] },
          { nodeName: 'score', algorithmName: 'score', input: ['#@split', '@flowInput.hyperParams'] },
          { nodeName: 'mean', algorithmName: 'mean', input: ['@score'] },
        ],
      },
    },
  })
}
