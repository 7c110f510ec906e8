import { ask, FOLDER_USAGE, folderOption, only } from './client'
import { type Command, parse } from './command'

export const suspend: Command = {
  name: 'suspend',
  summary: 'a job takes a checkpoint and rests, also through restarts of the node',
  usage: `rxjs-python suspend NAME [OPTIONS]

${FOLDER_USAGE}`,
  async run(args, terminal) {
    const { values, positionals } = parse(args, folderOption)
    const name = only("the job's name", positionals)
    await ask(values.folder, { op: 'suspend', name })
    terminal.print(`job '${name}' is suspended`)
    return 0
  },
}
