import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { deserialize, serialize } from 'node:v8'
import type { Key, RootDatabase } from 'lmdb'
import type { Change } from '../checkpoint/part'
import { JobError } from '../errors'
import type { SavedPython } from './python'

/** What a checkpoint knows besides the state of the operators. */
export interface Checkpoint {
  readonly format: 1
  readonly epoch: number
  /** The source has ended, and everything is out. */
  readonly finished: boolean
  /** The version of each step with state. */
  readonly steps: Readonly<Record<string, number>>
  readonly positions: Readonly<Record<string, unknown>>
  readonly sink: unknown
  readonly python: Readonly<Record<string, SavedPython>>
  /** The snapshot that this run of the job began with. */
  readonly from: string | undefined
}

/** What a checkpoint writes for one operator. */
export interface PartToSave {
  readonly step: string
  /** The entries are all there are: what was there before goes. */
  readonly all: boolean
  readonly head: Uint8Array
  readonly chunks: readonly Uint8Array[]
  /** In place of chunks: entries at their keys' places, undefined for those that go. */
  readonly places?: readonly (readonly [place: string, entry: Uint8Array | undefined])[]
}

/** What is put at a place in the store; undefined: it is removed. */
export type StoreChange = readonly [key: Key, value: Uint8Array | undefined]

/** The most entries in one value of the store. */
export const CHUNK = 8192

export const LIVE = 'live'

/**
 * A job's checkpoints in an LMDB file. Each epoch is one transaction: after a crash, of this process or of the machine, the
 * file has either all of it or nothing. The state of an operator is a list of chunks, each with the changes of one epoch;
 * now and then the job writes all of it anew in place of the list. State that outgrows memory has a value for each key instead.
 */
export class JobStore {
  protected readonly db: RootDatabase<Buffer, Key>
  protected readonly next = new Map<string, number>()

  constructor(
    folder: string,
    protected readonly name: string,
  ) {
    mkdirSync(folder, { recursive: true })
    // Loaded here, so that programs without jobs do without it.
    const { open } = require('lmdb') as typeof import('lmdb')
    this.db = open<Buffer, Key>({
      path: join(folder, `${name}.job`),
      noSubdir: true,
      encoding: 'binary',
      // A commit that is reported is on the disk.
      overlappingSync: false,
      cache: false,
    })
    this.own()
  }

  /** The last checkpoint, or that of a named snapshot. */
  checkpoint(snapshot?: string): Checkpoint | undefined {
    const data = this.db.get([areaOf(snapshot), 'checkpoint'])
    return data === undefined ? undefined : (deserialize(data) as Checkpoint)
  }

  head(step: string): unknown {
    const data = this.db.get([LIVE, 'head', step])
    return data === undefined ? undefined : deserialize(data)
  }

  *entries(step: string): Generator<readonly [key: unknown, change: Change, value: unknown]> {
    for (const { value } of this.chunks(LIVE, step)) {
      const entries = deserialize(value) as unknown[]
      for (let at = 0; at < entries.length; at += 3) {
        yield [entries[at], entries[at + 1] as Change, entries[at + 2]]
      }
    }
  }

  /** Whether the entries of a step are at their keys' places. */
  isInPlace(step: string): boolean {
    for (const key of this.db.getKeys({ ...entriesOf(LIVE, step), limit: 1 })) {
      return typeof (key as Key[])[3] === 'string'
    }
    return false
  }

  /** Resolves when the checkpoint is on the disk. */
  async save(checkpoint: Checkpoint, parts: readonly PartToSave[]): Promise<void> {
    await this.apply(this.changesOf(checkpoint, parts))
  }

  /** What a checkpoint puts into the store, and what it removes (undefined), in order. */
  protected changesOf(checkpoint: Checkpoint, parts: readonly PartToSave[]): StoreChange[] {
    const changes: StoreChange[] = []
    const remove = (keys: readonly Key[]) => {
      for (const key of keys) changes.push([key, undefined])
    }
    for (const { step } of parts.filter(({ all }) => all)) remove(this.keysOf(LIVE, step))
    const known = Object.keys(checkpoint.steps)
    for (const step of this.stepsIn(LIVE).filter((step) => !known.includes(step))) {
      remove([[LIVE, 'head', step], ...this.keysOf(LIVE, step)])
    }
    for (const { step, head, chunks, places } of parts) {
      changes.push([[LIVE, 'head', step], head])
      for (const [place, entry] of places ?? []) changes.push([[LIVE, 'entries', step, place], entry])
      for (const chunk of chunks) changes.push([[LIVE, 'entries', step, this.takeNumber(step)], chunk])
    }
    changes.push([[LIVE, 'checkpoint'], serialize(checkpoint)])
    return changes
  }

