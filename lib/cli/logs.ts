import { ask, FOLDER_USAGE, folderOption, only } from './client'
import { type Command, parse, wholeOption } from './command'

export const logs: Command = {
  name: 'logs',
  summary: 'what a job has printed',
  usage: `rxjs-python logs NAME [OPTIONS]

  --lines N      the last N lines (default: 20)
  --follow       and what comes, until Ctrl-C
${FOLDER_USAGE}`,
  async run(args, terminal) {
    const { values, positionals } = parse(args, {
      ...folderOption,
      lines: { type: 'string', default: '20' },
      follow: { type: 'boolean', default: false },
    })
    const name = only("the job's name", positionals)
    const lines = wholeOption('lines', values.lines, 0)
    const print = (value: unknown) => terminal.print(value as string)
    await untilInterrupted((signal) =>
      ask(values.folder, { op: 'logs', name, lines, follow: values.follow }, print, signal),
    )
    return 0
  },
}

/** Ctrl-C is how one stops following: no error. */
export async function untilInterrupted(run: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  const controller = new AbortController()
  const interrupt = () => controller.abort()
  process.once('SIGINT', interrupt)
  try {
    await run(controller.signal)
  } finally {
    process.off('SIGINT', interrupt)
  }
}
