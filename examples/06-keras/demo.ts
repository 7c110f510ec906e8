// Trains a Keras model and scores a stream with it. README.md, beside this file, says more.
import { lastValueFrom, toArray } from 'rxjs'
// In a program of your own: from 'rxjs-python'
import { fromIterable, mapPython } from '../../lib/index'
import { runDemo } from '../shared/demo'
import { type Model, openScorer, plainScores, trainedModel } from './model'
import { isFailing, readings, type Score } from './readings'

export interface KerasResult {
  readonly model: Model
  readonly scores: readonly Score[]
  /** How many machines the model is right about. */
  readonly right: number
  /** The largest difference to what Keras says without this package. */
  readonly difference: number
}

export async function demo(args: readonly string[], print: (line: string) => void): Promise<KerasResult> {
  const count = Number(args[0] ?? 20_000)
  if (!Number.isSafeInteger(count) || count < 1) throw new Error(`'${args[0]}' is not a number of readings`)

  const model = await trainedModel(print)

  const machines = [...readings(count)]
  const { pool, score } = await openScorer(model, 2)
  let scores: Score[]
  try {
    await score.call(machines.slice(0, 1024))
    const started = performance.now()
    scores = await lastValueFrom(fromIterable(machines).pipe(mapPython(score, { batch: 1024 }), toArray()))
    const seconds = (performance.now() - started) / 1000
    print(`scored ${count} readings in ${seconds.toFixed(2)} s, ${Math.round(count / seconds)} a second`)
  } finally {
    await pool.close()
  }
  for (const [worker, loads] of new Map(scores.map(({ worker, loads }) => [worker, loads]))) {
    const mine = scores.filter((one) => one.worker === worker).length
    print(`interpreter ${worker}: loaded the model ${loads === 1 ? 'once' : `${loads} times`}, ${mine} scores`)
  }
  const right = scores.filter(({ risk }, at) => risk > 0.5 === isFailing(machines[at]!)).length
  print(`right about ${right} of ${count} machines`)
  const plain = await plainScores(model, count)
  const difference = Math.max(...scores.map(({ risk }, at) => Math.abs(risk - plain[at]!)))
  print(`largest difference to plain Keras: ${difference.toExponential(1)}`)
  return { model, scores, right, difference }
}

if (require.main === module) runDemo(demo)
