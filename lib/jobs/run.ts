import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { serialize } from 'node:v8'
import { type Observable, Subscription } from 'rxjs'
import { Change, type Migrate, type StatePart, weightOf } from '../checkpoint/part'
import { type Holder, type JobScope, type Keys, type StepOfJob, withinJob } from '../checkpoint/scope'
import { JobError } from '../errors'
import type { Handler } from '../pool/handler'
import { Gate, subscribeWithin } from '../sources/gate'
import { StreamChecker } from '../streams/check'
import { type CompleteJobOptions, checkName, type JobContext } from './options'
import { PythonState, type SavedPython } from './python'
import { Reading } from './reading'
import type { Source } from './sources'
import { CHUNK, type Checkpoint, type JobStore, type PartToSave } from './store'
import { SinkWriter } from './writer'

/** A part of a job's state, as its checkpoints know it. */
interface Known {
  readonly part: StatePart
  readonly version: number
  readonly migrate: Migrate | undefined
  /** Entries in the store, of which some are out of date. */
  written: number
  /** What is in the store is of no use any more. */
  renew: boolean
}

/** So many entries may be out of date before all are written anew, where there are not more keys than that. */
const STALE = 10_000

/** What a run tells its job. */
export interface RunListener {
  failed(error: unknown): void
  completed(): void
  /** A source cannot go on for long without a commit. */
  commitSoon(): void
}

/** One subscription of a job's pipeline. Its sources rest until `open`, and while a checkpoint is taken. */
export class Run<T> implements JobScope {
  private readonly gate = new Gate()
  private readonly parts = new Map<string, Known>()
  private readonly holders = new Set<Holder>()
  private readonly pythons = new Map<string, PythonState>()
  private readonly readings = new Map<string, Reading>()
  private readonly writer: SinkWriter<T> | undefined
  private readonly subscription = new Subscription()
  private epoch = 0
  private from: string | undefined
  private stopped = false
  /** Whether the stream has completed. */
  finished = false

  constructor(
    private readonly options: CompleteJobOptions<T>,
    private readonly store: JobStore,
    private readonly listener: RunListener,
    /** Aborts with `stop`, or before it. */
    private readonly stopping: AbortSignal,
  ) {
    this.gate.close()
    const { sink } = options
    if (sink !== undefined) this.writer = new SinkWriter(sink, (error) => listener.failed(error))
  }

  /** Subscribes the pipeline and puts everything back as it was at the checkpoint. */
  async start(checkpoint: Checkpoint | undefined): Promise<void> {
    const { sink, pipeline } = this.options
    this.epoch = checkpoint?.epoch ?? 0
    this.from = checkpoint?.from
    for (const [name, position] of Object.entries(checkpoint?.positions ?? {})) {
      this.readings.set(name, new Reading(name, position))
    }
    await sink?.open(checkpoint?.sink, this.stopping)
    const context: JobContext = { name: this.options.name, source: (name, source) => this.source(name, source) }
    const stream = pipeline(context)
    new StreamChecker('runJob', undefined, []).requireStream(stream)
    let problem: { error: unknown } | undefined
    let started = false
    if (this.writer !== undefined) this.holder(this.writer)
    this.subscribe(() => {
      const subscription = stream.subscribe({
        next: (value) => this.writer?.write(value),
        error: (error) => {
          if (started) this.listener.failed(error)
          else problem ??= { error }
        },
        complete: () => {
          this.finished = true
          if (!this.stopped) this.listener.completed()
        },
      })
      this.subscription.add(subscription)
    })
    if (checkpoint !== undefined) this.load(checkpoint)
    for (const [id, python] of this.pythons) await python.open(checkpoint?.python[id], checkpoint?.steps[id])
    if (problem !== undefined) throw problem.error
    started = true
  }

  /** Lets the sources go. */
  open(): void {
    this.gate.open()
  }

