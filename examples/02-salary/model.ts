import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
// In a program of your own: from 'rxjs-python'
import type { Handler, PythonPool } from '../../lib/index'
import { CENSUS_SIZE, generateCensus } from './generator'
import { type Census, type Person, readCensus, type Salary, writeCensus } from './records'

const CACHE = resolve(__dirname, '..', '..', '.cache', 'demo')

/** What train.py says about the model it made. */
export interface Model {
  /** The file with the model. */
  model: string
  /** The Python that made it. */
  executable: string
  python: string
  sklearn: string
  /** How many records it learnt from. */
  trained: number
  /** The rows that it never saw. */
  heldOut: number[]
  seconds: number
  cached: boolean
}

interface Task {
  data: string
  folder: string
  records: number | null
}

/** The census file to use: the one named, or one that the generator writes into the cache. */
export async function prepareData(data: string | undefined, records: number | undefined) {
  if (data !== undefined) return { file: data, census: await readCensus(data, records) }
  const count = records ?? CENSUS_SIZE
  const census: Census = generateCensus(count)
  const text = writeCensus(census)
  const file = join(CACHE, `generated-${count}-${digest(text)}.data`)
  await mkdir(CACHE, { recursive: true })
  // Beside it first: a second demo that runs now must not read half of it.
  const partial = `${file}.${process.pid}.partial`
  await writeFile(partial, text)
  await rename(partial, file)
  return { file, census }
}

/** Trains in Python, in one of the pool's interpreters; takes the model of an earlier run where nothing has changed. */
export async function train(pool: PythonPool, file: string, records: number | undefined): Promise<Model> {
  const sources = ['salary.py', 'train.py', 'requirements.txt'].map((name) => join(__dirname, name))
  const parts = await Promise.all([file, ...sources].map((path) => readFile(path)))
  const folder = join(CACHE, digest(...parts, String(records ?? 'all')))
  const trainer = pool.handler<Task, Model>(`${join(__dirname, 'train.py')}:train`, { codec: 'json' })
  try {
    const [model] = await trainer.call([{ data: file, folder, records: records ?? null }])
    return model!
  } finally {
    await trainer.close()
  }
}

/** The handler that predicts; each interpreter loads the model once. */
export function predictor(pool: PythonPool, model: Model): Handler<Person, Salary> {
  return pool.handler<Person, Salary>('salary:handle', { init: loading(model), codec: 'json' })
}

/** What each interpreter does once: it loads the model. */
export function loading({ model }: Pick<Model, 'model'>) {
  // A JSON string is a Python string, too.
  const source = `import salary\n\ndef load_model():\n    salary.load(${JSON.stringify(model)})\n`
  return { source, function: 'load_model' }
}

function digest(...parts: (Uint8Array | string)[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part).update('\0')
  return hash.digest('hex').slice(0, 16)
}