  /** All of the changes or none, and on the disk when it resolves. */
  protected async apply(changes: readonly StoreChange[]): Promise<void> {
    const { db } = this
    await db.batch(() => {
      for (const [key, value] of changes) {
        if (value === undefined) db.remove(key)
        else db.put(key, value as Buffer)
      }
    })
  }

  snapshots(): string[] {
    const names = new Set<string>()
    for (const { key } of this.db.getRange({ start: ['snapshot:'], end: ['snapshot;'] })) {
      names.add(((key as Key[])[0] as string).slice('snapshot:'.length))
    }
    return [...names]
  }

  /** Keeps the last checkpoint under a name. */
  async keep(snapshot: string): Promise<void> {
    await this.copy(LIVE, areaOf(snapshot), (checkpoint) => checkpoint)
  }

  /** Makes a snapshot the last checkpoint. */
  async rewind(snapshot: string): Promise<void> {
    await this.copy(areaOf(snapshot), LIVE, (checkpoint) => ({ ...checkpoint, from: snapshot }))
    this.next.clear()
  }

  async drop(snapshot: string): Promise<boolean> {
    const keys = this.keysOfArea(areaOf(snapshot))
    await this.db.batch(() => {
      for (const key of keys) this.db.remove(key)
    })
    return keys.length > 0
  }

  async close(): Promise<void> {
    const { db } = this
    await db.flushed
    db.transactionSync(() => {
      if (this.owner()?.pid === process.pid) db.removeSync(['owner'])
    })
    await db.close()
  }

  private async copy(from: string, to: string, change: (checkpoint: Checkpoint) => Checkpoint): Promise<void> {
    const { db } = this
    const old = this.keysOfArea(to)
    await db.transaction(() => {
      for (const key of old) db.remove(key)
      for (const { key, value } of db.getRange(rangeOf(from))) {
        const [, kind, ...rest] = key as Key[]
        const data = kind === 'checkpoint' ? serialize(change(deserialize(value) as Checkpoint)) : value
        db.put([to, kind, ...rest] as Key, Buffer.from(data))
      }
    })
  }

  /** One process at a time: who is killed leaves its mark, and is known to be gone by its start. */
  private own(): void {
    const { db } = this
    const me: Owner = { pid: process.pid, started: startOf(process.pid) }
    const other = db.transactionSync(() => {
      const owner = this.owner()
      if (owner !== undefined && isThere(owner)) return owner
      db.putSync(['owner'], serialize(me))
      return undefined
    })
    if (other === undefined) return
    void db.close()
    const who = other.pid === process.pid ? 'this process' : `process ${other.pid}`
    throw new JobError('ERR_JOB_RUNNING', `job '${this.name}' is running already, in ${who}`)
  }

  private owner(): Owner | undefined {
    const data = this.db.get(['owner'])
    return data === undefined ? undefined : (deserialize(data) as Owner)
  }

  private takeNumber(step: string): number {
    let number = this.next.get(step)
    if (number === undefined) {
      number = 0
      for (const key of this.keysOf(LIVE, step)) {
        const last = (key as Key[])[3]
        if (typeof last === 'number') number = last + 1
      }
    }
    this.next.set(step, number + 1)
    return number
  }

  private stepsIn(area: string): string[] {
    const steps: string[] = []
    for (const { key } of this.db.getRange({ start: [area, 'head'], end: [area, 'heae'] })) {
      steps.push((key as Key[])[2] as string)
    }
    return steps
  }

  private chunks(area: string, step: string) {
    return this.db.getRange(entriesOf(area, step))
  }

  private keysOf(area: string, step: string): Key[] {
    return [...this.db.getKeys(entriesOf(area, step))]
  }

  protected keysOfArea(area: string): Key[] {
    return [...this.db.getKeys(rangeOf(area))]
  }
}

interface Owner {
  pid: number
  /** When the process started, as the kernel counts: a later process with the same id is another one. */
  started: string | undefined
}

function isThere({ pid, started }: Owner): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // Another user's process may not be signalled, and is there.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  return startOf(pid) === started
}

function startOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}

function areaOf(snapshot: string | undefined): string {
  return snapshot === undefined ? LIVE : `snapshot:${snapshot}`
}

/** All of a step's; the names of steps have no '!'. */
function entriesOf(area: string, step: string) {
  return { start: [area, 'entries', step], end: [area, 'entries', `${step}!`] }
}

function rangeOf(area: string) {
  return { start: [area, 'checkpoint'], end: [area, 'heae'] }
}
