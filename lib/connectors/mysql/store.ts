import { createHash } from 'node:crypto'
import { deserialize, serialize } from 'node:v8'
import type { Connection, RowDataPacket } from 'mysql2/promise'
import { DatabaseError } from '../../errors'
import { anySignal } from '../options'
import { Backoff, type Retry, retrying } from '../retry'
import { isOneStatement, type RowBatch } from '../tables/batch'
import type { EpochToken, Refused, TableStore } from '../tables/sink'
import { rowOf, rowsOf, StageMemory, type StoredBatch, stored } from '../tables/stored'
import { type Connections, isAboutData, isPassing, quoted, quotedTable } from './connection'

/** Seconds that another connection which writes under the same name may live on: that of a killed process ends by itself. */
const FENCE = 30

/** Bytes of batches that are staged by one statement, where there are several; servers take 16 MiB by default. */
const PACKET = 4 << 20
/** Batches of such a statement. */
const MOST = 16

const NOTHING = Buffer.alloc(0)
/** Rows of a prepared upsert: the server takes so many in three quarters of the time of a text. Fewer gain nothing. */
const PREPARED = 1000
/** Places that a prepared statement may have. */
const PLACES = 65_535

type Value = null | number | string | Buffer

/** A batch, and its form in the stage, which `at-least-once` has not. */
interface Encoded {
  readonly plain: StoredBatch<Value>
  readonly data: Buffer
}

/** A table in MySQL or MariaDB, and beside it those that hold the stage and what is known of sinks. */
export class MysqlStore implements TableStore<Encoded> {
  private connection: Connection | undefined
  private signal: AbortSignal | undefined
  private ending = new AbortController()
  private readonly target: string
  private readonly sinks: string
  private readonly staged: string
  private readonly backoff: Backoff
  private readonly memory = new StageMemory<Value>()

  constructor(
    private readonly connections: Connections,
    table: string,
    private readonly key: readonly string[],
    private readonly name: string | undefined,
    retry: Retry,
    secrets: readonly string[],
  ) {
    this.target = quotedTable(table)
    const database = table.includes('.') ? `${quoted(table.slice(0, table.indexOf('.')))}.` : ''
    this.sinks = `${database}rxjs_python_sinks`
    this.staged = `${database}rxjs_python_staged`
    this.backoff = new Backoff(`mysql: writing ${table}`, retry, secrets)
  }

  async open(signal: AbortSignal): Promise<void> {
    this.ending = new AbortController()
    this.signal = anySignal(signal, this.ending.signal)
    this.signal.addEventListener('abort', this.cut)
    const name = 'sink VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin'
    const run = 'run CHAR(36) CHARACTER SET ascii'
    await this.trying(async (connection) => {
      if (this.name === undefined) return
      await connection.query(
        `CREATE TABLE IF NOT EXISTS ${this.sinks} (${name} PRIMARY KEY, ${run}, epoch BIGINT, applied DATETIME) ENGINE = InnoDB`,
      )
      await connection.query(
        `CREATE TABLE IF NOT EXISTS ${this.staged} (${name}, ${run}, epoch BIGINT, number INT, batch LONGBLOB NOT NULL, ` +
          'PRIMARY KEY (sink, run, epoch, number)) ENGINE = InnoDB',
      )
    })
  }

  knows(sink: string): Promise<boolean> {
    return this.transaction(async (connection) => {
      const [rows] = await connection.query<RowDataPacket[]>(`SELECT 1 FROM ${this.sinks} WHERE sink = ?`, [sink])
      return rows.length === 1
    })
  }

  begin(sink: string): Promise<void> {
    return this.transaction(async (connection) => {
      await connection.query(`INSERT IGNORE INTO ${this.sinks} (sink) VALUES (?)`, [sink])
      await connection.query(`DELETE FROM ${this.staged} WHERE sink = ?`, [sink])
    })
  }

  encode(batch: RowBatch): Encoded {
    const plain = stored(batch, this.key, toValue)
    return { plain, data: this.name === undefined ? NOTHING : serialize(plain) }
  }

  async stage(token: EpochToken, first: number, batches: readonly Encoded[]): Promise<void> {
    const { sink, run, epoch } = token
    const all = batches.map((batch, at) => ({ ...batch, number: first + at }))
    for (const part of packets(all)) {
      const rows = part.map(() => '(?, ?, ?, ?, ?)').join(', ')
      const values = part.flatMap(({ data, number }) => [sink, run, epoch, number, data])
      // A statement by itself is a transaction; prepared, its bytes go as they are and not as a text of twice the length.
      await this.trying((connection) => connection.execute(`INSERT IGNORE INTO ${this.staged} VALUES ${rows}`, values))
    }
    for (const { plain, data, number } of all) this.memory.keep(token, number, plain, data.length)
  }

