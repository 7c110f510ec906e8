/** Streams with batches of a fixed size and of the size that `batch: 'auto'` finds, and how long items take at several loads. */
import { setTimeout as pause } from 'node:timers/promises'
import { Subject } from 'rxjs'
import { loadPackage, type Package } from '../../harness/package'
import { handlersFolder } from '../../harness/paths'
import { answer } from './answer'

export interface AutoBatchRequest {
  /** Names of modules in `bench/handlers` whose function is called. */
  readonly modules: readonly string[]
  readonly sizes: readonly number[]
  readonly rounds: number
  /** Seconds of a measurement. */
  readonly seconds: number
  /** Milliseconds that must be held, with the last of the modules. */
  readonly maxLatency: number
  /** Items a second at which they must be, and without end. */
  readonly loads: readonly number[]
}

export interface AutoBatchAnswer {
  /** By module: items a second, of each fixed size and of `auto`, by round. */
  readonly rates: readonly { readonly fixed: readonly (readonly number[])[]; readonly auto: readonly number[] }[]
  /** 99 of 100 items took at most so many milliseconds, by load; the last one is without end. */
  readonly p99: readonly number[]
}

type Operator = ReturnType<Package['mapPython']>

/** Milliseconds after which a size has to be found; a fixed one warms up as long. */
const SETTLED = 2000
const TEXT = 'x'.repeat(40)

function* endless<T>(make: () => T): Generator<T> {
  for (;;) yield make()
}

answer<AutoBatchRequest, AutoBatchAnswer>(async ({ python, modules, sizes, rounds, seconds, maxLatency, loads }) => {
  const { fromIterable, mapPython, PythonPool } = loadPackage()
  const pool = await PythonPool.open({ python, path: [handlersFolder], size: 1, isolation: 'shared' })
  const handlers = modules.map((name) => pool.handler<string, string>(`${name}:handle`, { codec: 'string' }))

  const rate = async (operator: Operator) => {
    let items = 0
    const stream = fromIterable(endless(() => TEXT as unknown))
      .pipe(operator)
      .subscribe({
        next: () => {
          items++
        },
        error: (error) => {
          throw error
        },
      })
    await pause(SETTLED)
    const [before, began] = [items, performance.now()]
    await pause(seconds * 1000)
    const found = ((items - before) / (performance.now() - began)) * 1000
    stream.unsubscribe()
    return found
  }

  const rates = handlers.map(() => ({ fixed: sizes.map((): number[] => []), auto: [] as number[] }))
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, handler] of handlers.entries()) {
      const { fixed, auto } = rates[index]!
      for (const [at, size] of sizes.entries()) {
        fixed[at]!.push(await rate(mapPython(handler, { batch: size }) as Operator))
      }
      auto.push(await rate(mapPython(handler, { batch: 'auto' }) as Operator))
    }
  }

  const model = handlers.at(-1)!
  /** Items are taken in the order in which they came, so their times need not go through Python. */
  const latencies = async (load: number) => {
    const came: number[] = []
    const took: number[] = []
    let next = 0
    let counts = false
    const done = () => {
      if (counts) took.push(performance.now() - came[next]!)
      next += 1
    }
    const operator = mapPython<string, string>(model, { batch: 'auto', maxLatency })
    const item = () => {
      came.push(performance.now())
      return TEXT
    }
    const source = new Subject<string>()
    const endlessly = load === Number.POSITIVE_INFINITY
    const stream = (endlessly ? fromIterable(endless(item)) : source).pipe(operator).subscribe(done)
    const began = performance.now()
    let sent = 0
    while (performance.now() - began < SETTLED + 3000 * seconds) {
      counts = performance.now() - began > SETTLED
      const due = endlessly ? 0 : ((performance.now() - began) / 1000) * load
      for (; sent < due; sent += 1) source.next(item())
      await pause(1)
    }
    stream.unsubscribe()
    took.sort((a, b) => a - b)
    return took[Math.floor(took.length * 0.99)]!
  }
  const p99: number[] = []
  for (const load of [...loads, Number.POSITIVE_INFINITY]) p99.push(await latencies(load))
  await pool.close()
  return { rates, p99 }
})
