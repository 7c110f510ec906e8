import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { deserialize, serialize } from 'node:v8'
import type { Key, RootDatabase } from 'lmdb'
import type { NodeReport, RunState } from './types'

/** A run, as the store knows it. */
export interface RunRecord {
  readonly id: string
  readonly pipelineName: string
  /** `interrupted`: its process ended before it did. */
  readonly state: RunState | 'interrupted'
  readonly flowInput: unknown
  /** The node from which on it ran, where that was not the whole. */
  readonly from: string | undefined
  /** An algorithm of another run has started it. */
  readonly nested: boolean
  /** Milliseconds since 1970. */
  readonly started: number
  readonly ended: number | undefined
  readonly nodes: Readonly<Record<string, NodeReport>>
}

interface Saved extends RunRecord {
  readonly pid: number
  /** What the runs of one process begin in the same millisecond are told apart by. */
  readonly order: number
}

/** Runs and node results in an LMDB file, which several processes may use at a time. */
export class RunStore {
  private readonly db: RootDatabase<Buffer, Key>
  private count = 0

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true })
    // Loaded here: pipelines without a store do without it.
    const { open } = require('lmdb') as typeof import('lmdb')
    this.db = open<Buffer, Key>({ path: join(folder, 'runs.lmdb'), noSubdir: true, encoding: 'binary', cache: false })
  }

  async put(record: RunRecord): Promise<void> {
    const known = this.saved(record.id)
    const order = known?.order ?? ++this.count
    const saved: Saved = { ...record, pid: process.pid, order }
    await this.db.put(['run', record.id], bytes(saved) ?? bytes({ ...saved, flowInput: undefined })!)
  }

  get(id: string): RunRecord | undefined {
    const saved = this.saved(id)
    return saved === undefined ? undefined : recordOf(saved)
  }

  /** The runs, the last one first. */
  list(pipelineName?: string): RunRecord[] {
    const found: Saved[] = []
    for (const { value } of this.db.getRange({ start: ['run'], end: ['run', '\uffff'] })) {
      found.push(deserialize(value) as Saved)
    }
    return found
      .filter((run) => pipelineName === undefined || run.pipelineName === pipelineName)
      .sort((a, b) => b.started - a.started || b.order - a.order)
      .map(recordOf)
  }

  result(key: string): { value: unknown } | undefined {
    const data = this.db.get(['result', key])
    return data === undefined ? undefined : { value: deserialize(data) }
  }

  /** False where the value is no data. */
  async keep(key: string, value: unknown): Promise<boolean> {
    const data = bytes(value)
    if (data === undefined) return false
    await this.db.put(['result', key], data)
    return true
  }

  close(): Promise<void> {
    return this.db.close()
  }

  private saved(id: string): Saved | undefined {
    const data = this.db.get(['run', id])
    return data === undefined ? undefined : (deserialize(data) as Saved)
  }
}

function recordOf({ pid, order: _order, ...record }: Saved): RunRecord {
  const open = record.state === 'running' || record.state === 'waiting'
  return open && !lives(pid) ? { ...record, state: 'interrupted' } : record
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Undefined for what `structuredClone` cannot copy. */
function bytes(value: unknown): Buffer | undefined {
  try {
    return serialize(value)
  } catch {
    return undefined
  }
}

/** By what a result is found: the code, and the inputs of the tasks. Undefined where the inputs are no data. */
export function resultKey(code: string, tasks: readonly (readonly unknown[])[]): string | undefined {
  const inputs = bytes(sorted(tasks))
  return inputs === undefined ? undefined : createHash('sha256').update(code).update('\0').update(inputs).digest('hex')
}

/** With the fields of objects in one order, whichever they were made in. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([key, one]) => [key, sorted(one)]))
}

const open = new Map<string, { store: RunStore; users: number }>()

/** The store in a folder; one for all pipelines of this process. Each `openStore` needs a `closeStore`. */
export function openStore(folder: string): RunStore {
  const path = resolve(folder)
  const known = open.get(path) ?? { store: new RunStore(path), users: 0 }
  known.users++
  open.set(path, known)
  return known.store
}

export async function closeStore(folder: string): Promise<void> {
  const path = resolve(folder)
  const known = open.get(path)
  if (known === undefined || --known.users > 0) return
  open.delete(path)
  await known.store.close()
}
