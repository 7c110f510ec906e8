import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { closeStore, openStore, type RunRecord } from '../graph/store'
import { type Command, parse, table, UsageError, wholeOption } from './command'

/** How many runs are listed. */
const LATEST = 20

export const runs: Command = {
  name: 'runs',
  summary: 'the runs of pipelines that a store knows, and how their nodes fared',
  usage: `rxjs-python runs [ID] --store FOLDER [--pipeline NAME] [--last N] [--all] [--json]

  ID               one run, with its nodes
  --store FOLDER   the pipelines' store
  --pipeline NAME  the runs of this pipeline
  --last N         so many at most, the last one first (default ${LATEST})
  --all            also those that algorithms have started
  --json           as JSON`,
  async run(args, terminal) {
    const { values, positionals } = parse(args, {
      store: { type: 'string' },
      pipeline: { type: 'string' },
      last: { type: 'string' },
      all: { type: 'boolean' },
      json: { type: 'boolean' },
    })
    const { store: folder } = values
    if (folder === undefined)
      throw new UsageError('--store is missing: the folder that the pipelines have as their store')
    if (positionals.length > 1) throw new UsageError('one run at a time: rxjs-python runs ID')
    if (!existsSync(join(folder, 'runs.lmdb'))) throw new UsageError(`--store ${folder}: there are no runs`)
    const last = wholeOption('last', values.last ?? String(LATEST), 1)
    const store = openStore(folder)
    try {
      const [id] = positionals
      if (id !== undefined) {
        const run = store.get(id)
        if (run === undefined) throw new UsageError(`there is no run '${id}'`)
        terminal.print(values.json ? JSON.stringify(run) : details(run))
        return 0
      }
      const found = store.list(values.pipeline).filter(({ nested }) => values.all === true || !nested)
      const shown = found.slice(0, last)
      terminal.print(values.json ? JSON.stringify(shown) : list(shown))
      return 0
    } finally {
      await closeStore(folder)
    }
  },
}

function list(runs: readonly RunRecord[]): string {
  if (runs.length === 0) return 'no runs'
  const rows = runs.map((run) => {
    const cached = Object.values(run.nodes).filter((node) => node.cached).length
    const from = run.from === undefined ? '' : `from ${run.from}`
    return [
      run.id,
      run.pipelineName,
      run.state,
      when(run),
      time(run),
      cached > 0 ? `${cached} from the store` : '',
      from,
    ]
  })
  return table([['run', 'pipeline', 'state', 'began', 'took', 'nodes', ''], ...rows])
}

function details(run: RunRecord): string {
  const rows = Object.values(run.nodes).map((node) => [
    node.nodeName,
    node.algorithmName ?? '',
    node.cached ? 'from the store' : node.state,
    node.tasks === 1 ? '' : `${node.completed} of ${node.tasks} tasks`,
    time(node),
    node.failures[0]?.error ?? '',
  ])
  return `${list([run])}\n\n${table([['node', 'algorithm', 'state', 'tasks', 'took', ''], ...rows])}`
}

function when({ started }: RunRecord): string {
  return new Date(started).toISOString().slice(0, 19).replace('T', ' ')
}

function time({ started, ended }: { started?: number | undefined; ended?: number | undefined }): string {
  return started === undefined || ended === undefined ? '' : `${((ended - started) / 1000).toFixed(1)} s`
}
