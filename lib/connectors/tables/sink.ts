import { randomUUID } from 'node:crypto'
import { JobError } from '../../errors'
import type { Sink } from '../../jobs/sinks'
import { anySignal } from '../options'
import { BatchBuilder, type RowBatch } from './batch'
import type { CompleteTableSink } from './options'

/** One epoch of one run of a job: what is staged under it is either applied as a whole or never seen. */
export interface EpochToken {
  readonly sink: string
  /** Another one for each time that the sink is opened: what a dead process may still write belongs to nobody. */
  readonly run: string
  readonly epoch: number
}

/**
 * Takes a row that the database refused. Called before the transaction is committed without the row: where this throws,
 * nothing of the transaction remains.
 */
export type Refused = (error: unknown, row: unknown) => void

/**
 * What a sink needs of a database. Each call is one transaction, done again where the connection was lost in it. `B` is a
 * batch in the form that the database takes.
 */
export interface TableStore<B> {
  /** Connects, and sees that nobody else writes under this name. */
  open(signal: AbortSignal): Promise<void>
  /** Called as soon as a batch is full, so that the database works on the last one meanwhile. */
  encode(batch: RowBatch): B
  /** Keeps batches of the epoch, numbered from `first` on, unseen. To do it twice is to do it once. */
  stage(token: EpochToken, first: number, batches: readonly B[]): Promise<void>
  /**
   * Puts all that is staged for the epoch into the table, in the order of its numbers, and takes it out of the stage, with a
   * note that the epoch is in. Where nothing is staged (any more), nothing happens.
   */
  apply(token: EpochToken, refused: Refused): Promise<void>
  /** Makes the sink known as that of this run, and forgets what is staged under its name. */
  begin(sink: string, run: string): Promise<void>
  /** Whether the database has ever heard of the sink. */
  knows(sink: string): Promise<boolean>
  /** Straight into the table. */
  write(batch: B, refused: Refused): Promise<void>
  close(): Promise<void>
}

/** So many transactions may wait for the database before the sources wait, too. */
const WAITING = 2
/** As many rows as are in so many full batches are staged together: each time is a commit, which waits for the disk. */
const TOGETHER = 4

/**
 * A sink whose epochs are transactions. Batches of an epoch are staged as they come; when the epoch's checkpoint is safe, they
 * are applied to the table in one transaction, which also takes them out of the stage. Whoever opens the sink after a
 * crash finds the epoch of the last checkpoint staged, and applies it, or not, and then it is in already.
 */
export class TableSink<T, B> implements Sink<T> {
  private builder: BatchBuilder
  private token: EpochToken
  private prepared: EpochToken | undefined
  private number = 0
  /** Full, and not on its way to the stage. */
  private full: B[] = []
  private rows = 0
  private waiting = 0
  private tail: Promise<unknown> = Promise.resolve()
  private room: { promise: Promise<void>; open: () => void } | undefined
  private failure: { error: unknown } | undefined

  constructor(
    private readonly options: CompleteTableSink<T>,
    private readonly store: TableStore<B>,
    private readonly batch: number,
    private readonly refused: Refused,
    private readonly signal: AbortSignal | undefined,
  ) {
    this.builder = this.newBuilder()
    this.token = { sink: options.name, run: '', epoch: 0 }
  }

  async open(saved: unknown, signal?: AbortSignal): Promise<void> {
    const { name, exactly } = this.options
    const last = (saved ?? undefined) as EpochToken | undefined
    // What was never prepared is forgotten.
    this.builder = this.newBuilder()
    this.failure = undefined
    this.prepared = undefined
    await this.store.open(anySignal(this.signal, signal))
    this.token = { sink: name, run: randomUUID(), epoch: (last?.epoch ?? 0) + 1 }
    if (exactly) await this.recover(name, last)
    this.number = 0
    this.full = []
    this.rows = 0
  }

  write(value: T): void | Promise<void> {
    if (this.failure !== undefined) throw this.failure.error
    try {
      const operations = this.options.to(value)
      if (isList(operations)) for (const operation of operations) this.builder.add(operation)
      else this.builder.add(operations)
    } catch (error) {
      this.refused(error, value)
    }
    if (this.waiting < WAITING) return
    this.room ??= roomToCome()
    return this.room.promise
  }

  async prepare(): Promise<EpochToken | null> {
    this.builder.cut()
    this.stage()
    const mine = this.token
    this.token = { ...mine, epoch: mine.epoch + 1 }
    this.number = 0
    this.prepared = mine
    await this.tail
    if (this.failure !== undefined) throw this.failure.error
    return this.options.exactly ? mine : null
  }

  async commit(): Promise<void> {
    const { prepared } = this
    this.prepared = undefined
    if (prepared === undefined || !this.options.exactly) return
    await this.inTurn(() => this.store.apply(prepared, this.refused))
    if (this.failure !== undefined) throw this.failure.error
  }

  async close(): Promise<void> {
    await this.store.close()
    await this.tail
  }

  private async recover(name: string, last: EpochToken | undefined): Promise<void> {
    if (last !== undefined && last.sink !== name) {
      throw new JobError(
        'ERR_JOB_SINK',
        `the checkpoint is of the sink '${last.sink}', and this one's name is '${name}': give it its old name, or ` +
          'start the job anew under another one',
      )
    }
    if (last !== undefined && !(await this.store.knows(name))) {
      throw new JobError(
        'ERR_JOB_SINK',
        `the database has never heard of the sink '${name}', which the checkpoint is of: it is another database, or one ` +
          'that was put back to an earlier time',
      )
    }
    if (last !== undefined) await this.store.apply(last, this.refused)
    await this.store.begin(name, this.token.run)
  }

  private newBuilder(): BatchBuilder {
    return new BatchBuilder(this.options.key, this.batch, (one) => this.send(one))
  }

  private send(batch: RowBatch): void {
    let encoded: B
    try {
      encoded = this.store.encode(batch)
    } catch (error) {
      // Not the fault of the value that made the batch full.
      this.failure ??= { error }
      return
    }
    if (!this.options.exactly) {
      this.enqueue(() => this.store.write(encoded, this.refused))
      return
    }
    this.full.push(encoded)
    this.rows += batch.deletes.length + batch.upserts.length
    if (this.rows >= TOGETHER * this.batch) this.stage()
  }

  private stage(): void {
    const { token, number, full } = this
    if (full.length === 0) return
    this.full = []
    this.rows = 0
    this.number += full.length
    this.enqueue(() => this.store.stage(token, number, full))
  }

  private enqueue(act: () => Promise<void>): void {
    this.waiting++
    void this.inTurn(act).then(() => {
      this.waiting--
      if (this.waiting >= WAITING && this.failure === undefined) return
      this.room?.open()
      this.room = undefined
    })
  }

  /** One after the other; after a failure nothing more is done, and who asks next is told. */
  private inTurn(act: () => Promise<void>): Promise<void> {
    const done = this.tail.then(async () => {
      if (this.failure !== undefined) return
      try {
        await act()
      } catch (error) {
        this.failure = { error }
      }
    })
    this.tail = done
    return done
  }
}

function isList<O>(operations: O | readonly O[]): operations is readonly O[] {
  return Array.isArray(operations)
}

function roomToCome() {
  let open = () => {}
  const promise = new Promise<void>((resolve) => {
    open = resolve
  })
  return { promise, open }
}
