import type { Client } from 'pg'
import { DatabaseError } from '../../errors'
import { anySignal } from '../options'
import { Backoff, type Retry, retrying } from '../retry'
import { isOneStatement, type RowBatch } from '../tables/batch'
import type { Row } from '../tables/change'
import type { EpochToken, Refused, TableStore } from '../tables/sink'
import { type Connections, isAboutData, isPassing, quoted, quotedTable, schemaAndName } from './connection'

/** How long another connection that writes under the same name may live on, in milliseconds: that of a killed process ends by itself. */
const FENCE = 30_000

/** Batches that are staged by one statement. */
const STAGED = 16

/** What is staged of a batch; a text is the JSON of a list of rows. */
interface Staged {
  truncate: boolean
  deletes: string | null
  upserts: string | null
  columns: readonly string[]
}

/** A table in PostgreSQL, and beside it those that hold the stage and what is known of sinks. */
export class PostgresStore implements TableStore<Staged> {
  private client: Client | undefined
  private signal: AbortSignal | undefined
  private ending = new AbortController()
  private readonly target: string
  private readonly sinks: string
  private readonly staged: string
  private readonly backoff: Backoff

  constructor(
    private readonly connections: Connections,
    table: string,
    private readonly key: readonly string[],
    private readonly name: string | undefined,
    retry: Retry,
    secrets: readonly string[],
  ) {
    this.target = quotedTable(table)
    const schema = quoted(schemaAndName(table)[0])
    this.sinks = `${schema}.rxjs_python_sinks`
    this.staged = `${schema}.rxjs_python_staged`
    this.backoff = new Backoff(`postgres: writing ${table}`, retry, secrets)
  }

  async open(signal: AbortSignal): Promise<void> {
    this.ending = new AbortController()
    this.signal = anySignal(signal, this.ending.signal)
    this.signal.addEventListener('abort', this.cut)
    await this.transaction(async (client) => {
      if (this.name === undefined) return
      // Two that start at once would both make the tables.
      await client.query(`SELECT pg_advisory_xact_lock(hashtext('rxjs_python'), 0)`)
      await client.query(
        `CREATE TABLE IF NOT EXISTS ${this.sinks} (sink text PRIMARY KEY, run text, epoch bigint, ` +
          'applied timestamptz NOT NULL DEFAULT now())',
      )
      const { rows } = await client.query<{ missing: boolean }>('SELECT to_regclass($1) IS NULL AS missing', [
        this.staged,
      ])
      await client.query(
        `CREATE TABLE IF NOT EXISTS ${this.staged} (sink text, run text, epoch bigint, number integer, ` +
          'truncates boolean NOT NULL, columns text[] NOT NULL, deletes text, upserts text, ' +
          'PRIMARY KEY (sink, run, epoch, number))',
      )
      // Its rows live for an epoch: to compress them takes longer than to write them. Only who made it may say so.
      if (rows[0]!.missing) await client.query(`ALTER TABLE ${this.staged} ALTER upserts SET STORAGE EXTERNAL`)
    })
  }

  async knows(sink: string): Promise<boolean> {
    return this.transaction(async (client) => {
      const { rowCount } = await client.query(`SELECT 1 FROM ${this.sinks} WHERE sink = $1`, [sink])
      return rowCount === 1
    })
  }

  async begin(sink: string): Promise<void> {
    await this.transaction(async (client) => {
      await client.query(`INSERT INTO ${this.sinks} (sink) VALUES ($1) ON CONFLICT DO NOTHING`, [sink])
      await client.query(`DELETE FROM ${this.staged} WHERE sink = $1`, [sink])
    })
  }

  encode({ truncate, deletes, upserts, columns }: RowBatch): Staged {
    return {
      truncate,
      columns,
      deletes: deletes.length === 0 ? null : jsonOf(deletes, this.key),
      upserts: upserts.length === 0 ? null : jsonOf(upserts, columns),
    }
  }

  async stage({ sink, run, epoch }: EpochToken, first: number, batches: readonly Staged[]): Promise<void> {
    const all = batches.map((batch, at) => ({ ...batch, number: first + at }))
    for (let at = 0; at < all.length; at += STAGED) {
      const values: unknown[] = [sink, run, epoch]
      const rows = all.slice(at, at + STAGED).map(({ number, truncate, columns, deletes, upserts }) => {
        const places = [number, truncate, columns, deletes, upserts].map((value) => `$${values.push(value)}`)
        return `($1, $2, $3, ${places.join(', ')})`
      })
      const text = `INSERT INTO ${this.staged} VALUES ${rows.join(', ')} ON CONFLICT DO NOTHING`
      // A statement by itself is a transaction.
      await this.trying((client) => client.query(text, values))
    }
  }

