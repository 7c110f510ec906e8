import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deserialize, serialize } from 'node:v8'
import type { RootDatabase } from 'lmdb'
import type { Changes } from '../checkpoint/part'
import { OptionError, StateFullError } from '../errors'
import { StreamChecker } from './check'
import {
  checkStateOptions,
  PLAIN,
  STATE_KEYS,
  type StateForm,
  type StateLimits,
  type StateOptions,
  type StateStore,
} from './state'

export interface DiskStateOptions<K = unknown, S = unknown> extends StateOptions<K, S> {
  /** How many keys stay in memory (default 100,000); others go to the disk, those that were set longest ago first. */
  memory?: number
  /** Where the file lives, which has no name and is gone with the process (default: the system's folder for such files). */
  folder?: string
}

/** A value, and which `set` it is from. */
export interface Kept<S> {
  value: S
  since: number
  order: number
  /** The `order` of what the disk has for the key. */
  disk: number | undefined
}

const MEMORY = 100_000
const LONGEST_KEY = 512
/** How many of the oldest are looked at together. */
const SOME = 256

/**
 * A store for keyed state that outgrows memory: `mapKeyed(…, { store: () => diskState({ memory: 50_000 }) })`. Values are what
 * `structuredClone` can copy; what you change in place must be `set` again. Keys are texts, numbers, booleans, bigints or null.
 *
 * The file is a scratch, in LMDB. In a job, checkpoints have the state as well, and write what has changed.
 */
export function diskState<K, S>(options?: DiskStateOptions<K, S>): StateStore<K, S> {
  const check = new StreamChecker('diskState', options, [...STATE_KEYS, 'memory', 'folder'])
  const limits = checkStateOptions(check, options)
  const memory = check.whole('memory', options?.memory, 1, 2 ** 24) ?? MEMORY
  const folder = check.text('folder', options?.folder) ?? tmpdir()
  check.done()
  return new DiskState(limits, memory, folder)
}

/**
 * What was set lately is in `fresh`, in the order of the last `set`; from there the oldest go to the disk, many in one
 * transaction. So what is on the disk was set before all that is fresh, and what is over is found from that end.
 */
export class DiskState<K, S> implements StateStore<K, S> {
  /** Where there is a job: what its next checkpoint has to write. */
  changes: Changes<K> | undefined
  private readonly fresh = new Map<K, Kept<S>>()
  /** Keys that are deleted, but still on the disk: with which order. */
  private readonly gone = new Map<K, number>()
  /** What was read from the disk lately. */
  private readonly read = new Map<K, Kept<S>>()
  private readonly db: RootDatabase<Buffer, Buffer>
  private readonly ordered: boolean
  private count = 0
  private orders = 0
  /** No key on the disk was set before it. */
  private oldestOnDisk = Number.POSITIVE_INFINITY
  closed = false
  /** How values are written, and made again. */
  form: StateForm<S> = PLAIN

  constructor(
    private readonly limits: StateLimits<K, S>,
    private readonly memory: number,
    folder: string,
  ) {
    this.ordered = limits.ttl !== Number.POSITIVE_INFINITY || limits.evict
    this.db = openScratch(folder)
  }

  get size(): number {
    this.expire()
    return this.count
  }

  get(key: K): S | undefined {
    this.expire()
    return this.find(key)?.value
  }

  set(key: K, value: S): void {
    const { limits } = this
    const now = this.expire()
    if (this.find(key) === undefined && this.count >= limits.maxKeys) {
      if (!limits.evict) throw new StateFullError(`keyed state: more than ${limits.maxKeys} keys ('maxKeys')`)
      this.dropOldest()
    }
    this.put(key, value, limits.stamp === undefined ? now : limits.stamp())
    this.changes?.added(key)
  }

  delete(key: K): boolean {
    this.expire()
    const kept = this.find(key)
    if (kept === undefined) return false
    this.forget(key, kept)
    return true
  }

  *entries(): Generator<readonly [K, S]> {
    this.expire()
    for (const [key, { value }] of this.all()) yield [key, value]
  }

  clear(): void {
    if (this.changes !== undefined) for (const [key] of this.all()) this.changes.removed(key)
    for (const map of [this.fresh, this.gone, this.read]) map.clear()
    this.db.clearSync()
    this.count = 0
    this.oldestOnDisk = Number.POSITIVE_INFINITY
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    void this.db.close()
  }

  /** What is kept for a key, whether it is over or not. */
  find(key: K): Kept<S> | undefined {
    const here = this.fresh.get(key) ?? this.read.get(key)
    if (here !== undefined || this.gone.has(key)) return here
    const data = this.db.get(recordOf(key))
    if (data === undefined) return undefined
    const [, kept] = this.unpack(data)
    if (this.read.size * 4 >= this.memory) for (const oldest of this.read.keys()) if (this.read.delete(oldest)) break
    this.read.set(key, kept)
    return kept
  }

  /** Sets a value as it was set at `since`, in that `order`. */
  put(key: K, value: S, since: number, order = this.orders): void {
    const { fresh } = this
    const known = this.find(key)
    if (known === undefined) this.count++
    if (this.ordered || known === undefined || !fresh.has(key)) {
      const disk = known?.disk ?? this.gone.get(key)
      fresh.delete(key)
      this.read.delete(key)
      this.gone.delete(key)
      fresh.set(key, { value, since, order, disk })
      this.orders = Math.max(this.orders, order + 1)
      if (fresh.size > this.memory) this.spill()
    } else {
      known.value = value
    }
  }

  /** Everything: what is on the disk, in no order, then the rest in the order of the last `set`. */
  *all(): Generator<readonly [K, Kept<S>]> {
    const { fresh, gone } = this
    for (const { value: data } of this.db.getRange(RECORDS)) {
      const [key, kept] = this.unpack(data)
      if (!fresh.has(key) && !gone.has(key)) yield [key, kept]
    }
    yield* fresh
  }

