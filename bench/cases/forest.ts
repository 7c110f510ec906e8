import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cacheFolder, findCensus, handlersFolder } from '../harness/paths'
import type { Case } from '../harness/types'
import { type CensusRecord, makeCensus, readCensus } from './census'

const ITEMS = 65_536
const TRAINING_RECORDS = 32_561
const SEED = 1994

function records(data: string | undefined, count: number): CensusRecord[] {
  return data === undefined ? makeCensus(count, SEED) : readCensus(data)
}

/** Trains the model unless one from the same records, the same script and the same Python is there. */
function trainModel(python: string, data: string | undefined): string {
  const script = join(handlersFolder, 'train_forest.py')
  const versions = 'import sys, sklearn; print(sys.version, sklearn.__version__)'
  const key = createHash('sha256')
    .update(readFileSync(script))
    .update(data === undefined ? `seed ${SEED}` : readFileSync(data))
    .update(execFileSync(python, ['-c', versions]))
    .digest('hex')
    .slice(0, 16)
  const model = join(cacheFolder, `forest-${key}.joblib`)
  if (existsSync(model)) return model

  mkdirSync(cacheFolder, { recursive: true })
  const table = join(cacheFolder, `census-${key}.jsonl`)
  const lines = records(data, TRAINING_RECORDS).map(({ fields, income }) => JSON.stringify({ ...fields, income }))
  writeFileSync(table, `${lines.join('\n')}\n`)
  const unfinished = `${model}.${process.pid}`
  execFileSync(python, [script, table, unfinished], { stdio: ['ignore', 'inherit', 'inherit'] })
  renameSync(unfinished, model)
  return model
}

/** A RandomForest of 100 trees on census records: JSON strings in, JSON strings out. */
export const forest: Case = {
  name: 'forest',
  title: 'Census records through a RandomForest of 100 trees',
  unit: 'records',
  sizes: [1, 16, 256, 1024, 4096, 16384],
  module: 'forest',
  init: true,
  inFlight: () => [8],
  async prepare(python, asked) {
    const data = findCensus(asked)
    const model = trainModel(python, data)
    return { RXP_BENCH_MODEL: model, RXP_BENCH_DATA: data ?? '' }
  },
  items() {
    const found = records(process.env.RXP_BENCH_DATA || undefined, ITEMS)
    return found.map(({ fields }) => JSON.stringify(fields))
  },
}
