import { basename, resolve } from 'node:path'
import { ask, FOLDER_USAGE, folderOption, only } from './client'
import { type Command, parse } from './command'

export const submit: Command = {
  name: 'submit',
  summary: 'gives a job to the node, and leaves it there',
  usage: `rxjs-python submit FILE [OPTIONS] [-- ARGUMENTS]

FILE is a module whose default export is a job: \`export default defineJob(…)\`. The arguments reach it as \`node.args\`.
Returns when the job runs; one that fails as it starts is not kept.

  --name NAME    the job's name (default: the file's, without its ending)
${FOLDER_USAGE}`,
  async run(args, terminal) {
    const at = args.indexOf('--')
    const own = at < 0 ? args : args.slice(0, at)
    const { values, positionals } = parse(own, { ...folderOption, name: { type: 'string' } })
    const file = resolve(only('the file', positionals))
    const name = values.name ?? nameOf(file)
    const rest = at < 0 ? [] : args.slice(at + 1)
    const answer = await ask(values.folder, { op: 'submit', name, file, args: [...rest], cwd: process.cwd() })
    const { state } = answer as { state: string }
    terminal.print(`job '${name}' ${state === 'completed' ? 'has completed' : `is ${state}`}`)
    return 0
  },
}

/** The name of a job whose file is given and no other name. */
export function nameOf(file: string): string {
  return basename(file).replace(/(\.job)?\.[cm]?[jt]s$/, '')
}
