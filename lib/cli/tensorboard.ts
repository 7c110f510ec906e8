import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RxjsPythonError } from '../errors'
import { metricsOf, metricsRoot, type NodeMetrics } from '../graph/metrics'
import { locatePython } from '../pool/locate'
import { type Command, parse, table, UsageError, wholeOption } from './command'

const PORT = 6006

export const tensorboard: Command = {
  name: 'tensorboard',
  summary: 'TensorBoard on what the nodes of pipelines have written to ALGO_METRICS_DIR',
  usage: `rxjs-python tensorboard [--store FOLDER] [--run ID]... [--node NAME]... [--list]

  --store FOLDER   the pipelines' store (default: where pipelines without one leave their metrics)
  --run ID         only this run; may be given several times
  --node NAME      only this node; may be given several times
  --list           say what there is, and open nothing
  --port N         where the board is served, on 127.0.0.1 (default ${PORT}; 0: any)
  --python PATH    a Python with the package tensorboard (default: as a pool finds it)`,
  async run(args, terminal) {
    const { values, positionals } = parse(args, {
      store: { type: 'string' },
      run: { type: 'string', multiple: true },
      node: { type: 'string', multiple: true },
      list: { type: 'boolean' },
      port: { type: 'string' },
      python: { type: 'string' },
    })
    if (positionals.length > 0) throw new UsageError(`tensorboard takes options only; got '${positionals[0]}'`)
    const port = values.port === undefined ? PORT : wholeOption('port', values.port, 0)
    const root = metricsRoot(values.store)
    const all = metricsOf(root)
    const chosen = all.filter(({ run, node }) => among(values.run, run) && among(values.node, node))
    if (chosen.length === 0) throw new UsageError(nothing(root, all))
    if (values.list) {
      terminal.print(table([['run', 'node', 'folder'], ...chosen.map(({ run, node, folder }) => [run, node, folder])]))
      return 0
    }
    return serve(await pythonWithBoard(values.python), chosen, port)
  },
}

function among(names: readonly string[] | undefined, name: string): boolean {
  return names === undefined || names.includes(name)
}

function nothing(root: string, all: readonly NodeMetrics[]): string {
  if (all.length === 0)
    return `there are no metrics in ${root}: no node has written to ALGO_METRICS_DIR, or --store is another`
  const known = all.map(({ run, node }) => `${run} ${node}`).join(', ')
  return `no such run or node; there are: ${known}`
}

/** @throws RxjsPythonError with what to install, before anything is started */
async function pythonWithBoard(given: string | undefined): Promise<string> {
  const { executable } = await locatePython(given)
  if (spawnSync(executable, ['-c', 'import tensorboard.main'], { stdio: 'ignore' }).status === 0) return executable
  throw new RxjsPythonError(
    'ERR_TENSORBOARD',
    `the package tensorboard is missing, or does not load, in ${executable}: ` +
      `${executable} -m pip install tensorboard 'setuptools<81'`,
  )
}

/** Until it is stopped. A folder of links has the chosen nodes, by runs, and nothing else. */
async function serve(python: string, chosen: readonly NodeMetrics[], port: number): Promise<number> {
  const logs = mkdtempSync(join(tmpdir(), 'rxjs-python-board-'))
  for (const { run, node, folder } of chosen) {
    mkdirSync(join(logs, run), { recursive: true })
    symlinkSync(folder, join(logs, run, node))
  }
  const options = ['--logdir', logs, '--host', '127.0.0.1', '--port', String(port)]
  const board = spawn(python, ['-m', 'tensorboard.main', ...options], { stdio: 'inherit' })
  const stop = (signal: NodeJS.Signals) => board.kill(signal)
  for (const signal of SIGNALS) process.on(signal, stop)
  try {
    const [status, signal] = (await once(board, 'close')) as [number | null, string | null]
    return signal === null ? (status ?? 1) : 0
  } finally {
    for (const signal of SIGNALS) process.removeListener(signal, stop)
    rmSync(logs, { recursive: true, force: true })
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const
