import { PoolClosedError, PythonError, PythonStartError } from '../errors'
import { type Key, placeOf } from './affinity'
import type { PoolCalls } from './calls'

/** A handler as interpreters that start later need to know it. */
export interface OpenHandler {
  /** What asks an interpreter to load it (JSON). */
  readonly request: string
  /** Whether the interpreters that were there when it was made could load it. */
  readonly ready: Promise<void>
}

/** The numbers by which the native side knows whose a call is; see native/binding/pool.cc. */
export const ANY_SEAT = -1
const KEYED = -2

const START_CODES = ['ERR_PYTHON_START', 'ERR_PYTHON_CONFLICT', 'ERR_NAMESPACE'] as const

/**
 * The interpreters of a pool that take calls. Each has a seat at the native queue, and stands in a place: one that is
 * replaced leaves its seat, and its place goes to the new one. Interpreters may be added, removed and replaced while calls
 * run: no call is lost, and one that has not loaded the pool's handlers gets none.
 */
export class Seats {
  /** The seats of the interpreters, by the order of their places. */
  readonly all: number[] = []
  /** The numbers of the places, in the same order. The first ones are 0, 1, …; a gap is filled before the end grows. */
  readonly places: number[] = []
  /** Handlers that every interpreter has loaded, or is about to. */
  readonly handlers = new Map<number, OpenHandler>()
  private readonly started = new Set<number>()
  private readonly leaving = new Set<Promise<unknown>>()
  /** How many handlers have their state in a seat's interpreter. */
  private readonly pins = new Map<number, number>()
  /** Seats that are about to be given up. */
  private readonly retiring = new Set<number>()
  private turn = 0

  /** @param sharedHost the interpreters share one Python, and so what is loaded in it */
  constructor(
    private readonly calls: PoolCalls,
    private readonly sharedHost: boolean,
  ) {}

  /** The seats whose interpreters load handlers: all in Pythons of their own, one where they share a Python. */
  get hosts(): readonly number[] {
    return this.sharedHost ? this.all.slice(0, 1) : this.all
  }

  /**
   * Starts one more interpreter; resolves when it takes calls.
   *
   * @throws PythonStartError, HandlerError where a handler does not load there, PoolClosedError
   */
  async add(): Promise<void> {
    this.admit(await this.prepare(), this.freePlace())
  }

  /**
   * Starts an interpreter in place of another, and lets that one go when the new one takes calls. False when the old one
   * has to stay because a handler has its state there, or has gone already. Resolves when the old one has left.
   *
   * @throws as `add`; then the old one stays
   */
  async replace(seat: number): Promise<boolean> {
    if (!this.mayGo(seat)) return false
    this.retiring.add(seat)
    try {
      let next: number
      try {
        next = await this.prepare()
      } catch (error) {
        if (isNoRoom(error) && this.all.length > 1) return await this.replaceInTurn(seat)
        throw error
      }
      if (!this.mayGo(seat)) {
        await this.stop(next)
        return false
      }
      this.calls.flush()
      this.all[this.all.indexOf(seat)] = next
      this.calls.native.handOver(seat, next)
      this.calls.native.open(next)
      await this.stop(seat)
      return true
    } finally {
      this.retiring.delete(seat)
    }
  }

  /**
   * Lets an interpreter go, in the highest place of those that may. It takes no further calls, and runs those that are
   * meant for it before it leaves. False when none may go.
   */
  remove(): boolean {
    if (this.all.length < 2) return false
    const highest = [...this.places].sort((a, b) => b - a).map((place) => this.all[this.places.indexOf(place)]!)
    const seat = highest.find((one) => this.mayGo(one) && !this.retiring.has(one))
    if (seat === undefined) return false
    this.dismiss(seat)
    this.stop(seat).catch(() => {}) // the pool's own end waits for it
    return true
  }

  /** Whose call one with this key is, as the native side takes it: the seat that the key's place is in, while it is. */
  ofKey(key: Key): number {
    const index = this.places.indexOf(placeOf(key, this.places))
    return index < 0 ? ANY_SEAT : KEYED - this.all[index]!
  }

  /** The next seat in turn, for a handler that has its state in one; it stays until it is unpinned. */
  pinNext(): number {
    const { all, retiring } = this
    const staying = all.filter((one) => !retiring.has(one))
    const choice = staying.length > 0 ? staying : all
    return this.pin(choice[this.turn++ % choice.length]!)
  }

