import type { JobLine } from '../node/node'
import { ask, FOLDER_USAGE, folderOption } from './client'
import { type Command, parse, table, UsageError } from './command'

export const list: Command = {
  name: 'list',
  summary: 'the jobs of the node',
  usage: `rxjs-python list [OPTIONS]

  --json         a line of JSON for each job
${FOLDER_USAGE}`,
  async run(args, terminal) {
    const { values, positionals } = parse(args, { ...folderOption, json: { type: 'boolean', default: false } })
    if (positionals.length > 0) throw new UsageError(`'${positionals[0]}' is too much: list shows all jobs`)
    const jobs = (await ask(values.folder, { op: 'list' })) as JobLine[]
    if (values.json) for (const job of jobs) terminal.print(JSON.stringify(job))
    else if (jobs.length === 0) terminal.print('the node has no jobs')
    else terminal.print(table([['JOB', 'STATE', 'EPOCH', 'RESTARTS', 'SUBMITTED', 'FILE'], ...jobs.map(row)]))
    return 0
  },
}

function row({ name, state, epoch, restarts, submitted, file, problem }: JobLine): string[] {
  const why = problem === null ? '' : `  ${problem.split('\n', 1)[0]}`
  const when = new Date(submitted).toISOString().slice(0, 19).replace('T', ' ')
  return [name, state, epoch === null ? '-' : String(epoch), String(restarts), when, `${file}${why}`]
}
