import { join } from 'node:path'
import { type PoolOptions, PythonPool } from '../../lib/index'
import { oneOf, type Random, whole } from './random'

export type Mode = 'shared' | 'namespace' | 'process'

/** Interpreters of a pool. */
export const MOST = 3
/** One use of so many replaces the pool, one of so many ends it under those who use it. */
const REPLACED = 40
const DESTROYED = 200

/** The pool of one isolation, which is replaced by others now and then, under its users. */
export class Pools {
  /** Interpreters of all pools so far, as far as they ended by themselves or were replaced. */
  readonly totals = { opened: 0, crashes: 0, stuck: 0, restarts: 0, recycled: 0, resizes: 0 }
  private current: Promise<PythonPool> | undefined
  private readonly leaving: Promise<void>[] = []

  constructor(
    readonly mode: Mode,
    private readonly python: string,
    private readonly random: Random,
    /** Stands in the environment of worker processes. */
    private readonly mark: string,
  ) {}

  async use(work: (pool: PythonPool) => Promise<void>): Promise<void> {
    this.current ??= this.open()
    const opening = this.current
    const pool = await opening
    // Another user has replaced it by now.
    if (this.current !== opening) return this.use(work)
    const chance = this.random()
    // Whoever comes next opens another one, while this one goes on until its streams and calls have ended, or is ended.
    if (chance < 1 / REPLACED) {
      this.current = undefined
      const working = work(pool)
      if (chance < 1 / DESTROYED) this.leaving.push(this.left(pool, () => pool.destroy()))
      else this.leaving.push(this.left(pool, () => pool.drain()))
      return working
    }
    return work(pool)
  }

  async close(): Promise<void> {
    const pool = await this.current
    this.current = undefined
    if (pool !== undefined) this.leaving.push(this.left(pool, () => pool.close()))
    await Promise.all(this.leaving.splice(0))
  }

  private async open(): Promise<PythonPool> {
    const { mode, python, random, mark } = this
    const options: PoolOptions = {
      python,
      path: join(__dirname, 'handlers'),
      isolation: mode,
      size: random() < 0.5 ? whole(random, 1, MOST) : { min: 1, max: whole(random, 2, MOST) },
      idleAfter: whole(random, 50, 500),
      ...(mode === 'shared' ? {} : { recycleAfter: whole(random, 5, 200) }),
      onCrash: oneOf(random, ['fail', 'retry']),
      grace: whole(random, 100, 500),
      env: { RXJS_PYTHON_SOAK: mark },
    }
    const pool = await PythonPool.open(options)
    pool.on('stderr', () => {}) // the stacks that faulthandler prints
    this.totals.opened += 1
    return pool
  }

  private async left(pool: PythonPool, leave: () => Promise<void>): Promise<void> {
    await leave()
    const { crashes, stuck, restarts, recycled, resizes } = pool.info()
    this.totals.crashes += crashes
    this.totals.stuck += stuck
    this.totals.restarts += restarts
    this.totals.recycled += recycled
    this.totals.resizes += resizes
  }
}
