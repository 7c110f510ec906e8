import { randomUUID } from 'node:crypto'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

/** Takes the lock of a path, waiting for it, and gives a function that releases it. */
export type Lock = (path: string, options?: { signal?: AbortSignal | undefined }) => Promise<() => void | Promise<void>>

interface Holder {
  id: string
  host: string
  pid: number
  /** When the process started, in the kernel's ticks: a later process with the same id is another one. */
  started: string | null
}

/** Milliseconds between two looks at a lock that another process holds. */
const LOOK_AGAIN = 100

/**
 * A lock made of a file that names its holder; one whose holder is gone, killed or not, is taken over.
 *
 * Two processes that take over the same lock at the same moment may, very rarely, both hold it. It is for work that is
 * wasteful to do twice, not wrong to do twice; a lock of the operating system (`flock`) has no such gap.
 */
export const lockByFile: Lock = async (path, { signal } = {}) => {
  const mine: Holder = { id: randomUUID(), host: hostname(), pid: process.pid, started: await startOf(process.pid) }
  for (;;) {
    signal?.throwIfAborted()
    if (await create(path, mine)) {
      return () => release(path, mine.id)
    }
    const text = await readOrNothing(path)
    if (text !== undefined && (await isGone(text, mine.host))) await takeAway(path, text)
    else await sleep(LOOK_AGAIN, undefined, { signal })
  }
}

/** Links a finished file into place: a process killed at any moment leaves either no lock or a whole one. */
async function create(path: string, holder: Holder): Promise<boolean> {
  const draft = `${path}.${holder.id}`
  await writeFile(draft, JSON.stringify(holder))
  try {
    await link(draft, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    await rm(draft, { force: true })
  }
}

async function release(path: string, id: string): Promise<void> {
  const text = await readOrNothing(path)
  if (text !== undefined && parse(text)?.id === id) await rm(path, { force: true })
}

/** A holder on another machine (a shared home folder) cannot be asked, so it counts as there. */
async function isGone(text: string, host: string): Promise<boolean> {
  const holder = parse(text)
  if (holder === undefined) return true
  if (holder.host !== host) return false
  try {
    process.kill(holder.pid, 0)
  } catch (error) {
    // Another user's process may not be signalled, and is there.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return true
  }
  const started = await startOf(holder.pid)
  return holder.started !== null && started !== null && started !== holder.started
}

/** Moves a dead holder's file away; by renaming, so that only one of several that try does it. */
async function takeAway(path: string, expected: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`
  try {
    await rename(path, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  if ((await readOrNothing(aside)) === expected) {
    await rm(aside, { force: true })
  } else {
    // Another process had taken over in between: it gets its lock back.
    await rename(aside, path)
  }
}

function parse(text: string): Holder | undefined {
  try {
    return JSON.parse(text) as Holder
  } catch {
    return undefined
  }
}

async function readOrNothing(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch {
    return undefined
  }
}

/** The 22nd field of /proc/PID/stat; null where there is no such file system. */
async function startOf(pid: number): Promise<string | null> {
  const stat = await readOrNothing(`/proc/${pid}/stat`)
  // The second field is the program's name in parentheses, which may hold anything.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null
}
