import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cacheFolder, findCensus, handlersFolder } from '../harness/paths'
import type { Batch, Case } from '../harness/types'
import { censusFrom, censusVariables, people } from './census'
import { checkLength, consumeStrings, cut, listCase } from './lists'

const VERSIONS = 'import sys, numpy, sklearn; print(sys.version, numpy.__version__, sklearn.__version__)'

/** Trains the model unless one from the same records, the same script and the same Python is there. */
async function trainModel(python: string, data: string | undefined): Promise<string> {
  const script = join(handlersFolder, 'train_forest.py')
  const census = await censusFrom(data)
  const lines = census.people.map((person, index) => JSON.stringify({ ...person, income: census.incomes[index] }))
  const records = `${lines.join('\n')}\n`
  const versions = execFileSync(python, ['-c', VERSIONS])
  const hash = createHash('sha256').update(readFileSync(script)).update(records).update(versions)
  const key = hash.digest('hex').slice(0, 16)
  const model = join(cacheFolder, `forest-${key}.joblib`)
  if (existsSync(model)) return model

  console.error('training the model of the case "forest"')
  mkdirSync(cacheFolder, { recursive: true })
  const table = join(cacheFolder, `census-${key}.jsonl`)
  writeFileSync(table, records)
  const unfinished = `${model}.${process.pid}`
  execFileSync(python, [script, table, unfinished], { stdio: ['ignore', 'inherit', 'inherit'] })
  renameSync(unfinished, model)
  return model
}

async function prepare(python: string, asked: string | undefined): Promise<Record<string, string>> {
  return { RXP_BENCH_MODEL: await trainModel(python, findCensus(asked)), ...censusVariables(asked) }
}

/** A RandomForest of 100 trees on census records: JSON strings in, JSON strings out. */
export const forest: Case = {
  ...listCase,
  name: 'forest',
  title: 'Census records through a RandomForest of 100 trees',
  unit: 'records',
  payload: 'strings',
  sizes: [1, 16, 256, 1024, 4096, 16384],
  module: 'forest',
  init: true,
  inFlight: () => [8],
  prepare,
  batches: async (size) =>
    cut(
      (await people()).map((person) => JSON.stringify(person)),
      size,
    ),
  consume: consumeStrings,
}

interface Answer {
  readonly probability: number
  readonly income: string
}

function consumeAnswers(results: Batch, batch: Batch): number {
  checkLength(results, batch)
  let sum = 0
  for (const { probability, income } of results as readonly Answer[]) sum += probability + income.length
  return sum
}

/** The same model on columns: numpy arrays in, numpy arrays out, with nothing made for a single record in Python. */
export const forestColumns: Case = {
  ...forest,
  name: 'forest-columns',
  title: 'The same forest on columns of numbers and texts',
  payload: 'records',
  codec: 'columns',
  function: 'handle_columns',
  batches: async (size) => cut(await people(), size),
  consume: consumeAnswers,
}
