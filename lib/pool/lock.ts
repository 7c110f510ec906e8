import { setTimeout as sleep } from 'node:timers/promises'
import { native } from '../native'
import type { Lock } from './file-lock'

/** Milliseconds between two looks at a lock that another process holds. */
const LOOK_AGAIN = 100

/** A lock of the operating system, which drops it when its holder dies. */
export const lockByFlock: Lock = async (path, { signal } = {}) => {
  for (;;) {
    signal?.throwIfAborted()
    const lock = native().lockFile(path)
    if (lock !== null) return () => native().unlockFile(lock)
    await sleep(LOOK_AGAIN, undefined, { signal })
  }
}
