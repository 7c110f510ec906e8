import { constants } from 'node:os'
import type { CompleteSignalOptions } from './signal-options'

/** What can go through with its work and then close. */
export interface Drainable {
  drain(): Promise<void>
}

/** Who closes on a signal, and how. One list for the process, which leaves when all of them have drained. */
const waiting = new Map<Drainable, CompleteSignalOptions>()
const listeners = new Map<NodeJS.Signals, () => void>()

/** Drains `pool` and leaves the process on the first of these signals. Returns a function that takes this back. */
export function leaveOnSignal(pool: Drainable, options: CompleteSignalOptions): () => void {
  waiting.set(pool, options)
  for (const signal of options.signals) {
    if (listeners.has(signal)) continue
    const listener = () => {
      leave(signal).catch((error) => {
        // As if nobody had caught it: it is printed, and the process ends with 1.
        setImmediate(() => {
          throw error
        })
      })
    }
    listeners.set(signal, listener)
    process.on(signal, listener)
  }
  return () => forget(pool)
}

/** A signal that no pool waits for does again what it would do without us. */
function forget(pool: Drainable): void {
  waiting.delete(pool)
  for (const [signal, listener] of listeners) {
    if ([...waiting.values()].some(({ signals }) => signals.includes(signal))) continue
    process.off(signal, listener)
    listeners.delete(signal)
  }
}

async function leave(signal: NodeJS.Signals): Promise<never> {
  const asked = [...waiting].filter(([, { signals }]) => signals.includes(signal))
  // From here on a second signal ends the process at once, as it does without us.
  for (const [pool] of asked) forget(pool)
  await Promise.all(asked.map(([pool, options]) => drained(pool, options, signal)))
  process.exit(128 + constants.signals[signal])
}

/** The time limit counts from the signal, and for all that is done on it. */
async function drained(pool: Drainable, options: CompleteSignalOptions, signal: NodeJS.Signals): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, options.timeout)
  })
  const done = pool.drain().then(() => options.onDrained?.(signal))
  try {
    await Promise.race([late, done])
  } finally {
    clearTimeout(timer)
  }
}
