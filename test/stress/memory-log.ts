import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { processesOf } from '../lifecycle/processes'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** The most that memory may grow, as a share and in MiB: how large heaps are differs a little from moment to moment. */
const GROWTH = 0.05
const NOISE = 4

/** Resident memory in MiB: of this process, and of the largest worker process. */
export interface Memory {
  readonly own: number
  readonly worker: number
  /** Of libpython, in this process: one that is there stays, for whoever needs one next. */
  readonly copies: number
  /** What is alive of JavaScript's own: its heap, and buffers outside of it. */
  readonly heap: number
}

/** `mark` stands in the environment of worker processes. */
export async function memoryNow(mark: string): Promise<Memory> {
  // Twice, with turns of the event loop: what the first one finds dead is given back by finalisers.
  for (let pass = 0; pass < 2; pass++) {
    collect()
    await pause(10)
  }
  const workers = processesOf(mark).map(({ pid }) => residentOf(pid))
  return { own: residentOf(process.pid), worker: Math.max(0, ...workers), copies: copiesOfPython(), heap: heapUsed() }
}

function heapUsed(): number {
  const { heapUsed, external } = process.memoryUsage()
  return (heapUsed + external) / 2 ** 20
}

function copiesOfPython(): number {
  const code = readFileSync('/proc/self/maps', 'utf8').matchAll(/ r-xp .*\/libpython3\.[^/]*$/gm)
  return [...code].length
}

function residentOf(pid: number): number {
  try {
    const line = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return Number(line?.[1] ?? 0) / 1024
  } catch {
    return 0 // it has gone meanwhile
  }
}

export interface Growth {
  readonly before: number
  readonly after: number
  readonly share: number
  readonly flat: boolean
}

/** The last tenth against the second one, by their means, or what else sums them up. */
export function growth(samples: readonly number[], sumUp: (values: readonly number[]) => number = mean): Growth {
  const tenth = Math.max(1, Math.floor(samples.length / 10))
  const before = sumUp(samples.slice(tenth, 2 * tenth))
  const after = sumUp(samples.slice(-tenth))
  const share = before === 0 ? 0 : after / before - 1
  return { before, after, share, flat: after - before <= Math.max(GROWTH * before, NOISE) }
}

/** Of a tenth: workers are young or old, and only the old ones tell. */
export function largest(values: readonly number[]): number {
  return Math.max(0, ...values)
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)
}