  /** Deletes a key, whether it is over or not. */
  remove(key: K): void {
    const kept = this.find(key)
    if (kept !== undefined) this.forget(key, kept)
  }

  /** After `put` in an order that was not that of the calls: all of it to the disk, where it lies by its order. */
  settle(): void {
    this.spill(this.fresh.size)
  }

  private forget(key: K, { disk }: Kept<S>): void {
    this.fresh.delete(key)
    this.read.delete(key)
    this.count--
    if (disk !== undefined) this.gone.set(key, disk)
    this.changes?.removed(key)
    if (this.gone.size > this.memory) this.spill()
  }

  /** Part of what is in memory goes to the disk. */
  private spill(left = Math.ceil(this.fresh.size / 4)): void {
    const { db, fresh, gone, ordered } = this
    db.transactionSync(() => {
      for (const [key, order] of gone) {
        db.removeSync(recordOf(key))
        if (ordered) db.removeSync(placeOf(order))
      }
      gone.clear()
      for (const [key, kept] of fresh) {
        if (left === 0) break
        left--
        const { value, since, order, disk } = kept
        const record = recordOf(key)
        if (ordered && disk !== undefined) db.removeSync(placeOf(disk))
        db.putSync(record, serialize([key, this.form.save(value), since, order]))
        if (ordered) db.putSync(placeOf(order), record)
        this.oldestOnDisk = Math.min(this.oldestOnDisk, since)
        fresh.delete(key)
      }
    })
  }

  private unpack(data: Buffer): readonly [K, Kept<S>] {
    const [key, saved, since, order] = deserialize(data) as [K, unknown, number, number]
    return [key, { value: this.form.load(saved), since, order, disk: order }]
  }

  private expire(): number {
    const { ttl, now } = this.limits
    if (ttl === Number.POSITIVE_INFINITY) return 0
    const time = now()
    const isOver = ({ since }: Kept<S>) => time - since >= ttl
    if (time - this.oldestOnDisk >= ttl) this.dropFromDisk(isOver)
    for (const [key, kept] of this.fresh) {
      if (!isOver(kept)) break
      this.forget(key, kept)
      this.limits.onEvict?.(key, kept.value)
    }
    return time
  }

  private dropOldest(): void {
    let dropped = false
    const isFirst = () => {
      if (dropped) return false
      dropped = true
      return true
    }
    this.dropFromDisk(isFirst)
    if (dropped) return
    for (const [key, kept] of this.fresh) {
      this.forget(key, kept)
      this.limits.onEvict?.(key, kept.value)
      return
    }
  }

  /** Drops from the disk, the oldest first, as long as `drops` says so. */
  private dropFromDisk(drops: (kept: Kept<S>) => boolean): void {
    const { db, fresh, gone } = this
    const dropped: [K, S][] = []
    db.transactionSync(() => {
      for (;;) {
        const some = [...db.getRange({ ...PLACES, limit: SOME })]
        for (const { key: place, value: record } of some) {
          const data = db.get(record)
          const [key, kept] = data === undefined ? [] : this.unpack(data)
          // Set again or deleted since: the next spill sees to the rest.
          const isOutdated = kept === undefined || fresh.has(key as K) || gone.has(key as K)
          if (!isOutdated && !drops(kept)) {
            this.oldestOnDisk = kept.since
            return
          }
          db.removeSync(place)
          if (isOutdated) continue
          db.removeSync(record)
          this.read.delete(key as K)
          this.count--
          this.changes?.removed(key as K)
          dropped.push([key as K, kept.value])
        }
        if (some.length < SOME) break
      }
      this.oldestOnDisk = Number.POSITIVE_INFINITY
    })
    for (const [key, value] of dropped) this.limits.onEvict?.(key, value)
  }
}

function openScratch(folder: string): RootDatabase<Buffer, Buffer> {
  mkdirSync(folder, { recursive: true })
  const path = mkdtempSync(join(folder, 'rxjs-python-state-'))
  // Loaded here, so that programs without it do without.
  const { open } = require('lmdb') as typeof import('lmdb')
  const db = open<Buffer, Buffer>({
    path: join(path, 'state'),
    noSubdir: true,
    encoding: 'binary',
    keyEncoding: 'binary',
    // Nobody will read it after a crash.
    noSync: true,
    cache: false,
  })
  // It lives as long as it is open, however the process ends.
  rmSync(path, { recursive: true, force: true })
  return db
}

const PLACE = 0x69
const RECORD = 0x6b
const PLACES = { start: Buffer.of(PLACE), end: Buffer.of(PLACE + 1) }
const RECORDS = { start: Buffer.of(RECORD), end: Buffer.of(RECORD + 1) }

/** Sorts as the numbers do. */
function placeOf(order: number): Buffer {
  const place = Buffer.alloc(9, PLACE)
  place.writeDoubleBE(order, 1)
  return place
}

function recordOf(key: unknown): Buffer {
  return Buffer.concat([Buffer.of(RECORD), bytesOf(key)])
}

/** Bytes for each key, the same for the same key, and not too many for LMDB. */
export function bytesOf(key: unknown): Buffer {
  const type = typeof key
  if ((type === 'object' && key !== null) || type === 'function' || type === 'symbol') {
    throw new OptionError(['diskState: keys must be texts, numbers, booleans, bigints, null or undefined'])
  }
  // Not UTF-8, in which half a character is like any other half.
  const bytes = Buffer.from(`${type[0]}${type[2]}${key}`, 'utf16le')
  return bytes.length <= LONGEST_KEY ? bytes : createHash('sha512').update(bytes).digest()
}
