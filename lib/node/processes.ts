import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** A process that is not mistaken for a later one with the same id. */
export interface ProcessMark {
  readonly pid: number
  /** When it started, as the kernel counts. */
  readonly started: string | undefined
}

export function markOf(pid: number): ProcessMark {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The second field is the program's name in parentheses, which may hold anything.
    return { pid, started: text.slice(text.lastIndexOf(')') + 2).split(' ')[19] }
  } catch {
    return { pid, started: undefined }
  }
}

function isThere(mark: ProcessMark): boolean {
  return mark.started !== undefined && markOf(mark.pid).started === mark.started
}

/** Kills a process that its node has left behind, and waits until it is gone. */
export async function killLeftover(mark: ProcessMark): Promise<boolean> {
  if (!isThere(mark)) return false
  process.kill(mark.pid, 'SIGKILL')
  while (isThere(mark)) await sleep(10)
  return true
}
