import { RxjsPythonError } from '../errors'
import { workAsJob } from '../node/worker'
import { type Command, type Terminal, table, UsageError } from './command'
import { commands } from './commands'
import { packageVersion } from './info'

/** The command line without `node` and the program; resolves with the exit status. */
export async function main(args: readonly string[], terminal: Terminal = processTerminal): Promise<number> {
  const [name, ...rest] = args
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    terminal.print(help())
    return name === undefined ? 2 : 0
  }
  if (name === '--version' || name === '-v') {
    terminal.print(packageVersion())
    return 0
  }
  if (name === 'worker') {
    // A node starts this, for each of its jobs; it ends with its process.
    workAsJob()
    return await new Promise<never>(() => {})
  }
  const command = commands.find((one) => one.name === name)
  if (command === undefined) {
    terminal.complain(`rxjs-python: there is no subcommand '${name}'\n\n${help()}`)
    return 2
  }
  const own = rest.indexOf('--') < 0 ? rest : rest.slice(0, rest.indexOf('--'))
  if (own.includes('--help') || own.includes('-h')) {
    terminal.print(command.usage)
    return 0
  }
  return await attempt(command, rest, terminal)
}

async function attempt(command: Command, args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    return await command.run(args, terminal)
  } catch (error) {
    if (error instanceof UsageError) {
      const more = `\`rxjs-python ${command.name} --help\` says what there is`
      terminal.complain(`rxjs-python ${command.name}: ${error.message}\n${more}`)
      return 2
    }
    const known = error instanceof RxjsPythonError
    const text = known ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)
    terminal.complain(`rxjs-python ${command.name}: ${text}${known ? ` [${error.code}]` : ''}`)
    return 1
  }
}

function help(): string {
  const rows = commands.map(({ name, summary }) => [`  ${name}`, summary])
  return `rxjs-python SUBCOMMAND [OPTIONS]\n\n${table(rows)}\n\n\`rxjs-python SUBCOMMAND --help\` says more; --version.`
}

const processTerminal: Terminal = {
  print: (text) => void process.stdout.write(`${text}\n`),
  complain: (text) => void process.stderr.write(`${text}\n`),
}