  async apply({ sink, run, epoch }: EpochToken, refused: Refused): Promise<void> {
    const mine = 'sink = $1 AND run = $2 AND epoch = $3'
    await this.carefully(async (client, careful) => {
      const { rows } = await client.query<Staged & { number: number }>(
        `SELECT number, truncates AS truncate, columns, deletes IS NOT NULL AS deletes, upserts IS NOT NULL AS upserts ` +
          `FROM ${this.staged} WHERE ${mine} ORDER BY number`,
        [sink, run, epoch],
      )
      if (rows.length === 0) return
      for (const { number, ...batch } of rows) {
        // The rows stay in the server.
        const from = (column: string) => `(SELECT ${column} FROM ${this.staged} WHERE ${mine} AND number = $4)`
        const values = [sink, run, epoch, number]
        if (!careful) await this.carryOut(client, batch, from, values)
        else {
          const { rows: texts } = await client.query<{ deletes: string | null; upserts: string | null }>(
            `SELECT deletes, upserts FROM ${this.staged} WHERE ${mine} AND number = $4`,
            values,
          )
          await this.oneByOne(client, { ...batch, ...texts[0]! }, refused)
        }
      }
      await client.query(`DELETE FROM ${this.staged} WHERE ${mine}`, [sink, run, epoch])
      await client.query(
        `INSERT INTO ${this.sinks} (sink, run, epoch) VALUES ($1, $2, $3) ` +
          'ON CONFLICT (sink) DO UPDATE SET run = EXCLUDED.run, epoch = EXCLUDED.epoch, applied = now()',
        [sink, run, epoch],
      )
    })
  }

  async write(batch: Staged, refused: Refused): Promise<void> {
    const act = async (client: Client, careful: boolean) => {
      if (careful) await this.oneByOne(client, batch, refused)
      else await this.carryOutTexts(client, batch)
    }
    const { truncate, deletes, upserts } = batch
    await this.carefully(act, isOneStatement({ truncate, deletes: deletes ?? '', upserts: upserts ?? '' }))
  }

  async close(): Promise<void> {
    const { client } = this
    this.client = undefined
    this.signal?.removeEventListener('abort', this.cut)
    this.ending.abort()
    await this.connections.end(client)
    this.connections.cut()
  }

  private readonly cut = (): void => this.connections.cut()

  /** At first all at once; where the database refuses a row, again and row by row. `alone`: all at once is one statement. */
  private async carefully(act: (client: Client, careful: boolean) => Promise<void>, alone = false): Promise<void> {
    try {
      if (alone) await this.trying((client) => act(client, false))
      else await this.transaction((client) => act(client, false))
    } catch (error) {
      if (!isAboutData(error)) throw error
      await this.transaction((client) => act(client, true))
    }
  }

  private async oneByOne(
    client: Client,
    { truncate, columns, deletes, upserts }: Staged,
    refused: Refused,
  ): Promise<void> {
    if (truncate) await this.carryOut(client, { truncate, columns, deletes: null, upserts: null }, String, [])
    for (const row of rowsOf(deletes)) await this.one(client, 'deletes', columns, row, refused)
    for (const row of rowsOf(upserts)) await this.one(client, 'upserts', columns, row, refused)
  }

  private async one(
    client: Client,
    what: 'deletes' | 'upserts',
    columns: readonly string[],
    row: Row,
    refused: Refused,
  ): Promise<void> {
    const text = JSON.stringify([row])
    await client.query('SAVEPOINT one')
    try {
      await this.carryOutTexts(client, { truncate: false, columns, deletes: null, upserts: null, [what]: text })
      await client.query('RELEASE SAVEPOINT one')
    } catch (error) {
      if (!isAboutData(error)) throw error
      await client.query('ROLLBACK TO SAVEPOINT one')
      refused(this.connections.safe(error), row)
    }
  }

  private async carryOutTexts(client: Client, batch: Staged): Promise<void> {
    const { deletes, upserts, truncate, columns } = batch
    if (truncate) await this.carryOut(client, { truncate, columns, deletes: null, upserts: null }, String, [])
    if (deletes !== null) {
      await this.carryOut(client, { truncate: false, columns, deletes, upserts: null }, () => '$1::text', [deletes])
    }
    if (upserts !== null) {
      await this.carryOut(client, { truncate: false, columns, deletes: null, upserts }, () => '$1::text', [upserts])
    }
  }