  /**
   * One epoch: the sources rest, what is in flight drains, all state is taken; then, unless `rest`, the sources go on while
   * it is written, the results are made safe, and both are committed.
   */
  async checkpoint(rest: boolean): Promise<number> {
    const { sink } = this.options
    this.gate.close()
    await this.drain()
    const python: Record<string, SavedPython> = {}
    const steps: Record<string, number> = {}
    for (const [id, state] of this.pythons) {
      if (!state.stateful || this.finished) continue
      python[id] = await state.snapshot()
      steps[id] = state.version
    }
    this.demandRunning()
    // At the end of the stream its operators have let go of what they kept, and nobody will ask for it.
    const { finished, from } = this
    const epoch = this.epoch + 1
    const parts = finished ? [] : Array.from(this.parts, ([id, known]) => this.take(id, known))
    for (const { step } of parts) steps[step] = this.parts.get(step)!.version
    const marks = Array.from(this.readings.values(), (reading) => ({ reading, mark: reading.position }))
    // A position is an object of the source's, which may go on with it.
    const positions = structuredClone(Object.fromEntries(marks.map(({ reading, mark }) => [reading.name, mark])))
    const prepared = sink?.prepare(epoch)
    this.epoch = epoch
    if (!rest && !finished) this.gate.open()
    const result = (await prepared) ?? null
    await this.store.save({ format: 1, epoch, finished, steps, positions, sink: result, python, from }, parts)
    await sink?.commit(epoch)
    const told = marks.map(({ reading, mark }) => reading.commit(positions[reading.name], mark))
    // Nobody waits for an outside that does not answer once the job is to end.
    await Promise.race([Promise.all(told), this.whenStopped()])
    return epoch
  }

  stop(): void {
    this.stopped = true
    this.subscription.unsubscribe()
    this.gate.dispose()
    this.writer?.dispose()
    for (const python of this.pythons.values()) python.close()
  }

  /** After `stop`: sources give back what they hold outside. */
  async close(): Promise<void> {
    await Promise.all(Array.from(this.readings.values(), (reading) => reading.close()))
  }

  part(step: StepOfJob | undefined, kind: string, part: StatePart): void {
    const { version = 1, migrate } = step ?? {}
    this.parts.set(this.idOf(step, kind), { part, version, migrate, written: 0, renew: true })
  }

  holder(holder: Holder): void {
    this.holders.add(holder)
  }

  python(step: StepOfJob | undefined, kind: string, handler: Promise<Handler<never, unknown>>, keys: Keys): void {
    const { version = 1, migrate } = step ?? {}
    const id = this.idOf(step, kind)
    this.pythons.set(id, new PythonState(id, version, migrate, handler, keys))
  }

  private source<V, P>(name: string, source: Source<V, P>): Observable<V> {
    const check = new StreamChecker('job.source', undefined, [])
    checkName(check, 'name', name)
    if (typeof source?.read !== 'function') check.problem("'source' must have read(position)", source)
    check.done()
    const known = this.readings.get(name) ?? new Reading(name, undefined)
    this.readings.set(name, known)
    return (known as Reading<V, P>).items(source, this.gate, () => this.listener.commitSoon())
  }

  private subscribe(run: () => void): void {
    const { writer } = this
    withinJob(this, writer === undefined ? run : () => subscribeWithin(writer.gate, run))
  }

  private whenStopped(): Promise<void> {
    return new Promise((resolve) => {
      if (this.stopped) resolve()
      else this.subscription.add(() => resolve())
    })
  }

  private idOf(step: StepOfJob | undefined, kind: string): string {
    for (let number = 1; ; number++) {
      const plain = step === undefined ? `${kind}#${number}` : `${step.id}/${kind}`
      const id = step === undefined || number === 1 ? plain : `${plain}#${number}`
      if (!this.parts.has(id) && !this.pythons.has(id)) return id
    }
  }

