import { resolve } from 'node:path'
import { askNode } from '../node/client'
import { defaultFolder, socketOf } from '../node/folder'
import type { Request } from '../node/protocol'
import { UsageError } from './command'

/** The option of every subcommand that talks to a node, and its line in their usage. */
export const folderOption = { folder: { type: 'string' } } as const
export const FOLDER_USAGE =
  '  --folder DIR   the folder of the node (default: RXJS_PYTHON_NODE, else ~/.local/state/rxjs-python)'

export function ask(
  folder: string | undefined,
  request: Request,
  onValue?: (value: unknown) => void,
  signal?: AbortSignal,
): Promise<unknown> {
  return askNode(socketOf(folder === undefined ? defaultFolder() : resolve(folder)), request, onValue, signal)
}

/** The one thing that a subcommand is about, such as a job's name. */
export function only(what: string, positionals: readonly string[]): string {
  if (positionals.length === 1) return positionals[0]!
  if (positionals.length === 0) throw new UsageError(`${what} is missing`)
  throw new UsageError(`'${positionals[1]}' is too much: one ${what.replace(/^the /, '')} at a time`)
}
