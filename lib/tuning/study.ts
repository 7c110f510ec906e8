import { createHash } from 'node:crypto'
import type { Handler } from '../pool/handler-types'
import type { PythonPool } from '../pool/pool'
import type { HyperParam, Params, Trial, TunerSpec } from './types'

/** A study in Optuna's journal, by way of python/rxjs_python/_tuning.py. */
export class Study {
  private readonly handler: Handler<object, unknown>
  private readonly about: object
  /** Its name in the journal; known once it has begun. */
  name = ''
  /** How many trials it has when it is complete. */
  readonly trials: number

  constructor(pool: PythonPool, spec: TunerSpec, name: string, file: string, parallel: number) {
    const { sampler, direction = 'minimize', seed, numberOfTrials } = spec
    const grid = sampler?.search_space
    const combinations =
      grid === undefined ? Number.POSITIVE_INFINITY : Object.values(grid).reduce((all, { length }) => all * length, 1)
    this.trials = Math.min(numberOfTrials, combinations)
    const space = grid === undefined ? spec.hyperParams! : ofGrid(grid)
    // Another space makes another study: the values that were tried say nothing of it.
    const key = createHash('sha256')
      .update(JSON.stringify([space, direction, grid === undefined ? '' : this.trials]))
      .digest('hex')
    this.about = {
      file,
      name: `${name}-${key.slice(0, 8)}`,
      space,
      direction,
      trials: this.trials,
      parallel,
      ...(grid === undefined ? {} : { grid }),
      ...(seed === undefined ? {} : { seed }),
    }
    this.handler = pool.handler('rxjs_python._tuning:handle')
  }

  /** Goes on with the last one, or begins one where all trials of that one are made. Gives the trials that were made. */
  async begin(): Promise<Trial[]> {
    const { study, trials } = (await this.ask('begin')) as { study: string; trials: Trial[] }
    this.name = study
    return trials
  }

  next(): Promise<{ number: number; params: Params }> {
    return this.ask('ask') as Promise<{ number: number; params: Params }>
  }

  async tell(number: number, value: number | null, error: string | null): Promise<void> {
    await this.ask('tell', { number, value, error })
  }

  async end(done: boolean): Promise<Trial[]> {
    const { trials } = (await this.ask('end', { done })) as { trials: Trial[] }
    return trials
  }

  async close(): Promise<void> {
    await this.handler.close()
  }

  private async ask(op: string, more: object = {}): Promise<unknown> {
    const [answer] = await this.handler.call([{ ...this.about, study: this.name, op, ...more }])
    return answer
  }
}

function ofGrid(grid: NonNullable<TunerSpec['sampler']>['search_space']): HyperParam[] {
  return Object.entries(grid).map(([name, choices]) => ({ name, suggest: 'categorical', choices }))
}
