/** Times calls with arrays of 1 KiB and of 64 MiB, turn by turn, and looks whether both sides share the memory. */
import { setTimeout as pause } from 'node:timers/promises'
import { loadPackage } from '../../harness/package'
import { handlersFolder } from '../../harness/paths'
import { median } from '../../harness/stats'
import { answer } from './answer'

export type Way = 'allocated' | 'shared' | 'transferred' | 'returned'

/** Median microseconds of a call. */
export interface Hop {
  readonly smallUs: number
  readonly largeUs: number
}

export interface ArrayHopAnswer {
  readonly hops: Record<Way, Hop>
  readonly seen: Record<Way, boolean>
}

type Call = (array: Float64Array, options?: { transfer?: boolean }) => Promise<Float64Array>

const SMALL = 1024 / 8
const LARGE = (64 * 2 ** 20) / 8
const TURNS = 60
const WARM_UP = 15

/** What earlier arrays cost in the end, a collection and 64 MiB given back to the system, is not part of the next hop. */
async function tidy(): Promise<void> {
  for (let pass = 0; pass < 2; pass += 1) {
    globalThis.gc!()
    await pause(2)
  }
}

/** `make` is not timed: it may have to make a new array for each call. */
async function timeHops(make: (length: number) => Float64Array, call: Call): Promise<Hop> {
  const times: Record<number, number[]> = { [SMALL]: [], [LARGE]: [] }
  for (let turn = 0; turn < TURNS; turn += 1) {
    for (const length of [SMALL, LARGE]) {
      const array = make(length)
      await tidy()
      const start = performance.now()
      await call(array)
      const took = (performance.now() - start) * 1000
      if (turn >= WARM_UP) times[length]!.push(took)
    }
  }
  return { smallUs: median(times[SMALL]!), largeUs: median(times[LARGE]!) }
}

/** One array of each length, made once. */
function once(make: (length: number) => Float64Array): (length: number) => Float64Array {
  const made = new Map([SMALL, LARGE].map((length) => [length, make(length).fill(1)]))
  return (length) => made.get(length)!
}

answer<object, ArrayHopAnswer>(async ({ python }) => {
  const { PythonPool } = loadPackage()
  const pool = await PythonPool.open({ python, path: [handlersFolder], size: 1, isolation: 'shared' })
  const caller = (name: string): Call => {
    const handler = pool.handler<Float64Array, Float64Array>(`arrays:${name}`, { codec: 'array' })
    return (array, options) => handler.call(array, options)
  }
  const swap = caller('swap')
  const change = caller('change')
  const give = caller('give')
  const exchange = caller('exchange')

  const allocate = (length: number) => pool.allocate(Float64Array, length)
  const share = (length: number) => new Float64Array(new SharedArrayBuffer(length * 8))
  const fresh = (length: number) => new Float64Array(length)
  const hops: Record<Way, Hop> = {
    allocated: await timeHops(once(allocate), swap),
    shared: await timeHops(once(share), swap),
    transferred: await timeHops(fresh, (array) => swap(array, { transfer: true })),
    returned: await timeHops((length) => Float64Array.of(length), give),
  }

  // swap() returns the first element and puts 42 there; exchange() does the same to the array that give() returned.
  const both = async (array: Float64Array) => {
    array[0] = 7
    const [found] = await swap(array)
    return found === 7 && array[0] === 42
  }
  const sent = fresh(SMALL).fill(7)
  const back = await change(sent, { transfer: true })
  const given = await give(Float64Array.of(SMALL))
  given[0] = 7
  const [found] = await exchange(Float64Array.of(SMALL))
  const seen: Record<Way, boolean> = {
    allocated: await both(allocate(SMALL)),
    shared: await both(share(SMALL)),
    transferred: sent.byteLength === 0 && back[0] === 42 && back[1] === 7,
    returned: found === 7 && given[0] === 42,
  }
  await pool.close()
  return { hops, seen }
})
