/** Real servers for tests: each in a folder and on ports of its own, killed and started again at will. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** What a definition is told of the server that it is to start. */
export interface Place {
  /** Empty at the first start; keeps what the server writes until `stop`. */
  readonly folder: string
  /** Free when the server was made, and the same at each start. */
  readonly port: number
  /** Further ones, by name. */
  readonly ports: Readonly<Record<string, number>>
}

export interface Command {
  file: string
  args: readonly string[]
  env?: Record<string, string>
  /** A user of the system, where the server refuses to run as root. */
  user?: { uid: number; gid: number }
}

/** How a server is started. What installs it is beside it, in `servers/`. */
export interface ServerDefinition {
  readonly name: string
  /** The names of further ports. */
  readonly ports?: readonly string[]
  /** Writes configuration, makes a data folder; once, before the first start. */
  prepare?(place: Place): Promise<void> | void
  command(place: Place): Command
  /** Rejects, or gives false, while the server does not answer. Default: whether `port` takes connections. */
  ready?(place: Place): Promise<unknown>
  /** Milliseconds that a start may take (default 60,000). */
  patience?: number
  /** What `stop` sends first (default SIGTERM), with a moment to end. */
  stopSignal?: NodeJS.Signals
}

/** Milliseconds that what was killed may take to be gone. Where nobody collects a dead orphan, it counts as alive for good. */
const GOING = 2000

const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) killGroup(child, 'SIGKILL')
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

export class Server implements AsyncDisposable {
  private child: ChildProcess | undefined
  private ended: Promise<void> = Promise.resolve()

  private constructor(
    private readonly definition: ServerDefinition,
    readonly place: Place,
  ) {}

  /** Resolves when it answers. */
  static async start(definition: ServerDefinition): Promise<Server> {
    const folder = mkdtempSync(join(tmpdir(), `rxjs-python-${definition.name}-`))
    const names = definition.ports ?? []
    const [port, ...others] = await freePorts(1 + names.length)
    const place = { folder, port: port!, ports: Object.fromEntries(names.map((name, at) => [name, others[at]!])) }
    const server = new Server(definition, place)
    try {
      await definition.prepare?.(place)
      await server.restart()
    } catch (error) {
      await server.stop()
      throw error
    }
    return server
  }

  get port(): number {
    return this.place.port
  }

  /** As a power cut does it: SIGKILL to the server and all that it has started. Its data stay. */
  async kill(): Promise<void> {
    const { child } = this
    if (child !== undefined) killGroup(child, 'SIGKILL')
    await this.ended
    if (child !== undefined) await this.gone(child)
  }

  /** Starts it again, at the same ports with the same data; resolves when it answers. */
  async restart(): Promise<void> {
    await this.kill()
    const { file, args, env, user } = this.definition.command(this.place)
    const log = openSync(this.logPath, 'a')
    const child = spawn(file, args, {
      cwd: this.place.folder,
      env: { ...process.env, ...env },
      stdio: ['ignore', log, log],
      detached: true,
      ...user,
    })
    running.add(child)
    this.child = child
    this.ended = new Promise((resolve) => {
      const over = () => {
        running.delete(child)
        if (this.child === child) this.child = undefined
        resolve()
      }
      child.once('exit', over)
      child.once('error', over)
    })
    await this.answer()
  }

  /** Ends it and removes its folder. */
  async stop(): Promise<void> {
    const { child } = this
    if (child !== undefined) {
      child.kill(this.definition.stopSignal ?? 'SIGTERM')
      await Promise.race([this.ended, sleep(3000, undefined, { ref: false })])
      killGroup(child, 'SIGKILL')
      await this.ended
    }
    rmSync(this.place.folder, { recursive: true, force: true, maxRetries: 3 })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /** The end of what the server has written. */
  log(): string {
    return readFileSync(this.logPath, 'utf8').slice(-2000)
  }

  private get logPath(): string {
    return join(this.place.folder, 'server.log')
  }

  /**
   * What a server has started dies a moment after itself, and takes connections until then: whoever is too quick would speak to the
   * dying one.
   */
  private async gone(child: ChildProcess): Promise<void> {
    const until = performance.now() + GOING
    while (performance.now() < until) {
      if (!groupLives(child) && !(await takesConnections(this.place))) return
      await sleep(10)
    }
  }

  private async answer(): Promise<void> {
    const { name, ready, patience = 60_000 } = this.definition
    const until = performance.now() + patience
    let why: unknown
    while (performance.now() < until) {
      if (this.child === undefined) throw new Error(`${name} has ended by itself:\n${this.log()}`)
      try {
        if ((await (ready ?? takesConnections)(this.place)) !== false) return
      } catch (error) {
        why = error
      }
      await sleep(50)
    }
    throw new Error(`${name} does not answer after ${patience / 1000} s: ${String(why)}\n${this.log()}`)
  }
}

/** Whether something takes connections at a port of this machine. */
export function takesConnections({ port }: { port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    const end = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
  })
}

/** Ports that nobody uses at this moment. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

/** The server and what it has started: each has a process group of its own. */
function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    // It has ended already.
  }
}

function groupLives({ pid }: ChildProcess): boolean {
  try {
    return pid !== undefined && process.kill(-pid, 0)
  } catch {
    return false
  }
}
