import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateCensus } from '../../examples/salary/generator'
import { type Census, readCensus } from '../../examples/salary/records'
import { cacheFolder, findCensus, handlersFolder } from '../harness/paths'
import type { Case } from '../harness/types'

const VERSIONS = 'import sys, numpy, sklearn; print(sys.version, numpy.__version__, sklearn.__version__)'

async function censusFrom(data: string | undefined): Promise<Census> {
  return data === undefined ? generateCensus() : readCensus(data)
}

/** Trains the model unless one from the same records, the same script and the same Python is there. */
async function trainModel(python: string, data: string | undefined): Promise<string> {
  const script = join(handlersFolder, 'train_forest.py')
  const { people, incomes } = await censusFrom(data)
  const lines = people.map((person, index) => JSON.stringify({ ...person, income: incomes[index] }))
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
    const model = await trainModel(python, data)
    return { RXP_BENCH_MODEL: model, RXP_BENCH_DATA: data ?? '' }
  },
  async items() {
    const { people } = await censusFrom(process.env.RXP_BENCH_DATA || undefined)
    return people.map((person) => JSON.stringify(person))
  },
}
