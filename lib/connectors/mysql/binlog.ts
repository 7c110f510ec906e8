import type ZongJi from '@vlasky/zongji'
import type { AnyBinlogEvent, ColumnSchema, QueryEvent, RotateEvent, RowData, TableMapEvent } from '@vlasky/zongji'
import { DatabaseError } from '../../errors'
import { LogQueue } from '../tables/logQueue'
import { columnsText, type Definition, isSame, type Mend, mendOf } from './columns'
import type { Connections } from './connection'
import type { LogMessage } from './decoder'
import { isUnreadable, logError } from './faults'
import type { LogPlace } from './position'
import { databaseAndName } from './setup'

type Client = typeof import('@vlasky/zongji')

export interface SessionOptions {
  /** Where to begin. */
  readonly log: LogPlace
  /** What this reader is known by among those that read the log of the server. */
  readonly serverId: number
  /** The tables of which rows are wanted: `database.table`. */
  readonly tables: readonly string[]
  /** So many rows are read ahead, and about a network buffer more. */
  readonly readAhead: number
  readonly definitions: ReadonlyMap<string, readonly Definition[]>
  /** The columns of a table as they are now. */
  readonly lookUp: (table: string) => Promise<readonly Definition[]>
}

/** How often the server gives a sign of life when there is nothing else, in milliseconds. */
const HEARTBEAT = 5_000
/** Silence of the server after which it counts as gone, in milliseconds. */
const SILENCE = 30_000
/** How long the client may take to end its connections, in milliseconds. */
const PATIENCE = 1_000

/** A table as the log has it. */
interface Shape {
  /** Another one where the columns, or how they are written, are others. */
  readonly signature: string
  readonly schemas: readonly ColumnSchema[]
  readonly mends: readonly (readonly [name: string, mend: Mend])[]
}

/** One stream of the log. Reads ahead, but not more than so many rows: then the server has to wait. */
export class BinlogSession {
  private readonly queue: LogQueue<LogMessage>
  private asking = false
  /** The rows that come next cannot be right. */
  private spoiled = false
  private stopped: Promise<void> | undefined
  private begun: (() => void) | undefined
  private heard = Date.now()
  private timer: NodeJS.Timeout | undefined
  private readonly shapes = new Map<string, Shape>()
  private readonly definitions: Map<string, readonly Definition[]>

  private constructor(
    private readonly connections: Connections,
    private readonly client: ZongJi,
    private readonly options: SessionOptions,
  ) {
    this.definitions = new Map(options.definitions)
    this.queue = new LogQueue({
      readAhead: options.readAhead,
      weightOf,
      pause: () => client.connection?.pause(),
      resume: () => {
        this.heard = Date.now()
        this.resume()
      },
    })
  }

