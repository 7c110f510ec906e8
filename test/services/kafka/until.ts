import { setTimeout as sleep } from 'node:timers/promises'

/** Waits until this holds; `patience` in milliseconds, then it is an error. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, patience = 60_000): Promise<void> {
  const end = Date.now() + patience
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`${what} has not come to pass`)
    await sleep(30)
  }
}
