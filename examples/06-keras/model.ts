import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
// In a program of your own: from 'rxjs-python'
import { type Handler, PythonPool } from '../../lib/index'
import type { Reading, Score } from './readings'

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
export async function trainedModel(): Promise<Model> {
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

/** Interpreters that hold the model, each in a process of its own, and the handler that scores with them. */
export async function openScorer(model: Model, size: number) {
  const env = { EXAMPLE_MODEL: model.file, KERAS_BACKEND: 'jax' }
  const pool = await PythonPool.open({ path: [__dirname], requirements, isolation: 'process', size, env })
  const score: Handler<Reading, Score> = pool.handler('score:handle', { init: 'score:load' })
  return { pool, score }
}
