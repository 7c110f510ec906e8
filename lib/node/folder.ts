import { lstat, mkdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { JobNodeError } from '../errors'

/** The bytes of a Unix socket's path that every system has room for. */
const LONGEST_PATH = 103

/** Where a node is that no `--folder` names. */
export function defaultFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env.RXJS_PYTHON_NODE) return resolve(env.RXJS_PYTHON_NODE)
  return join(env.XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'rxjs-python')
}

export function socketOf(folder: string): string {
  const path = join(folder, 'node.sock')
  if (Buffer.byteLength(path) <= LONGEST_PATH) return path
  const most = LONGEST_PATH - '/node.sock'.length
  throw new JobNodeError(
    'ERR_JOB_NODE_FOLDER',
    `the folder ${folder} has a path too long for the socket in it: take one of at most ${most} bytes`,
  )
}

/** Makes the node's folder, which nobody but its user may open, or demands that the one there is such a folder. */
export async function openFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const { mode, uid } = await lstat(folder).then((found) => {
    if (found.isDirectory()) return found
    throw new JobNodeError('ERR_JOB_NODE_FOLDER', `${folder} is not a folder: name one with --folder`)
  })
  if (uid !== process.getuid?.()) {
    throw new JobNodeError(
      'ERR_JOB_NODE_FOLDER',
      `${folder} belongs to another user: name a folder of yours with --folder`,
    )
  }
  if ((mode & 0o077) !== 0) {
    throw new JobNodeError(
      'ERR_JOB_NODE_FOLDER',
      `others may open ${folder}, and whoever does so may run programs as you: chmod 700 it, or name another --folder`,
    )
  }
}
