import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { packageRoot } from '../../lib/package-root'
import { Server } from '../services/server'
import { definition, url } from '../services/servers/postgres'
import { Patience } from './patience'
import { type Random, seeded, whole } from './random'

export interface ChangesKillOptions {
  python: string
  seed: number
  kills: number
  /** The implementation: `dist/main.cjs`, or `lib/main.ts` by default. */
  main?: string
  /** Rows that are there at the beginning (default 5,000). */
  rows?: number
  onKill?: (kills: number) => void
}

export interface ChangesKillReport {
  kills: number
  /** Kills before the rows that were there had all been read. */
  early: number
  /** Transactions that changed the table meanwhile. */
  transactions: number
  /** Rows of the target at the end, and rows that only one of target and expectation has. */
  rows: number
  different: number
}

/** How long the last run may stand still, in milliseconds. */
const PATIENCE = 60_000

const HANDLERS = join(__dirname, 'handlers')

/** What the target should be, and what it is not. */
const EXPECTED = 'SELECT id, upper(buyer) AS buyer, price * quantity AS total FROM orders'
const DIFFERENT = `SELECT count(*)::int AS count FROM
  ((${EXPECTED} EXCEPT TABLE invoices) UNION ALL (TABLE invoices EXCEPT (${EXPECTED}))) AS one`

/**
 * Changes of a table go through Python into another one, by a job that is killed by SIGKILL at random moments while the table
 * goes on changing. At the end the target must be what SQL makes of the table.
 */
export async function changesKillRun(options: ChangesKillOptions): Promise<ChangesKillReport> {
  const random = seeded(options.seed)
  const folder = await mkdtemp(join(tmpdir(), 'rxjs-python-changes-'))
  const server = await Server.start(definition)
  const connection = url(server.port)
  const sql = new Client(connection)
  try {
    await sql.connect()
    await prepare(sql, options.rows ?? 5_000)
    const writer = new Writer(random, options.rows ?? 5_000)
    const writing = writer.run(connection)
    const report = { kills: 0, early: 0, transactions: 0, rows: 0, different: 0 }
    let startup = 3_000
    while (report.kills < options.kills) {
      const child = start(folder, connection, options)
      const began = performance.now()
      const running = once(child.stdout!, 'data').then(() => {
        startup = performance.now() - began
      })
      const over = ended(child)
      // Some before anything has begun, most while changes come.
      await Promise.race([over, sleep(random() * (startup * 1.5 + 2_000))])
      void running.catch(() => {})
      child.kill('SIGKILL')
      await over
      report.kills++
      const { rows } = await sql.query(
        'SELECT 1 FROM invoices WHERE id = (SELECT max(id) FROM orders WHERE id <= $1)',
        [options.rows ?? 5_000],
      )
      if (rows.length === 0) report.early++
      options.onKill?.(report.kills)
    }
    writer.stop()
    report.transactions = await writing
    const child = start(folder, connection, options)
    const over = ended(child)
    over.catch(() => {})
    report.different = await caughtUp(sql, over)
    child.kill('SIGKILL')
    await over
    report.rows = (await sql.query<{ count: number }>('SELECT count(*)::int AS count FROM invoices')).rows[0]!.count
    return report
  } finally {
    await sql.end().catch(() => {})
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

async function prepare(sql: Client, rows: number): Promise<void> {
  await sql.query(
    'CREATE TABLE orders (id int PRIMARY KEY, buyer text NOT NULL, price int NOT NULL, quantity int NOT NULL)',
  )
  await sql.query('CREATE TABLE invoices (id int PRIMARY KEY, buyer text NOT NULL, total int NOT NULL)')
  await sql.query(`INSERT INTO orders SELECT i, 'buyer ' || i, i % 100, 1 FROM generate_series(1, $1) i`, [rows])
}

/** How far the job has come in the log. */
const WHERE = `SELECT confirmed_flush_lsn::text AS lsn FROM pg_replication_slots WHERE slot_name = 'invoices'`

/** Rows that differ when the job has had its time: none as soon as it has caught up. */
async function caughtUp(sql: Client, over: Promise<unknown>): Promise<number> {
  let ended = false
  over.then(
    () => {
      ended = true
    },
    () => {
      ended = true
    },
  )
  const patience = new Patience(PATIENCE)
  for (; ; await sleep(100)) {
    const lsn = (await sql.query<{ lsn: string }>(WHERE)).rows[0]?.lsn
    const { count } = (await sql.query<{ count: number }>(DIFFERENT)).rows[0]!
    if (count === 0 || ended || patience.isOver(count, lsn, performance.now())) return count
  }
}

/** Changes the table, a transaction after the other, until it is stopped. */
class Writer {
  private stopped = false

  constructor(
    private readonly random: Random,
    private next: number,
  ) {}

  async run(connection: string): Promise<number> {
    const sql = new Client(connection)
    await sql.connect()
    let transactions = 0
    while (!this.stopped) {
      await sql.query('BEGIN')
      for (let at = whole(this.random, 1, 5); at > 0; at--) await this.change(sql)
      // Some are taken back, and must never be seen.
      await sql.query(this.random() < 0.1 ? 'ROLLBACK' : 'COMMIT')
      transactions++
      await sleep(2)
    }
    await sql.end()
    return transactions
  }

  stop(): void {
    this.stopped = true
  }

  private async change(sql: Client): Promise<void> {
    const id = whole(this.random, 1, this.next)
    const kind = this.random()
    if (kind < 0.5)
      await sql.query('UPDATE orders SET price = price + 1, buyer = $2 WHERE id = $1', [id, `b${this.next}`])
    else if (kind < 0.65) await sql.query(`INSERT INTO orders VALUES ($1, 'new', 5, 2)`, [++this.next])
    else if (kind < 0.7) await sql.query(`INSERT INTO orders VALUES ($1, 'back', 7, 3) ON CONFLICT DO NOTHING`, [id])
    else if (kind < 0.85) await sql.query('DELETE FROM orders WHERE id = $1', [id])
    else if (kind < 0.95) await sql.query('UPDATE orders SET id = $2 WHERE id = $1', [id, ++this.next])
    else await sql.query('UPDATE orders SET quantity = quantity + 1 WHERE id BETWEEN $1 AND $1 + 50', [id])
  }
}

function start(folder: string, connection: string, options: ChangesKillOptions): ChildProcess {
  const { python, main = join(packageRoot, 'lib', 'main.ts') } = options
  const task = { main, folder, python, handlers: HANDLERS, connection }
  const loader = main.endsWith('.ts') ? ['--import=tsx'] : []
  return spawn(process.execPath, [...loader, join(__dirname, 'changes-job.mjs'), JSON.stringify(task)], {
    cwd: packageRoot,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** Resolves when it was killed; throws where it ended in any other way. */
async function ended(child: ChildProcess): Promise<void> {
  let errors = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  const [status, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  if (signal !== 'SIGKILL') throw new Error(`the job's process ended with ${signal ?? status}: ${errors}`)
}
