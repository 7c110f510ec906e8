import { setTimeout as sleep } from 'node:timers/promises'
// In a program of your own: from 'rxjs-python/jobs' and 'rxjs-python/streams'
import type { Observable } from 'rxjs'
import { type JobContext, step } from '../../lib/jobs'
import { keyBy, mapKeyed, timestampBy, values } from '../../lib/streams'

/** A point of the unit square. */
export interface Point {
  readonly x: number
  readonly y: number
}

export interface GeneratorOptions {
  /** How many of the latest points are kept, by their x. */
  keep: number
  /** Another seed, other points. */
  seed: number
  /** Gets each 100,000th point. */
  log: (line: string) => void
  /** So many points a second (default: as many as are asked for). */
  rate?: number
}

/** Each so many points, one is logged. */
const LOG_EVERY = 100_000

/**
 * RandomXYGenerator: points without an end, kept in a table by their x, from which old ones are evicted. The point with a
 * number is always the same one, so a job that was killed goes on with the point after its last checkpoint.
 */
export function randomXY(job: JobContext, { keep, seed, log, rate }: GeneratorOptions): Observable<Point> {
  const read = (position: unknown) => {
    const points = pointsFrom((position as number | undefined) ?? 0, seed, log)
    return rate === undefined ? points : paced(points, rate)
  }
  return job.source('points', { read }).pipe(
    timestampBy(() => 0),
    keyBy((point) => point.x),
    step(
      'latest',
      mapKeyed(
        (point: Point, latest) => {
          latest.set(point.y)
          return point
        },
        { maxKeys: keep, overflow: 'evict' },
      ),
    ),
    values(),
  )
}

export function* pointsFrom(
  start: number,
  seed: number,
  log: (line: string) => void,
): Generator<readonly [Point, number]> {
  for (let n = start; ; n++) {
    const point = { x: uniform(2 * n, seed), y: uniform(2 * n + 1, seed) }
    if ((n + 1) % LOG_EVERY === 0) log(`RandomXYGenerator (${point.x}, ${point.y})`)
    yield [point, n + 1]
  }
}

/** Twenty times a second as many as are due. */
async function* paced<T>(items: Iterable<T>, rate: number): AsyncGenerator<T> {
  const began = performance.now()
  let given = 0
  for (const item of items) {
    while (given >= ((performance.now() - began) / 1000) * rate) await sleep(50)
    yield item
    given++
  }
}

/** The number in [0, 1) that belongs to a count: two rounds of mixing for 26 and 27 of its 53 bits. */
function uniform(count: number, seed: number): number {
  const low = mix((count >>> 0) ^ seed)
  const high = mix(low ^ Math.imul(Math.floor(count / 2 ** 32) + 1, 0x9e3779b9))
  return ((low >>> 6) * 2 ** 27 + (high >>> 5)) / 2 ** 53
}

function mix(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x7feb352d)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