  /** The first seat that stays, always the same one: for handlers that are to be together. */
  pinFirst(): number {
    return this.pin(this.all.find((one) => !this.retiring.has(one)) ?? this.all[0]!)
  }

  private pin(seat: number): number {
    this.pins.set(seat, (this.pins.get(seat) ?? 0) + 1)
    return seat
  }

  unpin(seat: number): void {
    const left = (this.pins.get(seat) ?? 0) - 1
    if (left > 0) this.pins.set(seat, left)
    else this.pins.delete(seat)
  }

  /** Whether the interpreter may be replaced or removed now. */
  mayGo(seat: number): boolean {
    // Where a stuck one could not be replaced, a neighbour serves its seat, and is needed for both.
    return this.all.includes(seat) && !this.pins.has(seat) && this.calls.stuck.missing === 0
  }

  /** Lets all interpreters go; resolves when they have left, those that were leaving already included. */
  async stopAll(): Promise<void> {
    for (const seat of [...this.started]) this.stop(seat).catch(() => {})
    await Promise.all(this.leaving)
  }

  /** Replaces an interpreter where there is no room for two: it leaves first, and the others work on meanwhile. */
  private async replaceInTurn(seat: number): Promise<boolean> {
    if (!this.mayGo(seat)) return false
    const place = this.dismiss(seat)
    await this.stop(seat)
    const next = await this.prepare()
    this.admit(next, this.places.includes(place) ? this.freePlace() : place)
    return true
  }

  private dismiss(seat: number): number {
    this.calls.flush()
    const index = this.all.indexOf(seat)
    this.all.splice(index, 1)
    return this.places.splice(index, 1)[0]!
  }

  private admit(seat: number, place: number): void {
    this.all.push(seat)
    this.places.push(place)
    this.calls.native.open(seat)
  }

  private freePlace(): number {
    for (let place = 0; ; place++) if (!this.places.includes(place)) return place
  }

  /** Starts an interpreter that has loaded what the others have; it takes no calls yet. */
  private async prepare(): Promise<number> {
    const { seat, ready } = this.calls.start()
    this.started.add(seat)
    try {
      await ready.catch((error) => {
        throw startError(error)
      })
      if (!this.sharedHost) await this.load(seat)
      if (this.calls.closed) throw new PoolClosedError()
      return seat
    } catch (error) {
      // Whoever opens a pool waits for this, and has nothing else that keeps the process.
      if (this.started.has(seat)) await this.calls.holding(this.stop(seat))
      throw error
    }
  }

  /** Loads handlers until there is none that was made, closed or made anew meanwhile. */
  private async load(seat: number): Promise<void> {
    const loaded = new Map<number, OpenHandler>()
    for (;;) {
      const [gone] = [...loaded].find(([id, handler]) => this.handlers.get(id) !== handler) ?? []
      if (gone !== undefined) {
        loaded.delete(gone)
        await this.calls.control(seat, JSON.stringify({ op: 'close', id: gone }))
        continue
      }
      const [id, handler] = [...this.handlers].find(([one]) => !loaded.has(one)) ?? []
      if (id === undefined || handler === undefined) return
      loaded.set(id, handler)
      try {
        await this.calls.control(seat, handler.request)
      } catch (error) {
        const fine = await handler.ready.then(
          () => true,
          () => false,
        )
        // One that loads nowhere fails its own calls.
        if (fine && this.handlers.get(id) === handler) throw error
      }
    }
  }

  private stop(seat: number): Promise<unknown> {
    this.started.delete(seat)
    const left = this.calls.stop(seat)
    this.leaving.add(left)
    return left.finally(() => this.leaving.delete(left))
  }
}

/** Whether the C library has no room for another private copy of Python. */
function isNoRoom(error: unknown): boolean {
  return error instanceof PythonStartError && error.code === 'ERR_NAMESPACE'
}

/** What an interpreter that did not start reported, as the error that it is. */
function startError(error: unknown): unknown {
  if (!(error instanceof PythonError)) return error
  const code = START_CODES.find((known) => known === error.code) ?? 'ERR_PYTHON_START'
  return new PythonStartError(code, error.pythonMessage, { cause: error.pythonTraceback ? error : undefined })
}
