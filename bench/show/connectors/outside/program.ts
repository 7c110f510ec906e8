/** Programs of ours that stand where a connector's server or sender would: processes of their own, so that they can be killed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ServerDefinition } from '../../../../test/services/server'

/** Found from this file: a server starts in a folder of its own. */
const arguments_ = (program: string, args: readonly string[]) => [
  `--import=${pathToFileURL(require.resolve('tsx'))}`,
  join(__dirname, program),
  ...args,
]

/** A server that keeps its lists as files of its folder: what it was sent is there when it comes back. */
export function serverOf(program: string): ServerDefinition {
  return {
    name: program.replace('.ts', ''),
    command: ({ folder, port }) => ({ file: process.execPath, args: arguments_(program, [folder, String(port)]) }),
  }
}

export function startProgram(program: string, args: readonly string[]): ChildProcess {
  return spawn(process.execPath, arguments_(program, args), { stdio: ['ignore', 'ignore', 'inherit'] })
}