  /** Begins to stream; rejects where the server cannot be reached. */
  static async open(connections: Connections, client: Client, options: SessionOptions): Promise<BinlogSession> {
    const session = new BinlogSession(
      connections,
      new client.default(connections.options({ jsonStrings: true })),
      options,
    )
    connections.own(session)
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

  cut(): void {
    this.fail(new Error('the source is closed'))
  }

  async close(): Promise<void> {
    this.cut()
    this.connections.disown(this)
    await this.stopped
  }

  private async start(): Promise<void> {
    const { client, options } = this
    const includeSchema: Record<string, string[]> = Object.create(null)
    for (const table of options.tables) {
      const [database, name] = databaseAndName(table)
      includeSchema[database] = [...(includeSchema[database] ?? []), name]
    }
    await new Promise<void>((resolve) => {
      // It is told nothing more where it was stopped before.
      this.begun = resolve
      client.on('ready', resolve)
      client.on('error', (error) => this.failed(error))
      client.on('binlog', (event) => {
        try {
          this.receive(event)
        } catch (error) {
          this.fail(error)
        }
      })
      client.start({
        filename: options.log.file,
        position: options.log.position,
        serverId: options.serverId,
        includeSchema,
      })
      // It comes before the request for the log, which waits for other answers. The second name is that of MySQL since 8.0.26.
      const period = HEARTBEAT * 1e6
      client.connection?.query(
        `SET @master_heartbeat_period = ${period}, @source_heartbeat_period = ${period}`,
        () => {},
      )
    })
    const { failure } = this.queue
    if (failure !== undefined) {
      await this.close()
      throw failure.error
    }
    this.timer = setInterval(() => this.check(), HEARTBEAT)
    // It must not keep a process alive that has nothing else to do.
    this.timer.unref()
  }

  private receive(event: AnyBinlogEvent): void {
    this.heard = Date.now()
    if (event.getEventName() === 'tablemap') this.table(event as TableMapEvent)
    else {
      const message = this.messageOf(event)
      if (message !== undefined) this.queue.push(message)
    }
  }

  private messageOf(event: AnyBinlogEvent): LogMessage | undefined {
    const { nextPosition: end, timestamp: time } = event
    switch (event.getEventName()) {
      case 'heartbeat':
        return undefined
      case 'rotate': {
        const { binlogName, position } = event as RotateEvent
        return { tag: 'rotate', place: { file: binlogName, position } }
      }
      case 'mariadbgtid':
        return { tag: 'begin', time, alone: (event as { standalone?: boolean }).standalone }
      case 'gtid':
      case 'anonymousgtid':
        return { tag: 'begin', time, alone: undefined }
      case 'query': {
        const { query: text, schema: database } = event as QueryEvent
        return { tag: 'query', text, database, end, time }
      }
      case 'xid':
        return { tag: 'commit', end }
      case 'xaprepare':
        return { tag: (event as { onePhase?: boolean }).onePhase ? 'commit' : 'prepared', end }
      case 'writerows':
        return this.rows('insert', event as unknown as RowsOf<RowData>)
      case 'deleterows':
        return this.rows('delete', event as unknown as RowsOf<RowData>)
      case 'updaterows':
        return this.rows('update', event as unknown as RowsOf<{ before: RowData; after: RowData }>)
      default:
        return { tag: 'passed', end }
    }
  }

  /** The server says how the rows that follow are written; the client has made columns of it, and reads them by that. */
  private table(event: TableMapEvent): void {
    const table = `${event.schemaName}.${event.tableName}`
    if (event.columnNames === undefined) {
      throw new DatabaseError(
        'ERR_DATABASE_LOG',
        `mysql: the log has changes of ${table} without the names of its columns: they were made before the server's ` +
          "binlog_row_metadata was 'FULL'. Start without the old checkpoint",
      )
    }
    const { columnNames, columnTypes, columnsMetadata, signedness } = event
    const signature = JSON.stringify([columnNames, columnTypes, columnsMetadata, signedness])
    const shape = this.shapes.get(table)
    if (shape?.signature === signature) {
      this.use(shape, event)
      return
    }
    const now = this.definitions.get(table) ?? []
    if (shape === undefined && isSame(now, columnNames, columnTypes)) {
      this.shape(table, signature, event)
      return
    }
    // It was altered: not all is in the log, so what is defined now is asked for before rows are read.
    this.asking = true
    this.client.connection?.pause()
    void this.options.lookUp(table).then(
      (definitions) => {
        this.definitions.set(table, definitions)
        this.asking = false
        this.shape(table, signature, event)
        if (!this.queue.isPaused) this.resume()
      },
      (error) => this.fail(error),
    )
  }

  private shape(table: string, signature: string, event: TableMapEvent): void {
    const { columnNames, columnTypes } = event
    const entry = this.client.tableMap[event.tableId]!
    const definitions = this.definitions.get(table) ?? []
    const same = isSame(definitions, columnNames!, columnTypes)
    const schemas = entry.columnSchemas.map((column, at) => {
      const { type, charset } = definitions[at] ?? {}
      // The log does not tell a uuid from bytes, and the client takes some texts for bytes.
      return same ? { ...column, COLUMN_TYPE: type!, CHARACTER_SET_NAME: charset! } : column
    })
    const columns = schemas.map(({ COLUMN_NAME: name, COLUMN_TYPE: type }) => ({ name, type }))
    const mends = columns.flatMap(({ name, type }, at) => {
      const mend = mendOf(type, same ? definitions[at]!.json : type === 'json')
      return mend === undefined ? [] : [[name, mend] as const]
    })
    const shape = { signature, schemas, mends }
    this.shapes.set(table, shape)
    this.use(shape, event)
    this.queue.push({ tag: 'table', table, columns: columnsText(columns) })
  }

  private use({ schemas }: Shape, { tableId }: TableMapEvent): void {
    const entry = this.client.tableMap[tableId]!
    entry.columnSchemas = schemas as ColumnSchema[]
    for (const [at, column] of entry.columns!.entries()) column.charset = schemas[at]!.CHARACTER_SET_NAME
  }

  private rows(tag: 'insert' | 'update' | 'delete', event: RowsOf<RowData | { before: RowData; after: RowData }>) {
    const { spoiled } = this
    this.spoiled = false
    if (spoiled) return undefined
    const { table, mends } = this.tableOf(event)
    if (mends.length > 0) {
      for (const row of event.rows as (RowData & { before: RowData; after: RowData })[]) {
        for (const one of tag === 'update' ? [row.before, row.after] : [row]) mended(one, mends)
      }
    }
    return { tag, table, rows: event.rows } as LogMessage
  }

  private tableOf(event: RowsOf<unknown>): { table: string; mends: Shape['mends'] } {
    const { parentSchema, tableName } = this.client.tableMap[event.tableId]!
    const table = `${parentSchema}.${tableName}`
    const { columns_present_bitmap: before, columns_present_bitmap2: after } = event
    if (!isWhole(before, event.numberOfColumns) || (after !== undefined && !isWhole(after, event.numberOfColumns))) {
      throw new DatabaseError(
        'ERR_DATABASE_SETUP',
        `mysql: the log has parts of rows of ${table}: sessions must not set another binlog_row_image than 'FULL'. ` +
          'Then start without the old checkpoint',
      )
    }
    return { table, mends: this.shapes.get(table)?.mends ?? [] }
  }

  private resume(): void {
    // What was kept back is given now, and may pause again.
    if (!this.asking && this.queue.failure === undefined) this.client.connection?.resume()
  }

  private check(): void {
    if (this.queue.isPaused || this.asking || Date.now() - this.heard <= SILENCE) return
    const error = new Error(`nothing has come from the server for ${SILENCE / 1000} s`)
    this.fail(Object.assign(error, { code: 'ETIMEDOUT' }))
  }

  private failed(error: unknown): void {
    if (!isUnreadable(error)) {
      this.fail(error)
      return
    }
    // The client goes on with the row, at a wrong place of it.
    this.spoiled = /^Unsupported type/.test((error as Error).message)
    this.queue.push({ tag: 'bad', error })
  }

  private fail(error: unknown): void {
    if (this.queue.failure !== undefined) return
    this.queue.fail(this.connections.safe(logError(error)))
    clearInterval(this.timer)
    this.stop()
    this.begun?.()
  }

  private stop(): void {
    this.stopped = new Promise((resolve) => {
      const late = setTimeout(resolve, PATIENCE)
      this.client.once('stopped', () => {
        clearTimeout(late)
        resolve()
      })
      this.client.stop()
    })
  }
}

/** A row event, with what the client's types do not have. */
interface RowsOf<R> {
  readonly tableId: number
  readonly rows: R[]
  readonly numberOfColumns: number
  readonly columns_present_bitmap: Uint8Array
  readonly columns_present_bitmap2?: Uint8Array
}

/** Rows, and messages that have none, count. */
function weightOf(message: LogMessage): number {
  return 'rows' in message ? message.rows.length : 1
}

function mended(row: RowData, mends: Shape['mends']): void {
  for (const [name, mend] of mends) if (row[name] !== null) row[name] = mend(row[name])
}

/** Whether each of so many columns has its bit. */
function isWhole(bits: Uint8Array, columns: number): boolean {
  for (let at = 0; at < columns; at++) if ((bits[at >> 3]! & (1 << (at & 7))) === 0) return false
  return true
}
