import type { Observable } from 'rxjs'
import { StreamChecker } from '../streams/check'
import type { Sink } from './sinks'
import type { Source } from './sources'

/** What `pipeline` gets. */
export interface JobContext {
  readonly name: string
  /** A source whose position is in the checkpoints, under a name that stays. Pull it by one subscription: `share()` it for more. */
  source<T, P>(name: string, source: Source<T, P>): Observable<T>
}

export interface CheckpointOptions {
  /** The folder where the checkpoints live: a file `NAME.job` for each job. */
  store: string
  /** Milliseconds from one checkpoint to the next (default 1000). */
  every?: number
}

export interface JobOptions<T> {
  /** Its checkpoints are found again by it: letters, digits, '.', '-', '_'. */
  name: string
  /** Makes the stream. Called at each start; what has state in it is saved, and put back. */
  pipeline: (job: JobContext) => Observable<T>
  /** Where the results go; without one they go nowhere. */
  sink?: Sink<T>
  /** A folder, or options. */
  checkpoint: string | CheckpointOptions
  /**
   * Begins with this snapshot instead of the last checkpoint. A later start with the same `from` goes on where the job was.
   */
  from?: string
  /** Whether state may be dropped whose step is not in the pipeline any more (default false: an error). */
  dropState?: boolean
}

/** Job options, checked, with all defaults. */
export interface CompleteJobOptions<T> {
  name: string
  pipeline: (job: JobContext) => Observable<T>
  sink: Sink<T> | undefined
  store: string
  every: number
  from: string | undefined
  dropState: boolean
}

const NAME = /^[\w.-]{1,100}$/
const KNOWN = ['name', 'pipeline', 'sink', 'checkpoint', 'from', 'dropState']
const SINK = ['open', 'write', 'prepare', 'commit', 'close'] as const

/** Where checkpoints go, and milliseconds between two of them: a folder, or `{ store, every }`. */
export function checkCheckpoint(
  check: StreamChecker,
  checkpoint: string | CheckpointOptions | undefined,
): { store: string | undefined; every: number | undefined } {
  if (typeof checkpoint === 'string') return { store: check.text('checkpoint', checkpoint), every: undefined }
  if (checkpoint === undefined) check.problem("'checkpoint' is missing: a folder, or { store, every }")
  if (checkpoint === undefined || !check.object('checkpoint', checkpoint, ['store', 'every'])) {
    return { store: undefined, every: undefined }
  }
  const store = check.text('checkpoint.store', checkpoint.store)
  if (checkpoint.store === undefined) check.problem("'checkpoint.store' is missing")
  return { store, every: check.time('checkpoint.every', checkpoint.every, false) }
}

export function validateJob<T>(options: JobOptions<T>): CompleteJobOptions<T> {
  const check = new StreamChecker('runJob', options ?? {}, KNOWN)
  const { name, pipeline, sink, checkpoint } = options ?? {}
  checkName(check, 'name', name)
  check.fn('pipeline', pipeline, true)
  const missing = SINK.filter((part) => typeof (sink as Partial<Sink<T>> | null | undefined)?.[part] !== 'function')
  if (sink !== undefined && missing.length > 0) {
    check.problem(`'sink' must be a sink, with ${SINK.map((part) => `${part}()`).join(', ')}`, sink)
  }
  const { store, every } = checkCheckpoint(check, checkpoint)
  if (options?.from !== undefined) checkName(check, 'from', options.from)
  const dropState = check.flag('dropState', options?.dropState) ?? false
  check.done()
  return { name, pipeline, sink, store: store!, every: every ?? 1000, from: options.from, dropState }
}

export function checkName(check: StreamChecker, what: string, name: unknown): void {
  if (typeof name === 'string' && NAME.test(name)) return
  check.problem(`'${what}' must be 1 to 100 letters, digits, '.', '-' or '_'`, name)
}
