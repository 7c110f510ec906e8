import type { Migrate } from '../checkpoint/part'
import type { Keys } from '../checkpoint/scope'
import { JobError } from '../errors'
import { type Handler, PythonHandler, type StateAnswer, type StateRequest } from '../pool/handler'
import type { PythonPool } from '../pool/pool'
import { migration } from './run'

/** What a checkpoint has of a Python stage; `places` where several interpreters have a state each. */
export interface SavedPython {
  readonly states: readonly unknown[]
  readonly places: readonly number[] | undefined
}

/** An interpreter with state: a key that its calls have, and which loading of the handler has the state. */
interface Home {
  readonly place: number
  readonly key: string
  readonly life: string
}

/** The state of a Python stage: what its handler's `snapshot()` returns, and `restore(state)` takes, in each interpreter that has some. */
export class PythonState {
  stateful = false
  private handler: Handler<StateRequest, StateAnswer> | undefined
  private pool: PythonPool | undefined
  private homes: readonly Home[] = []

  constructor(
    private readonly id: string,
    readonly version: number,
    private readonly migrate: Migrate | undefined,
    private readonly given: Promise<Handler<never, unknown>>,
    private readonly keys: Keys,
  ) {
    // Whoever opens it hears of it by the stream.
    given.catch(() => {})
  }

  /** Looks whether there is state, and puts back what was saved by version `from`. */
  async open(saved: SavedPython | undefined, from: number | undefined): Promise<void> {
    const handler = await this.given
    if (!(handler instanceof PythonHandler)) return
    this.handler = handler.stateHandler()
    this.pool = handler.pool
    const places = this.placesOf(handler.pool)
    const keys = keysTo(places, handler.pool)
    const answers = await Promise.all(keys.map((key) => this.ask(key, { op: 'look' })))
    this.stateful = answers.some(({ stateful }) => stateful)
    this.homes = places.map((place, at) => ({ place, key: keys[at]!, life: answers[at]!.life }))
    if (this.stateful && handler.pool.size !== 1 && this.keys.key === undefined && this.keys.keyOf === undefined) {
      throw this.problem(
        "a handler with 'snapshot' and 'restore' needs a pool with one interpreter, or keys (mapPythonKeyed); " +
          `this pool has ${handler.pool.size}`,
      )
    }
    if (from === undefined || saved === undefined) return
    if (!this.stateful) throw this.problem(`the checkpoint has state, but ${handler.name} has no 'restore'`)
    if (String(saved.places) !== String(this.savedPlaces)) {
      const [had, has] = [saved.states.length, this.homes.length]
      throw this.problem(
        `the checkpoint has the state of ${had} interpreter${had === 1 ? '' : 's'} and this pool has ${has} to put it in, ` +
          'so keys would not find theirs; open the pool with the size and isolation that it had',
      )
    }
    const change = migration(this.id, this.version, this.migrate, from)
    const restored = this.homes.map(({ key }, at) => {
      const state = saved.states[at]
      return this.ask(key, { op: 'restore', state: change === undefined ? state : change(state, undefined) })
    })
    await Promise.all(restored)
  }

  async snapshot(): Promise<SavedPython> {
    const answers = await Promise.all(this.homes.map(({ key }) => this.ask(key, { op: 'snapshot' })))
    const stayed =
      String(this.placesOf(this.pool!)) === String(this.homes.map(({ place }) => place)) &&
      answers.every(({ life }, at) => life === this.homes[at]!.life)
    if (stayed) return { states: answers.map(({ state }) => state ?? null), places: this.savedPlaces }
    throw new JobError(
      'ERR_JOB_SAVE',
      `${this.id}: an interpreter with the handler's state was replaced, or the pool has changed its size, and the state is ` +
        'lost; run the job again from its last checkpoint',
    )
  }

  close(): void {
    this.handler?.close().catch(() => {})
  }

  /** The places of the interpreters that have a state of their own. */
  private placesOf(pool: PythonPool): readonly number[] {
    const { places, hosts, all } = pool.calls.seats
    if (hosts.length < all.length) return places.slice(0, 1) // they share one Python, and the state in it
    return this.keys.key === undefined ? [...places].sort((a, b) => a - b) : [pool.placeOf(this.keys.key)]
  }

  /** By which a checkpoint is known to fit; one interpreter fits any other. */
  private get savedPlaces(): readonly number[] | undefined {
    return this.homes.length === 1 ? undefined : this.homes.map(({ place }) => place)
  }

  private problem(what: string): JobError {
    return new JobError('ERR_JOB_RECOVERY', `${this.id}: ${what}`)
  }

  private async ask(key: string, request: StateRequest): Promise<StateAnswer> {
    const [answer] = await this.handler!.call([request], { key })
    return answer!
  }
}

/** For each place a key that leads there. */
function keysTo(places: readonly number[], pool: PythonPool): string[] {
  return places.map((place) => {
    let number = 0
    while (pool.placeOf(`state ${number}`) !== place) number++
    return `state ${number}`
  })
}
