import { ask, FOLDER_USAGE, folderOption, only } from './client'
import { type Command, parse } from './command'

export const resume: Command = {
  name: 'resume',
  summary: 'a suspended job goes on',
  usage: `rxjs-python resume NAME [OPTIONS]

${FOLDER_USAGE}`,
  async run(args, terminal) {
    const { values, positionals } = parse(args, folderOption)
    const name = only("the job's name", positionals)
    await ask(values.folder, { op: 'resume', name })
    terminal.print(`job '${name}' is running`)
    return 0
  },
}
