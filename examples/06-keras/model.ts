import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
// In a program of your own: from 'rxjs-python'
import { type Handler, PythonPool } from '../../lib/index'
import { type Reading, readings, type Score } from './readings'

const CACHE = resolve(__dirname, '..', '..', '.cache', 'examples', 'keras')
const requirements = join(__dirname, 'requirements.txt')

/** What train.py says of the model that it has made. */
export interface Trained {
  readonly loss: readonly number[]
  readonly accuracy: number
  readonly keras: string
  readonly backend: string
  readonly executable: string
}

export interface Model extends Trained {
  /** The file with the model. */
  readonly file: string
}

/** Trains the model, in Python, or takes that of an earlier run where nothing has changed. */
export async function trainedModel(print: (line: string) => void): Promise<Model> {
  print('training, unless an earlier run has (the first time, keras and jax are installed: a minute) …')
  const model = await knownOrTrained()
  print(`model: Keras ${model.keras} on ${model.backend}, loss ${model.loss[0]} → ${model.loss.at(-1)}`)
  return model
}

async function knownOrTrained(): Promise<Model> {
  const sources = await Promise.all([join(__dirname, 'train.py'), requirements].map((path) => readFile(path)))
  const folder = join(CACHE, createHash('sha256').update(Buffer.concat(sources)).digest('hex').slice(0, 16))
  const [file, about] = [join(folder, 'model.keras'), join(folder, 'about.json')]
  const known = await readFile(about, 'utf8').catch(() => undefined)
  if (known !== undefined) return JSON.parse(known) as Model
  await mkdir(folder, { recursive: true })
  await using pool = await PythonPool.open({ path: [__dirname], requirements, isolation: 'process' })
  const [trained] = await pool.handler<{ model: string }, Trained>('train:train').call([{ model: file }])
  const model: Model = { ...trained!, file }
  await writeFile(`${about}.${process.pid}`, JSON.stringify(model))
  await rename(`${about}.${process.pid}`, about)
  return model
}

/** Where the interpreters are that hold the model: in this process, or each in one of its own. */
export type Place = 'shared' | 'process'

/** Interpreters that hold the model, and the handler that scores with them. */
export async function openScorer(model: Model, size: number, isolation: Place = 'process') {
  const env = { EXAMPLE_MODEL: model.file, KERAS_BACKEND: 'jax' }
  // What is in this process sees its variables; workers get theirs.
  if (isolation === 'shared') Object.assign(process.env, env)
  const own = isolation === 'process' ? { env } : {}
  const pool = await PythonPool.open({ path: [__dirname], requirements, isolation, size, ...own })
  const score: Handler<Reading, Score> = pool.handler('score:handle', { init: 'score:load' })
  return { pool, score }
}

const plain = new Map<number, Promise<number[]>>()

/** So many readings scored by Keras in a process of its own, without this package; computed once. */
export function plainScores(model: Model, count: number): Promise<number[]> {
  const known = plain.get(count) ?? scoredByKeras(model, [...readings(count)])
  plain.set(count, known)
  return known
}

async function scoredByKeras(model: Model, machines: readonly Reading[]): Promise<number[]> {
  return await new Promise((resolve, reject) => {
    const env = { ...process.env, KERAS_BACKEND: 'jax', PYTHONPATH: '', PYTHONHOME: undefined }
    const command = ['-B', join(__dirname, 'plain.py'), model.file]
    const child = execFile(model.executable, command, { env, maxBuffer: 64 << 20 }, (error, stdout) => {
      if (error) reject(error)
      else resolve(JSON.parse(stdout))
    })
    child.stdin!.end(JSON.stringify(machines))
  })
}
