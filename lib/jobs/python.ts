import { JobError } from '../errors'
import { type Handler, PythonHandler, type StateAnswer, type StateRequest } from '../pool/handler'
import type { Migrate } from './part'
import { migration } from './run'

/** The state of a Python stage: what its handler's `snapshot()` returns, and `restore(state)` takes. */
export class PythonState {
  stateful = false
  private handler: Handler<StateRequest, StateAnswer> | undefined
  /** Which loading of the handler has the state. */
  private life = ''

  constructor(
    private readonly id: string,
    readonly version: number,
    private readonly migrate: Migrate | undefined,
    private readonly given: Promise<Handler<never, unknown>>,
  ) {
    // Whoever opens it hears of it by the stream.
    given.catch(() => {})
  }

  /** Looks whether there is state, and puts back what was saved by version `from`. */
  async open(saved: unknown, from: number | undefined): Promise<void> {
    const handler = await this.given
    if (!(handler instanceof PythonHandler)) return
    this.handler = handler.stateHandler()
    const { stateful, life } = await this.ask({ op: 'look' })
    this.stateful = stateful
    this.life = life
    if (stateful && handler.pool.size !== 1) {
      throw new JobError(
        'ERR_JOB_RECOVERY',
        `${this.id}: a handler with 'snapshot' and 'restore' needs a pool with one interpreter; this one has ${handler.pool.size}`,
      )
    }
    if (from === undefined) return
    if (!stateful) {
      throw new JobError(
        'ERR_JOB_RECOVERY',
        `${this.id}: the checkpoint has state, but ${handler.name} has no 'restore'`,
      )
    }
    const change = migration(this.id, this.version, this.migrate, from)
    await this.ask({ op: 'restore', state: change === undefined ? saved : change(saved, undefined) })
  }

  async snapshot(): Promise<unknown> {
    const { life, state } = await this.ask({ op: 'snapshot' })
    if (life === this.life) return state ?? null
    throw new JobError(
      'ERR_JOB_SAVE',
      `${this.id}: the handler's interpreter was replaced, and its state is lost; run the job again from its last checkpoint`,
    )
  }

  close(): void {
    this.handler?.close().catch(() => {})
  }

  private async ask(request: StateRequest): Promise<StateAnswer> {
    const [answer] = await this.handler!.call([request])
    return answer!
  }
}
