import { once } from 'node:events'
import { createServer } from 'node:http'
import { resolve } from 'node:path'
import { defaultFolder } from '../node/folder'
import type { JobNode } from '../node/node'
import { type ListeningNode, listenAsNode } from '../node/server'
import { type Command, parse, type Terminal, UsageError, wholeOption } from './command'
import { nameOf } from './submit'

const USAGE = `rxjs-python node [OPTIONS]

Keeps jobs, each in a process of its own, until it is told to stop; on SIGTERM and SIGINT each job takes a checkpoint
first. The jobs of the node that was here before come back.

  --folder DIR         where its socket, its jobs and their checkpoints are, for its user alone
                       (default: RXJS_PYTHON_NODE, else ~/.local/state/rxjs-python)
  --job FILE           a job to begin with, unless it is there already; may be given several times
  --max-jobs N         the most jobs that it takes (default: 16)
  --restarts N         failures in a row after which a job is given up (default: 5)
  --patience SECONDS   what a job may take to checkpoint before it is stopped by force (default: 10)
  --health [HOST:]PORT answers to /live and /ready by HTTP (default: no; HOST 127.0.0.1)
  --quiet              prints neither topics nor what jobs print; \`rxjs-python logs\` still has it`

export const node: Command = {
  name: 'node',
  summary: 'keeps jobs running; start it once, submit jobs to it',
  usage: USAGE,
  async run(args, terminal) {
    const { values, positionals } = parse(args, {
      folder: { type: 'string' },
      job: { type: 'string', multiple: true },
      'max-jobs': { type: 'string' },
      restarts: { type: 'string' },
      patience: { type: 'string' },
      health: { type: 'string' },
      quiet: { type: 'boolean', default: false },
    })
    if (positionals.length > 0) throw new UsageError(`'${positionals[0]}' is too much: a job begins with --job FILE`)
    const health = values.health === undefined ? undefined : addressOf(values.health)
    const listening = await listenAsNode({
      folder: values.folder === undefined ? defaultFolder() : resolve(values.folder),
      maxJobs: wholeOption('max-jobs', values['max-jobs'] ?? '16', 1),
      restarts: wholeOption('restarts', values.restarts ?? '5', 0),
      patience: wholeOption('patience', values.patience ?? '10', 1) * 1000,
      print: values.quiet ? () => {} : (text) => terminal.print(text),
    })
    const back = listening.back === 0 ? '' : `; ${listening.back} ${listening.back === 1 ? 'job is' : 'jobs are'} back`
    terminal.print(`node ${process.pid} listens at ${listening.socket}${back}`)
    const stopped = untilSignal()
    const server = health && (await answerHealth(listening.node, health, terminal))
    for (const file of values.job ?? []) await beginWith(listening.node, resolve(file), terminal)
    await stopped
    terminal.print('the node stops: each job takes a checkpoint')
    await leave(listening)
    server?.close()
    server?.closeAllConnections()
    return 0
  },
}

/** A job that does not start is printed; the node is not ready then, and the others go on. */
async function beginWith(jobs: JobNode, file: string, terminal: Terminal): Promise<void> {
  const name = nameOf(file)
  if ((await jobs.list()).some((job) => job.name === name)) return
  await jobs.submit({ name, file, args: [], cwd: process.cwd() }).catch((error: Error) => {
    missing.add(name)
    terminal.complain(`job '${name}' did not start: ${error.message}`)
  })
}

/** Jobs that the command line names and that did not start. */
const missing = new Set<string>()

function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
  })
}

async function leave(listening: ListeningNode): Promise<void> {
  await listening.close()
}

interface Address {
  host: string
  port: number
}

function addressOf(text: string): Address {
  const at = text.lastIndexOf(':')
  const port = wholeOption('health', text.slice(at + 1), 0)
  if (port > 65_535) throw new UsageError(`--health ${text}: there is no such port`)
  return { host: at < 0 ? '127.0.0.1' : text.slice(0, at).replace(/^\[|\]$/g, ''), port }
}

async function answerHealth(jobs: JobNode, { host, port }: Address, terminal: Terminal) {
  const server = createServer((request, response) => {
    const troubles = [...jobs.troubles(), ...Array.from(missing, (name) => `${name}: did not start`)]
    const known = request.url === '/live' || request.url === '/ready'
    const status = !known ? 404 : request.url === '/ready' && troubles.length > 0 ? 503 : 200
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(`${JSON.stringify(known ? { live: true, ready: troubles.length === 0, troubles } : {})}\n`)
  })
  server.listen(port, host)
  await once(server, 'listening')
  const bound = server.address() as { port: number }
  terminal.print(`health at http://${host.includes(':') ? `[${host}]` : host}:${bound.port}/ready`)
  return server
}
