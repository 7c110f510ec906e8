import { randomInt, randomUUID } from 'node:crypto'
import { filter, firstValueFrom, Subject } from 'rxjs'
// In a program of your own: from 'rxjs-python'
import { mapPython, type PythonPool } from '../../lib/index'

/** A request for pi, from when it was taken until somebody has asked for it long enough. */
export interface Estimate {
  readonly id: string
  readonly points: number
  readonly state: 'waiting' | 'done' | 'failed'
  readonly pi?: number
  readonly problem?: string
}

interface Asked {
  readonly id: string
  readonly points: number
  readonly seed: number
}

type Answered = { readonly id: string; readonly pi: number } | { readonly id: string; readonly problem: string }

export interface EstimatesOptions {
  /** Interpreters: so many estimates are made at a time. */
  interpreters: number
  /** The most requests that wait; `ask` refuses further ones. */
  most: number
  /** So many finished ones can still be asked for. */
  keep: number
}

/**
 * The processing behind the API: requests go in and are answered at once with an id; what becomes of them goes out by the
 * same id, whether somebody polls or waits.
 */
export class Estimates {
  private readonly known = new Map<string, Estimate>()
  private readonly requests = new Subject<Asked>()
  private readonly finished = new Subject<Estimate>()
  private waiting = 0

  constructor(
    pool: PythonPool,
    private readonly options: EstimatesOptions,
  ) {
    // Each is a batch of its own: a small one does not wait for a large one beside it.
    const perBatch = { pool, batch: 1, concurrency: options.interpreters, ordered: false } as const
    this.requests
      .pipe(
        mapPython<Asked, Answered>(
          { source: SOURCE },
          {
            ...perBatch,
            onError: (error, asked) => asked.map(({ id }) => ({ id, problem: (error as Error).message })),
          },
        ),
      )
      .subscribe((answer) => this.settle(answer))
  }

  /** Takes a request; undefined where too many wait already. */
  ask(points: number): Estimate | undefined {
    if (this.waiting >= this.options.most) return undefined
    const estimate: Estimate = { id: randomUUID(), points, state: 'waiting' }
    this.waiting++
    this.known.set(estimate.id, estimate)
    this.requests.next({ id: estimate.id, points, seed: randomInt(2 ** 32) })
    return estimate
  }

  /** What is known of an id now. */
  find(id: string): Estimate | undefined {
    return this.known.get(id)
  }

  /** Resolves when it is finished; rejects where nothing is known of it. */
  async wait(id: string): Promise<Estimate> {
    const now = this.find(id)
    if (now === undefined) throw new Error(`there is no estimate ${id}`)
    if (now.state !== 'waiting') return now
    return await firstValueFrom(this.finished.pipe(filter((one) => one.id === id)))
  }

  private settle(answer: Answered): void {
    const { points } = this.known.get(answer.id)!
    this.waiting--
    const estimate: Estimate = { ...answer, points, state: 'pi' in answer ? 'done' : 'failed' }
    // Anew, so that the oldest of the finished ones comes first.
    this.known.delete(estimate.id)
    this.known.set(estimate.id, estimate)
    for (const { id, state } of this.known.values()) {
      if (this.known.size - this.waiting <= this.options.keep) break
      if (state !== 'waiting') this.known.delete(id)
    }
    this.finished.next(estimate)
  }
}

/** Each answer bears the id of its request: they come as they are ready, not in their order. */
const SOURCE = `
from pi import estimate

def handle(requests):
    return [{"id": one["id"], "pi": pi} for one, pi in zip(requests, estimate(requests))]
`
