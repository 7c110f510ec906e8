import { chmodSync, lstatSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { OptionError } from '../errors'

/** The longest path that a socket can have on Linux, in bytes. */
const LONGEST_PATH = 107

export interface LineEvents {
  /** A process has connected, and is to be told what it serves. */
  hello(): string
  message(text: string): void
  /** It has gone, or another one may come. */
  gone(): void
}

/** A socket that only this user may open, and the one process that is connected to it: lines of JSON, both ways. */
export class LocalLine {
  readonly path: string
  private readonly folder: string
  private readonly server: Server
  private socket: Socket | undefined
  private received = ''
  private kept = false
  private closed = false
  private readonly clean = () => rmSync(this.folder, { recursive: true, force: true })

  private constructor(
    path: string | undefined,
    private readonly events: LineEvents,
  ) {
    const parent = path === undefined ? runtimeFolder() : dirname(resolve(path))
    if (path !== undefined) mkdirSync(parent, { recursive: true })
    // Nobody else gets into the folder, so nobody can open the socket before its own mode says so.
    this.folder = mkdtempSync(join(parent, path === undefined ? 'rxjs-python-' : '.rxjs-python-'))
    this.path = path === undefined ? join(this.folder, 'handler.sock') : resolve(path)
    this.server = createServer((socket) => this.take(socket)).unref()
    process.once('exit', this.clean)
  }

  /** @throws OptionError where the path is too long, or taken */
  static async open(path: string | undefined, events: LineEvents): Promise<LocalLine> {
    if (path !== undefined) await freePath(resolve(path))
    const line = new LocalLine(path, events)
    const bound = join(line.folder, 'handler.sock')
    if (Buffer.byteLength(bound) > LONGEST_PATH || Buffer.byteLength(line.path) > LONGEST_PATH) {
      line.close()
      throw new OptionError([`debug.socket: the path of a socket has at most ${LONGEST_PATH} bytes; got ${line.path}`])
    }
    await new Promise<void>((done, fail) => line.server.once('error', fail).listen(bound, done))
    chmodSync(bound, 0o600)
    if (line.path !== bound) renameSync(bound, line.path)
    return line
  }

  get connected(): boolean {
    return this.socket !== undefined
  }

  /** Whether the process is to stay alive for this. */
  keep(kept: boolean): void {
    this.kept = kept
    for (const one of [this.server, this.socket]) kept ? one?.ref() : one?.unref()
  }

  send(text: string): void {
    this.socket?.write(`${text}\n`)
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.socket?.end()
    this.server.close()
    process.removeListener('exit', this.clean)
    if (dirname(this.path) !== this.folder) rmSync(this.path, { force: true })
    this.clean()
  }

  private take(socket: Socket): void {
    if (this.socket !== undefined) {
      socket.end(`${JSON.stringify({ busy: 'another one' })}\n`)
      socket.on('error', () => {})
      return
    }
    this.socket = socket
    this.received = ''
    if (!this.kept) socket.unref()
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => this.receive(text))
    socket.on('error', () => {}) // 'close' follows
    socket.on('close', () => {
      this.socket = undefined
      if (!this.closed) this.events.gone()
    })
    this.send(this.events.hello())
  }

  private receive(text: string): void {
    const lines = (this.received + text).split('\n')
    this.received = lines.pop()!
    for (const line of lines) this.events.message(line)
  }
}

/** Where this user's programs put what lives as long as they do. */
function runtimeFolder(): string {
  const folder = process.env.XDG_RUNTIME_DIR
  try {
    if (folder && lstatSync(folder).uid === process.getuid?.()) return folder
  } catch {
    // it is not there
  }
  return tmpdir()
}

/** A socket that a program left behind may be replaced; nothing else is. */
async function freePath(path: string): Promise<void> {
  let isSocket: boolean
  try {
    isSocket = lstatSync(path).isSocket()
  } catch {
    return
  }
  if (!isSocket) throw new OptionError([`debug.socket: ${path} is there already, and no socket`])
  const alive = await new Promise<boolean>((done) => {
    const socket = connect(path, () => {
      socket.destroy()
      done(true)
    }).on('error', () => done(false))
  })
  if (alive) throw new OptionError([`debug.socket: another program waits at ${path}`])
}
