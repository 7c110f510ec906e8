import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

/** A process by its number, and the program that it runs. */
export interface Found {
  readonly pid: number
  readonly command: string
}

/** Milliseconds that a worker process may go on after its parent: the system tells it of that at once. */
const PATIENCE = 10_000
const STEP = 20

/** The processes that run and have this in their environment, as worker processes have their pool's `env`. */
export function processesOf(mark: string): Found[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => read(name, 'environ').includes(mark) && !/^State:\tZ/m.test(read(name, 'status')))
    .map((name) => ({ pid: Number(name), command: read(name, 'cmdline').replaceAll('\0', ' ') }))
}

/** Empty where the process has gone meanwhile, or is somebody else's. */
function read(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}

/** Looks until nothing is left, and returns what is left when patience is over. */
export async function waitForEnd(look: () => Found[]): Promise<Found[]> {
  const until = performance.now() + PATIENCE
  for (;;) {
    const left = look()
    if (left.length === 0 || performance.now() > until) return left
    await pause(STEP)
  }
}
