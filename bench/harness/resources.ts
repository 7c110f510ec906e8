/** What the system knows about this process: Linux only, undefined elsewhere. */
import { readdirSync, readFileSync } from 'node:fs'

/** CPU time that the JavaScript thread has had. Must be called on the main thread. */
export function threadSeconds(): number | undefined {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]) / 1e9
  } catch {
    return undefined
  }
}

/** Memory of this process and of all that it started, in MiB; what several of them share counts once. */
export function treeMemoryMiB(): number | undefined {
  const parents = new Map<number, number>()
  try {
    for (const name of readdirSync('/proc')) {
      if (/^\d+$/.test(name)) parents.set(Number(name), parentOf(name))
    }
    let kib = 0
    for (const pid of parents.keys()) if (descends(pid, parents)) kib += proportionalKiB(pid)
    return kib / 1024
  } catch {
    return undefined
  }
}

function parentOf(pid: string): number {
  try {
    return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  } catch {
    return 0 // it has gone meanwhile
  }
}

function descends(pid: number, parents: ReadonlyMap<number, number>): boolean {
  for (let at: number | undefined = pid; at !== undefined && at > 1; at = parents.get(at)) {
    if (at === process.pid) return true
  }
  return false
}

function proportionalKiB(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0)
  } catch (error) {
    if (pid === process.pid) throw error
    return 0
  }
}