  /** `from` says where the text of the rows is: a parameter, or a column of the stage. */
  private async carryOut(
    client: Client,
    batch: { truncate: boolean; deletes: unknown; upserts: unknown; columns: readonly string[] },
    from: (column: string) => string,
    values: unknown[],
  ): Promise<void> {
    const { target, key } = this
    if (batch.truncate) await client.query(`TRUNCATE ${target}`)
    const rows = (column: string) => `json_populate_recordset(NULL::${target}, ${from(column)}::json)`
    if (batch.deletes) {
      const same = key.map((column) => `old.${quoted(column)} = gone.${quoted(column)}`).join(' AND ')
      await client.query(`DELETE FROM ${target} AS old USING ${rows('deletes')} AS gone WHERE ${same}`, values)
    }
    if (batch.upserts) {
      const columns = batch.columns.map(quoted)
      const changed = batch.columns.filter((column) => !key.includes(column)).map(quoted)
      const set = changed.map((column) => `${column} = EXCLUDED.${column}`).join(', ')
      const conflict = changed.length === 0 ? 'NOTHING' : `UPDATE SET ${set}`
      await client.query(
        `INSERT INTO ${target} (${columns.join(', ')}) OVERRIDING SYSTEM VALUE ` +
          `SELECT ${columns.join(', ')} FROM ${rows('upserts')} AS fresh ` +
          `ON CONFLICT (${key.map(quoted).join(', ')}) DO ${conflict}`,
        values,
      )
    }
  }

  private transaction<R>(act: (client: Client) => Promise<R>): Promise<R> {
    return this.trying(async (client) => {
      await client.query('BEGIN')
      try {
        const result = await act(client)
        await client.query('COMMIT')
        return result
      } catch (error) {
        if (!isPassing(error)) await client.query('ROLLBACK').catch(() => this.drop(client))
        throw error
      }
    })
  }

  private async trying<R>(act: (client: Client) => Promise<R>): Promise<R> {
    const { signal } = this
    const attempt = async () => {
      const client = await this.connected()
      try {
        return { result: await act(client) }
      } catch (error) {
        if (isPassing(error)) await this.drop(client)
        throw this.connections.safe(error)
      }
    }
    const done = await retrying(this.backoff, signal, attempt, isPassing)
    if (done === undefined) throw signal?.reason ?? new Error('aborted')
    return done.result
  }

  private async drop(client: Client): Promise<void> {
    if (this.client === client) this.client = undefined
    await this.connections.end(client)
  }

  private async connected(): Promise<Client> {
    if (this.client !== undefined) return this.client
    const client = await this.connections.connect()
    try {
      if (this.name !== undefined) await this.fence(client, this.name)
    } catch (error) {
      await this.connections.end(client)
      throw error
    }
    this.client = client
    return client
  }

  /** Held as long as the connection lives, so whoever had the name before has come to an end in the server, too. */
  private async fence(client: Client, name: string): Promise<void> {
    await client.query(`SET lock_timeout = ${FENCE}`)
    try {
      await client.query(`SELECT pg_advisory_lock(hashtext('rxjs_python'), hashtext($1))`, [name])
    } catch (error) {
      if ((error as { code?: string }).code !== '55P03') throw error
      throw new DatabaseError(
        'ERR_DATABASE_BUSY',
        `postgres: another connection has been writing as sink '${name}' for ${FENCE / 1000} s: end that program, or give ` +
          'this sink another name',
      )
    }
    await client.query('SET lock_timeout = 0')
  }
}

function rowsOf(text: string | null): readonly Row[] {
  return text === null ? [] : (JSON.parse(text) as Row[])
}

/** The rows as PostgreSQL reads them: values that JSON has not are texts. */
function jsonOf(rows: readonly Row[], columns: readonly string[]): string {
  if (rows.every((row) => isJson(row, columns))) return JSON.stringify(rows)
  const names = columns.map((column) => JSON.stringify(column))
  const texts = rows.map((row) => {
    let text = ''
    for (let at = 0; at < columns.length; at++) {
      text += `${at === 0 ? '' : ','}${names[at]}:${jsonValue(row[columns[at]!])}`
    }
    return `{${text}}`
  })
  return `[${texts.join(',')}]`
}

/** Whether JSON has the row as it is, and so the whole list at once. */
function isJson(row: Row, columns: readonly string[]): boolean {
  if (Object.getPrototypeOf(row) !== Object.prototype || 'toJSON' in row) return false
  let others = columns.length
  for (const column in row) {
    const value = row[column]
    const isPlain = typeof value === 'string' || typeof value === 'boolean' || value === null
    if (!isPlain && !(typeof value === 'number' && Number.isFinite(value))) return false
    others--
  }
  // A row that is deleted may have more than its key.
  return others === 0
}

function jsonValue(value: unknown): string {
  switch (typeof value) {
    case 'bigint':
      return `"${value}"`
    case 'number':
      return Number.isFinite(value) ? String(value) : `"${value}"`
    case 'object':
      if (value instanceof Uint8Array) return `"\\\\x${Buffer.from(value).toString('hex')}"`
      return JSON.stringify(value) ?? 'null'
    default:
      return JSON.stringify(value) ?? 'null'
  }
}