  async apply(token: EpochToken, refused: Refused): Promise<void> {
    const mine = 'sink = ? AND run = ? AND epoch = ?'
    const { sink, run, epoch } = token
    let applied: readonly number[] = []
    await this.carefully(async (connection, careful) => {
      const [numbers] = await connection.query<RowDataPacket[]>(
        `SELECT number FROM ${this.staged} WHERE ${mine} ORDER BY number FOR UPDATE`,
        [sink, run, epoch],
      )
      if (numbers.length === 0) return
      for (const { number } of numbers) {
        const batch = this.memory.get(token, number) ?? (await this.stagedBatch(connection, mine, token, number))
        await this.carryOut(connection, batch, careful, refused)
      }
      await connection.query(`DELETE FROM ${this.staged} WHERE ${mine}`, [sink, run, epoch])
      await connection.query(`UPDATE ${this.sinks} SET run = ?, epoch = ?, applied = UTC_TIMESTAMP() WHERE sink = ?`, [
        run,
        epoch,
        sink,
      ])
      applied = numbers.map(({ number }) => number as number)
    })
    this.memory.forget(token, applied)
  }

  private async stagedBatch(
    connection: Connection,
    mine: string,
    { sink, run, epoch }: EpochToken,
    number: number,
  ): Promise<StoredBatch<Value>> {
    const [[row]] = await connection.query<RowDataPacket[]>(
      `SELECT batch FROM ${this.staged} WHERE ${mine} AND number = ?`,
      [sink, run, epoch, number],
    )
    return deserialize(row!.batch as Buffer) as StoredBatch<Value>
  }

  write({ plain }: Encoded, refused: Refused): Promise<void> {
    const act = (connection: Connection, careful: boolean) => this.carryOut(connection, plain, careful, refused)
    const { columns, upserts } = plain
    const fits = upserts.length <= columns.length * rowsPrepared(columns.length)
    return this.carefully(act, isOneStatement(plain) && fits)
  }

  async close(): Promise<void> {
    const { connection } = this
    this.memory.clear()
    this.connection = undefined
    this.signal?.removeEventListener('abort', this.cut)
    this.ending.abort()
    await this.connections.end(connection)
    this.connections.cut()
  }

  private readonly cut = (): void => this.connections.cut()

  /** At first all at once; where the database refuses a row, again and row by row. `alone`: all at once is one statement. */
  private async carefully(
    act: (connection: Connection, careful: boolean) => Promise<void>,
    alone = false,
  ): Promise<void> {
    try {
      if (alone) await this.trying((connection) => act(connection, false))
      else await this.transaction((connection) => act(connection, false))
    } catch (error) {
      if (!isAboutData(error)) throw error
      await this.transaction((connection) => act(connection, true))
    }
  }

  private async carryOut(
    connection: Connection,
    { truncate, columns, deletes, upserts }: StoredBatch<Value>,
    careful: boolean,
    refused: Refused,
  ): Promise<void> {
    const { target, key } = this
    // TRUNCATE would commit.
    if (truncate) await connection.query(`DELETE FROM ${target}`)
    const parts = [
      { values: deletes, names: key, statement: `DELETE FROM ${target} WHERE (${list(key)}) IN (?)` },
      { values: upserts, names: columns, statement: this.upsert(columns, '?') },
    ]
    for (const { values, names, statement } of parts) {
      if (values.length === 0) continue
      const done = values === upserts && !careful ? await this.prepared(connection, columns, values) : 0
      if (values.length === done) continue
      const rows = rowsOf(values.slice(done), names.length)
      if (!careful) await connection.query(statement, [rows])
      else for (const row of rows) await this.one(connection, statement, names, row, refused)
    }
  }

  /** As many of the rows as prepared statements take; gives how many values those had. */
  private async prepared(
    connection: Connection,
    columns: readonly string[],
    values: readonly Value[],
  ): Promise<number> {
    const width = columns.length
    const rows = rowsPrepared(width)
    let done = 0
    for (const size = rows * width; done + size <= values.length; done += size) {
      const row = `(${Array(width).fill('?').join(', ')})`
      const statement = this.upsert(columns, Array(rows).fill(row).join(', '))
      await connection.execute(statement, values.slice(done, done + size))
    }
    return done
  }

