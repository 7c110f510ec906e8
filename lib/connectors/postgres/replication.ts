import type { Client } from 'pg'
import type { Pgoutput, PgoutputPlugin } from 'pg-logical-replication'
import { loadClient } from '../client'
import { LogQueue } from '../tables/logQueue'
import { type Connections, rawOf } from './connection'
import type { ParseValue } from './types'

/** A message of the log, or a sign that there was nothing for us up to `lsn`. */
export type LogMessage = Pgoutput.Message | { readonly tag: 'idle'; readonly lsn: bigint }

/** How often the server is told where we are, in milliseconds. */
const STATUS = 5_000
/** Silence of the server after which it counts as gone, though it is asked to answer, in milliseconds. */
const SILENCE = 30_000

const WAL_DATA = 0x77
const KEEPALIVE = 0x6b
const STATUS_UPDATE = 0x72
/** Milliseconds from 1970 to 2000, when PostgreSQL's time begins. */
const EPOCH_2000 = 946_684_800_000

export interface SessionOptions {
  readonly slot: string
  readonly publication: string
  /** Where to begin. */
  readonly lsn: string
  /** So many messages are read ahead, and about a network buffer more. */
  readonly readAhead: number
  readonly parserOf: ParseValue
}

/** One stream of the log. Reads ahead, but not more than so many messages: then the server has to wait. */
export class ReplicationSession {
  private readonly queue: LogQueue<LogMessage>
  private received = 0n
  private heard = Date.now()
  private timer: NodeJS.Timeout | undefined

  private constructor(
    private readonly connections: Connections,
    private readonly client: Client,
    private readonly plugin: PgoutputPlugin,
    private readonly options: SessionOptions,
    private confirmed: bigint,
  ) {
    this.received = confirmed
    const { stream } = rawOf(client)
    this.queue = new LogQueue({
      readAhead: options.readAhead,
      pause: () => stream.pause(),
      resume: () => {
        this.heard = Date.now()
        stream.resume()
      },
    })
  }

  /** Begins to stream; `confirmed` is what the slot may forget already. */
  static async open(connections: Connections, options: SessionOptions, confirmed: bigint): Promise<ReplicationSession> {
    const { PgoutputPlugin: Plugin } = await loadClient<typeof import('pg-logical-replication')>(
      'pg-logical-replication',
      '^2.3.0',
    )
    const plugin = new Plugin({ protoVersion: 1, publicationNames: [options.publication] })
    const client = await connections.connect({ replication: 'database' })
    const session = new ReplicationSession(connections, client, plugin, options, confirmed)
    await session.start()
    return session
  }

  /** As the queue's. */
  take(): LogMessage | undefined {
    return this.queue.take()
  }

  wait(): Promise<void> {
    return this.queue.wait()
  }

  /** The server may forget what lies before. */
  confirm(lsn: bigint): void {
    if (lsn <= this.confirmed) return
    this.confirmed = lsn
    if (lsn > this.received) this.received = lsn
    this.tell(false)
  }

  async close(): Promise<void> {
    clearInterval(this.timer)
    this.fail(new Error('the source is closed'))
    // `end` would wait behind the stream, which has none.
    rawOf(this.client).stream.destroy()
    await this.connections.end(this.client)
  }

  private async start(): Promise<void> {
    const { client, options, plugin } = this
    const raw = rawOf(client)
    const started = new Promise<void>((resolve, reject) => {
      raw.once('replicationStart', resolve)
      raw.on('copyData', ({ chunk }) => this.receive(chunk))
      client.once('end', () => this.fail(new Error('Connection terminated')))
      client.on('error', (error) => this.fail(error))
      plugin.start(client, options.slot, options.lsn).then(
        () => this.fail(new Error('Connection terminated: the server has ended the stream')),
        (error) => {
          this.fail(error)
          reject(error)
        },
      )
    })
    try {
      await started
    } catch (error) {
      await this.connections.end(client)
      throw error
    }
    this.timer = setInterval(() => this.check(), STATUS)
    // It must not keep a process alive that has nothing else to do.
    this.timer.unref()
  }

  private receive(chunk: Buffer): void {
    this.heard = Date.now()
    const lsn = chunk.readBigUInt64BE(1)
    if (chunk[0] === WAL_DATA) {
      try {
        this.received = lsn
        const message = this.plugin.parse(chunk.subarray(25))
        if (message.tag === 'relation') this.ownParsers(message)
        this.queue.push(message)
      } catch (error) {
        this.fail(error)
      }
    } else if (chunk[0] === KEEPALIVE) {
      if (lsn > this.received) this.received = lsn
      if (chunk[17] === 1) this.tell(false)
      // The newest of several says it all.
      if (this.queue.last?.tag === 'idle') this.queue.replaceLast({ tag: 'idle', lsn })
      else this.queue.push({ tag: 'idle', lsn })
    }
  }

  /** Values as the options say, not as `pg` is set elsewhere in the program. */
  private ownParsers(relation: Pgoutput.MessageRelation): void {
    for (const column of relation.columns) column.parser = this.options.parserOf(column.typeOid)
  }

  private check(): void {
    if (!this.queue.isPaused && Date.now() - this.heard > SILENCE) {
      this.fail(new Error(`Connection terminated: nothing has come from the server for ${SILENCE / 1000} s`))
      rawOf(this.client).stream.destroy()
      return
    }
    this.tell(true)
  }

  /** Tells the server what has come and what it may forget; `ask` wants an answer. */
  private tell(ask: boolean): void {
    if (this.queue.failure !== undefined) return
    const status = Buffer.alloc(34)
    status[0] = STATUS_UPDATE
    status.writeBigUInt64BE(this.received, 1)
    status.writeBigUInt64BE(this.confirmed, 9)
    status.writeBigUInt64BE(this.confirmed, 17)
    status.writeBigUInt64BE(BigInt(Date.now() - EPOCH_2000) * 1000n, 25)
    status[33] = ask ? 1 : 0
    rawOf(this.client).sendCopyFromChunk(status)
  }

  private fail(error: unknown): void {
    if (this.queue.failure !== undefined) return
    this.queue.fail(this.connections.safe(error))
    clearInterval(this.timer)
  }
}
