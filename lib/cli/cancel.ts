import { ask, FOLDER_USAGE, folderOption, only } from './client'
import { type Command, parse } from './command'

export const cancel: Command = {
  name: 'cancel',
  summary: 'stops a job and removes it from the node',
  usage: `rxjs-python cancel NAME [OPTIONS]

Stops at once: what came after the last checkpoint is not delivered. \`suspend\` it first to lose no work.

  --keep         keeps its checkpoints: a job of the same name goes on from the last one
${FOLDER_USAGE}`,
  async run(args, terminal) {
    const { values, positionals } = parse(args, { ...folderOption, keep: { type: 'boolean', default: false } })
    const name = only("the job's name", positionals)
    await ask(values.folder, { op: 'cancel', name, keep: values.keep })
    terminal.print(`job '${name}' is cancelled${values.keep ? '; its checkpoints stay' : ''}`)
    return 0
  },
}
