// A recommender that keeps training while ratings arrive. README.md, beside this file, says more.
import { join } from 'node:path'
import { filter, firstValueFrom, Subject } from 'rxjs'
// In a program of your own: from 'rxjs-python' and 'rxjs-python/http'
import { serve } from '../../lib/connectors/http'
import { PythonPool } from '../../lib/index'
import { runDemo } from '../shared/demo'
import { openDatabase } from './database'
import { ITEMS, People } from './people'
import { TABLES, trainContinuously, type Version } from './trainer'

const ROUNDS = [300, 500, 800, 1500, 3000]
const USER = 7

export interface Recommendation {
  readonly version: number
  readonly items: readonly { readonly item: number; readonly rating: number }[]
}

export interface RecommenderResult {
  readonly versions: readonly Version[]
  /** What the database has of them. */
  readonly stored: readonly { version: number; error: number; serving: boolean }[]
  readonly recommended: Recommendation
  /** The user's true taste for what was recommended, and for all items, on average. */
  readonly liking: number
  readonly average: number
}

export async function demo(_args: readonly string[], print: (line: string) => void): Promise<RecommenderResult> {
  const { connection, client, close } = await openDatabase()
  const options = { path: [__dirname], requirements: join(__dirname, 'requirements.txt') }
  // The one learns, the other answers: nobody waits for a training.
  const [learning, answering] = await Promise.all([PythonPool.open(options), PythonPool.open(options)])
  const service = await serve('recommend:handle', { pool: answering, port: 0, path: '/recommend' })
  const load = answering.handler<Pick<Version, 'version' | 'model'>, number>('recommend:load')
  const controller = new AbortController()
  try {
    await client.query(TABLES)
    const people = new People()
    const versions: Version[] = []
    const ready = new Subject<Version>()
    const stored = trainContinuously({ connection, client, pool: learning, every: 300, signal: controller.signal })
    const subscription = stored.subscribe({
      next: async (version) => {
        versions.push(version)
        if (version.serving) await load.call([{ version: version.version, model: version.model }])
        const against = version.before === null ? '' : `, the one before ${version.before.toFixed(3)}`
        const served = version.serving ? 'served' : 'kept aside'
        print(
          `model ${version.version}: ${version.ratings} ratings, error ${version.error.toFixed(3)}${against}: ${served}`,
        )
        ready.next(version)
      },
      error: (error) => ready.error(error),
    })
    let known = 0
    for (const count of ROUNDS) {
      const news = people.ratings(count)
      const seen = firstValueFrom(ready.pipe(filter(({ ratings }) => ratings > known)))
      await client.query(
        'INSERT INTO ratings (user_id, item_id, rating) SELECT * FROM unnest($1::int[], $2::int[], $3::float8[])',
        [news.map(({ user }) => user), news.map(({ item }) => item), news.map(({ rating }) => rating)],
      )
      known = (await seen).ratings
    }
    subscription.unsubscribe()
    const recommended = await ask(service.url)
    print(`POST /recommend {"user":${USER},"most":3} → ${JSON.stringify(recommended)}`)
    const { rows } = await client.query('SELECT version, error, serving FROM models ORDER BY version')
    const all = Array.from({ length: ITEMS }, (_, item) => people.taste(USER, item))
    const liking = mean(recommended.items.map(({ item }) => all[item]!))
    print(`the user would rate these ${liking.toFixed(2)}, and all items ${mean(all).toFixed(2)} on average`)
    return { versions, stored: rows, recommended, liking, average: mean(all) }
  } finally {
    controller.abort()
    await service.close()
    await Promise.all([learning.close(), answering.close()])
    await close()
  }
}

async function ask(url: string): Promise<Recommendation> {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ user: USER, most: 3 }) })
  return (await response.json()) as Recommendation
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

if (require.main === module) runDemo(demo)
