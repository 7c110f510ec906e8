import { type ParseArgsConfig, parseArgs } from 'node:util'
import { RxjsPythonError } from '../errors'

/** What a subcommand reads and writes: the process's own, or a test's. */
export interface Terminal {
  print(text: string): void
  complain(text: string): void
}

/** A subcommand: `rxjs-python NAME …`. Each has a file of its own, and a place in `commands.ts`. */
export interface Command {
  readonly name: string
  /** One line for the list of subcommands. */
  readonly summary: string
  /** What `rxjs-python NAME --help` prints, without a line break at its end. */
  readonly usage: string
  /** Resolves with the exit status. What it throws is printed, and the status is 1, or 2 for a `UsageError`. */
  run(args: readonly string[], terminal: Terminal): Promise<number>
}

/** The command line is wrong (`ERR_USAGE`): the message and where to find help are printed, and the exit status is 2. */
export class UsageError extends RxjsPythonError {
  constructor(message: string) {
    super('ERR_USAGE', message)
  }
}

/** Options and positionals by `node:util`, with its complaints as a `UsageError`. */
export function parse<T extends ParseArgsConfig['options']>(args: readonly string[], options: T) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true })
  } catch (error) {
    throw new UsageError((error as Error).message.split('. To specify')[0]!)
  }
}

/** A whole number on the command line. */
export function wholeOption(name: string, text: string, least: number): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= least) return value
  throw new UsageError(`--${name} ${text}: must be a whole number from ${least} up`)
}

/** A table for the terminal: columns as wide as their widest entry. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows) {
    row.forEach((cell, at) => {
      widths[at] = Math.max(widths[at] ?? 0, cell.length)
    })
  }
  return rows
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