  private load(checkpoint: Checkpoint): void {
    const { name, dropState } = this.options
    const lost = Object.keys(checkpoint.steps).filter((id) => !this.parts.has(id) && !this.pythons.has(id))
    if (lost.length > 0 && !dropState) {
      throw new JobError(
        'ERR_JOB_RECOVERY',
        `job '${name}': the checkpoint has state of ${lost.join(', ')}, which the pipeline does not have. Name the steps ` +
          "that are to keep their state (step('id', operator)), or set 'dropState' to go on without it.",
      )
    }
    for (const [id, known] of this.parts) {
      const from = checkpoint.steps[id]
      if (from !== undefined) this.loadPart(id, known, from)
    }
  }

  private loadPart(id: string, known: Known, from: number): void {
    const { part, version } = known
    const change = migration(id, version, known.migrate, from)
    const { store } = this
    function* counted() {
      for (const entry of store.entries(id)) {
        known.written += weightOf(entry[1], entry[2])
        yield entry
      }
    }
    part.load(store.head(id), counted(), change)
    known.renew = change !== undefined || store.isInPlace(id) !== (part.inPlace !== undefined)
  }

  private take(id: string, known: Known): PartToSave {
    const { part } = known
    const { inPlace } = part
    const isStale = inPlace === undefined && known.written > Math.max(STALE, 2 * part.size)
    const all = known.renew || isStale
    try {
      const { head, entries } = part.save(all)
      const chunks: Uint8Array[] = []
      known.renew = false
      if (inPlace !== undefined) {
        return { step: id, all, head: serialize(head), chunks, places: placesOf(entries, inPlace) }
      }
      let written = all ? 0 : known.written
      let weight = 0
      let from = 0
      for (let at = 0; at < entries.length; at += 3) {
        checkKey(entries[at])
        weight += weightOf(entries[at + 1] as Change, entries[at + 2])
        if (weight < CHUNK && at + 3 < entries.length) continue
        chunks.push(serialize(entries.slice(from, at + 3)))
        written += weight
        weight = 0
        from = at + 3
      }
      known.written = written
      return { step: id, all, head: serialize(head), chunks }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new JobError('ERR_JOB_SAVE', `job '${this.options.name}': what ${id} keeps cannot be saved: ${why}`, {
        cause: error,
      })
    }
  }

  /** Nothing is on its way any more. */
  private async drain(): Promise<void> {
    // Whatever was about to come out of a source at this moment has come after this.
    await turn()
    for (let looks = 0; ; looks++) {
      this.demandRunning()
      let idle = true
      for (const holder of this.holders) idle &&= holder.idle
      if (idle) return
      if (looks < 100) await turn()
      else await sleep(1)
    }
  }

  private demandRunning(): void {
    if (!this.stopped) return
    throw new JobError('ERR_JOB_STATE', `job '${this.options.name}' has ended meanwhile`)
  }
}

/** `migrate` for state of version `from`; undefined where nothing has changed. */
export function migration(id: string, version: number, migrate: Migrate | undefined, from: number) {
  if (from === version) return undefined
  if (migrate !== undefined && from < version) return (value: unknown, key: unknown) => migrate(value, from, key)
  const why = from > version ? 'which is newer' : "and there is no 'migrate'"
  throw new JobError('ERR_JOB_RECOVERY', `the state of ${id} has version ${from}, the pipeline ${version}, ${why}`)
}

/** Each entry by itself, at its key's place; undefined where the key is gone. */
function placesOf(entries: readonly unknown[], inPlace: (key: unknown) => string): [string, Uint8Array | undefined][] {
  const places: [string, Uint8Array | undefined][] = []
  for (let at = 0; at < entries.length; at += 3) {
    const gone = entries[at + 1] === Change.Gone
    places.push([inPlace(entries[at]), gone ? undefined : serialize(entries.slice(at, at + 3))])
  }
  return places
}

function checkKey(key: unknown): void {
  if ((typeof key === 'object' && key !== null) || typeof key === 'function' || typeof key === 'symbol') {
    throw new TypeError('the keys of a job must be texts, numbers, booleans, bigints, null or undefined')
  }
}
