import { readFileSync } from 'node:fs'

/** Whether a process runs and is a child of this one: a number alone may be somebody else's by now. */
export function isChild(pid: number): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    return status.includes(`\nPPid:\t${process.pid}\n`) && !/^State:\tZ/m.test(status)
  } catch {
    return false
  }
}
