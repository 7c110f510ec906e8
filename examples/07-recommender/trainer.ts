import type { Client } from 'pg'
import { bufferTime, concatMap, filter, type Observable } from 'rxjs'
// In a program of your own: from 'rxjs-python', 'rxjs-python/jobs' and 'rxjs-python/postgres'
import { postgresQuery } from '../../lib/connectors/postgres'
import type { PythonPool } from '../../lib/index'
import { fromSource } from '../../lib/jobs'

export const TABLES = `
  CREATE TABLE IF NOT EXISTS ratings (
    id serial PRIMARY KEY, user_id int NOT NULL, item_id int NOT NULL, rating float8 NOT NULL);
  CREATE TABLE IF NOT EXISTS models (
    version serial PRIMARY KEY, ratings int NOT NULL, error float8 NOT NULL, trained timestamptz NOT NULL DEFAULT now(),
    model text NOT NULL, serving boolean NOT NULL DEFAULT false)`

interface Rating {
  readonly id: number
  readonly user_id: number
  readonly item_id: number
  readonly rating: number
}

interface Trained {
  readonly model: string
  readonly ratings: number
  readonly error: number
  readonly serving: number | null
}

/** A model as it was stored. */
export interface Version {
  readonly version: number
  readonly ratings: number
  /** The root of the mean square error on ratings that it has not learnt from. */
  readonly error: number
  /** That of the one that was served until now, on the same ratings. */
  readonly before: number | null
  /** Whether it is better, and so served from now on. */
  readonly serving: boolean
  readonly model: string
}

export interface TrainerOptions {
  readonly connection: string
  /** Reads and writes models. */
  readonly client: Client
  /** With one interpreter: it keeps the ratings. */
  readonly pool: PythonPool
  /** Milliseconds for which new ratings are collected before the next model. */
  readonly every: number
  readonly signal: AbortSignal
}

/** Trains for as long as it is let: whenever ratings have come, a new model, stored with its version and its error. */
export function trainContinuously({ connection, client, pool, every, signal }: TrainerOptions): Observable<Version> {
  const trainer = pool.handler<{ ratings: readonly Rating[]; serving: string | null }, Trained>('recommender:train')
  const ratings = postgresQuery<Rating>({ connection, query: 'SELECT * FROM ratings', key: 'id', poll: 100 })
  return fromSource(ratings, { signal }).pipe(
    bufferTime(every),
    filter((news) => news.length > 0),
    // One after the other: the next model is compared with the one that is served then.
    concatMap(async (news) => {
      const { rows } = await client.query<{ model: string }>('SELECT model FROM models WHERE serving')
      const [trained] = await trainer.call([{ ratings: news, serving: rows[0]?.model ?? null }])
      return await store(client, trained!)
    }),
  )
}

/** In one transaction: at no moment are two models served, or none. */
async function store(client: Client, { model, ratings, error, serving: before }: Trained): Promise<Version> {
  const serving = before === null || error <= before
  await client.query('BEGIN')
  try {
    if (serving) await client.query('UPDATE models SET serving = false WHERE serving')
    const { rows } = await client.query<{ version: number }>(
      'INSERT INTO models (ratings, error, model, serving) VALUES ($1, $2, $3, $4) RETURNING version',
      [ratings, error, model, serving],
    )
    await client.query('COMMIT')
    return { version: rows[0]!.version, ratings, error, before, serving, model }
  } catch (problem) {
    await client.query('ROLLBACK')
    throw problem
  }
}
