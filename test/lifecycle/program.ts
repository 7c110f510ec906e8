/** Carries out a list of steps; the child processes of the lifecycle tests, and the Workers in them, run this. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { interval, lastValueFrom, tap } from 'rxjs'
import { type CodecName, type Handler, mapPython, PythonPool, type RxjsPythonError } from '../../lib/index'
import { packageRoot } from '../../lib/package-root'
import type { Items, Setting, Step } from './steps'

const { python, isolation, steps, round = '' } = (isMainThread ? JSON.parse(process.argv[2]!) : workerData) as Setting

const setting = { python, isolation, env: { RXJS_PYTHON_ROUND: round } }

class OpenPool {
  readonly started: Promise<unknown>[] = []
  private readonly handlers = new Map<string, Handler>()
  private waiting: (() => void) | undefined
  private resting: Promise<void> | undefined
  private busy = false
  streamed: Promise<void> | undefined

  constructor(readonly pool: PythonPool) {
    pool.on('stdout', (text) => {
      if (text.includes('started')) this.waiting?.()
    })
  }

  /** One for each function: a second one would have to be loaded by interpreters that are busy. */
  private handler(name: string, codec: CodecName = 'json'): Handler {
    const handler = this.handlers.get(name) ?? this.pool.handler(`handlers:${name}`, { codec })
    this.handlers.set(name, handler)
    return handler
  }

  async check(name: 'identity' | 'matrix' = 'identity'): Promise<void> {
    const handler = this.handler(name)
    const calls = [1, 2, 3].map((round) => handler.call([round, 10 * round]))
    assert.deepEqual(await Promise.all(calls), [
      [1, 10],
      [2, 20],
      [3, 30],
    ])
  }

  async start(name: string, items: Items, codec?: CodecName): Promise<void> {
    const handler = this.handler(name, codec)
    const isStarted = new Promise<void>((resolve) => {
      this.waiting = resolve
    })
    const { batch, transfer } = batchOf(this.pool, items, codec)
    const call = handler.call(batch as never, { transfer })
    call.catch(() => {}) // settle() looks at it, if anybody does
    this.started.push(call)
    await Promise.race([isStarted, call])
  }

  async settle(code?: string): Promise<void> {
    for (const call of this.started) {
      const error = await call.then(
        () => undefined,
        (error: RxjsPythonError) => error,
      )
      assert.equal(error?.code, code, error?.stack)
    }
  }

  /** Items until the source is stopped; `streamed` resolves when all that were taken have come out. */
  stream(): Promise<void> {
    let taken = 0
    let given = 0
    return new Promise<void>((begun) => {
      const results = interval(1).pipe(
        tap(() => taken++),
        mapPython(this.handler('identity'), { batch: 4 }),
        tap((item) => {
          assert.equal(item, given++)
          begun()
        }),
      )
      this.streamed = lastValueFrom(results).then(() => assert.equal(given, taken))
      this.streamed.catch(() => {}) // whoever waits for it hears of it
    })
  }

  keepBusy(): void {
    this.busy = true
    this.resting = (async () => {
      while (this.busy) await this.check()
    })()
  }

  async rest(): Promise<void> {
    this.busy = false
    await this.resting
  }
}

/** More than is copied, so that the memory itself is at stake. */
const MEMORY = 4 << 20

function batchOf(pool: PythonPool, items: Items, codec?: CodecName): { batch: unknown; transfer: boolean } {
  if (Array.isArray(items)) return { batch: items, transfer: false }
  const memory =
    items === 'pool-memory'
      ? pool.allocate(Uint8Array, MEMORY)
      : new Uint8Array(items === 'shared-memory' ? new SharedArrayBuffer(MEMORY) : new ArrayBuffer(MEMORY))
  return { batch: codec === 'array' ? memory : [memory], transfer: items === 'transferred-memory' }
}

const pools = new Map<string, OpenPool>()
const workers = new Map<string, { worker: Worker; ended: Promise<number> }>()

function poolOf(name: string): OpenPool {
  const pool = pools.get(name)
  assert(pool, `there is no pool ${name}`)
  return pool
}

function startWorker(name: string, steps: Step[]): Promise<unknown> {
  const worker = new Worker(__filename, { workerData: { python, isolation, steps, round } satisfies Setting })
  const said = new Promise((resolve) => worker.once('message', resolve))
  const ended = new Promise<number>((resolve, reject) => {
    worker.once('exit', resolve)
    worker.once('error', reject)
  })
  workers.set(name, { worker, ended })
  return Promise.race([said, ended])
}

/** What the process says before it leaves on a signal: only where nothing was lost. */
async function closed(pool: OpenPool): Promise<void> {
  await pool.streamed
  await pool.settle()
  assert(pool.pool.closed)
  console.log('drained')
}

function copiesOfPython(): number {
  const maps = readFileSync('/proc/self/maps', 'utf8').split('\n')
  return maps.filter((line) => /r-xp .*\/libpython3/.test(line)).length
}

async function run(step: Step): Promise<unknown> {
  switch (step[0]) {
    case 'open': {
      const path = join(packageRoot, 'test', 'lifecycle')
      const pool = await PythonPool.open({ ...setting, path, size: step[2] ?? 1 })
      return pools.set(step[1], new OpenPool(pool))
    }
    case 'check':
      return poolOf(step[1]).check(step[2])
    case 'start':
      return poolOf(step[1]).start(step[2], step[3], step[4])
    case 'settle':
      return poolOf(step[1]).settle(step[2])
    case 'stream':
      return poolOf(step[1]).stream()
    case 'drained':
      assert(poolOf(step[1]).streamed, 'there is no stream')
      return poolOf(step[1]).streamed
    case 'close-on-signal':
      return poolOf(step[1]).pool.closeOnSignal({ onDrained: () => closed(poolOf(step[1])) })
    case 'kill':
      return process.kill(process.pid, step[1])
    case 'close':
      return poolOf(step[1]).pool.close()
    case 'destroy':
      return poolOf(step[1]).pool.destroy()
    case 'busy':
      return poolOf(step[1]).keepBusy()
    case 'rest':
      return poolOf(step[1]).rest()
    case 'pause':
      return pause(step[1])
    case 'spawn': {
      const [code] = await once(spawn('true'), 'exit')
      return assert.equal(code, 0)
    }
    case 'repeat':
      for (let round = 0; round < step[1]; round++) await runAll(step[2])
      return
    case 'copies': {
      const copies = copiesOfPython()
      const least = isolation === 'process' ? 0 : 1
      const most = isolation === 'process' ? 0 : step[1]
      return assert(copies >= least && copies <= most, `${copies} copies of libpython`)
    }
    case 'worker':
      return startWorker(step[1], step[2])
    case 'say':
      return parentPort?.postMessage('said')
    case 'terminate':
      return workers.get(step[1])?.worker.terminate()
    case 'join':
      return assert.equal(await workers.get(step[1])?.ended, step[2])
    case 'exit':
      return process.exit(step[1])
    case 'throw':
      setImmediate(() => {
        throw new Error('thrown on purpose')
      })
      return pause(1000)
    case 'reject':
      Promise.reject(new Error('rejected on purpose'))
      return pause(1000)
  }
}

async function runAll(steps: Step[]): Promise<void> {
  for (const step of steps) await run(step)
}

runAll(steps).then(
  () => {
    if (isMainThread) console.log('all steps done')
  },
  (error) => {
    console.error(error)
    process.exit(99)
  },
)