  private upsert(columns: readonly string[], values: string): string {
    const { target, key } = this
    const changed = columns.filter((column) => !key.includes(column))
    const set = (changed.length > 0 ? changed : key).map((column) => `${quoted(column)} = VALUES(${quoted(column)})`)
    return `INSERT INTO ${target} (${list(columns)}) VALUES ${values} ON DUPLICATE KEY UPDATE ${set.join(', ')}`
  }

  private async one(
    connection: Connection,
    statement: string,
    names: readonly string[],
    row: readonly Value[],
    refused: Refused,
  ): Promise<void> {
    try {
      // What a statement has done is taken back where it fails, and nothing else.
      await connection.query(statement, [[row]])
    } catch (error) {
      if (!isAboutData(error)) throw error
      refused(this.connections.safe(error), rowOf(names, row))
    }
  }

  private transaction<R>(act: (connection: Connection) => Promise<R>): Promise<R> {
    return this.trying(async (connection) => {
      await connection.query('START TRANSACTION')
      try {
        const result = await act(connection)
        await connection.query('COMMIT')
        return result
      } catch (error) {
        if (!isPassing(error)) await connection.query('ROLLBACK').catch(() => this.drop(connection))
        throw error
      }
    })
  }

  private async trying<R>(act: (connection: Connection) => Promise<R>): Promise<R> {
    const { signal } = this
    const attempt = async () => {
      const connection = await this.connected()
      try {
        return { result: await act(connection) }
      } catch (error) {
        if (isPassing(error)) this.drop(connection)
        throw this.connections.safe(error)
      }
    }
    const done = await retrying(this.backoff, signal, attempt, isPassing)
    if (done === undefined) throw signal?.reason ?? new Error('aborted')
    return done.result
  }

  private drop(connection: Connection): void {
    if (this.connection === connection) this.connection = undefined
    this.connections.drop(connection)
  }

  private async connected(): Promise<Connection> {
    if (this.connection !== undefined) return this.connection
    const connection = await this.connections.connect()
    try {
      if (this.name !== undefined) await this.fence(connection, this.name)
    } catch (error) {
      this.connections.drop(connection)
      throw error
    }
    this.connection = connection
    return connection
  }

  /** Held as long as the connection lives, so whoever had the name before has come to an end in the server, too. */
  private async fence(connection: Connection, name: string): Promise<void> {
    const lock = createHash('sha256').update(`rxjs-python ${name}`).digest('hex').slice(0, 40)
    const [[answer]] = await connection.query<RowDataPacket[]>(
      `SELECT GET_LOCK(CONCAT(LEFT(DATABASE(), 20), ?), ${FENCE}) AS mine`,
      [lock],
    )
    if (answer!.mine === 1) return
    throw new DatabaseError(
      'ERR_DATABASE_BUSY',
      `mysql: another connection has been writing as sink '${name}' for ${FENCE} s: end that program, or give this sink ` +
        'another name',
    )
  }
}

/** Of rows with so many columns. */
function rowsPrepared(width: number): number {
  return Math.max(1, Math.min(PREPARED, Math.floor(PLACES / width)))
}

/** As many of them together as a statement may have. */
function packets<S extends { readonly data: Buffer }>(all: readonly S[]): S[][] {
  const packets: S[][] = []
  let room = 0
  for (const one of all) {
    if (room < one.data.length || packets.at(-1)!.length === MOST) {
      packets.push([])
      room = PACKET
    }
    packets.at(-1)!.push(one)
    room -= one.data.length
  }
  return packets
}

function list(columns: readonly string[]): string {
  return columns.map(quoted).join(', ')
}

/** Flags are 0 and 1, dates texts in UTC, objects and lists JSON. */
function toValue(value: unknown): Value {
  switch (typeof value) {
    case 'number':
    case 'string':
      return value
    case 'bigint':
      return String(value)
    case 'boolean':
      return value ? 1 : 0
    case 'object':
      if (value === null) return null
      if (value instanceof Date) return value.toISOString().slice(0, -1).replace('T', ' ')
      if (value instanceof Uint8Array) return Buffer.from(value)
      return JSON.stringify(value)
    case 'undefined':
      return null
    default:
      throw new TypeError(`MySQL has nothing for a ${typeof value}`)
  }
}
