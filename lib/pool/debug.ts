import { randomUUID } from 'node:crypto'
import type { Checker } from '../checker'

/** How a handler is debugged; see docs/debugging.md. */
export interface DebugOptions {
  /** Where debuggers connect; default `'127.0.0.1'`. Whoever can connect there can run code as you. */
  host?: string
  /** Default 0: one that is free. A fixed one is for one interpreter, as it can be taken once. */
  port?: number
  /** Whether the handler's first batch waits for a debugger, before the handler is loaded (default true). */
  wait?: boolean
  /** Instead of a debugger: the socket where a process of your own connects to serve the handler, see `'local'`. */
  socket?: string
}

/** Checked; `local`: a process of the user's serves the handler. */
export interface CompleteDebugOptions extends DebugOptions {
  local?: true
}

export interface Debuggable {
  /**
   * Makes handlers wait for a debugger (debugpy, which the Python needs to have). A handler that is debugged works in one
   * interpreter, one batch at a time, and time limits of calls do not count. The address is in `pool.info().debug`, and
   * comes with the pool's event `debug`; where nobody listens to that, it is printed.
   *
   * `'local'`: batches go to a process of your own, such as one that your editor has started, which connects to a socket that
   * only your user may open: `python -m rxjs_python.serve SOCKET`. They wait until there is one. Codecs `json` and `string`.
   */
  debug?: boolean | 'local' | DebugOptions
}

/** `waiting`: with a batch, for a debugger or for the process that is to serve the handler. */
type DebugState = 'listening' | 'waiting' | 'attached'

/** Where debuggers connect to a handler in an interpreter of the pool. */
export interface DebuggerInfo {
  handler: string
  host: string
  port: number
  state: DebugState
}

/** Where a process of your own connects to serve a handler, and what starts one. */
export interface LocalProcessInfo {
  handler: string
  socket: string
  command: string
  state: DebugState
}

export type DebugInfo = DebuggerInfo | LocalProcessInfo

/** What the Python side says; see python/rxjs_python/_debug.py. */
export interface DebugNotice {
  debug: DebuggerInfo & { key: string }
}

export function isDebugNotice(notice: Partial<DebugNotice>): notice is DebugNotice {
  return typeof notice.debug === 'object' && notice.debug !== null
}

const KEYS = ['host', 'port', 'wait', 'socket']

/** Undefined where it was not said, false where it was said not to. */
export function checkDebug(check: Checker, debug: unknown): CompleteDebugOptions | false | undefined {
  if (debug === undefined || debug === false) return debug
  if (debug === true) return {}
  if (debug === 'local') return { local: true }
  if (typeof debug === 'string') {
    check.problem("'debug' must be true, false, 'local' or an object", debug)
    return undefined
  }
  if (!check.object('debug', debug, KEYS)) return undefined
  const { host, port, wait, socket } = debug as DebugOptions
  const complete: CompleteDebugOptions = {}
  if (check.text('debug.socket', socket) !== undefined) {
    complete.local = true
    complete.socket = socket!
    if (host !== undefined || port !== undefined || wait !== undefined) {
      check.problem("'debug.socket' does not go with 'host', 'port' and 'wait', which are for debuggers")
    }
  }
  if (check.text('debug.host', host) !== undefined) complete.host = host!
  if (check.whole('debug.port', port, 0, 65_535) !== undefined) complete.port = port!
  if (check.flag('debug.wait', wait) !== undefined) complete.wait = wait!
  return complete
}

/** What a pool knows of its handlers that are debugged. */
export class DebugWatch {
  /** By which the Python side tells this pool from others with the same Python. */
  readonly key = randomUUID()
  private readonly handlers = new Map<string, DebugInfo>()
  private waiting: { handler: string; resolve(): void; reject(error: Error): void }[] = []

  constructor(
    private readonly pool: string,
    /** Says whether somebody took notice. */
    private readonly tell: (info: DebugInfo) => boolean,
  ) {}

  get info(): readonly DebugInfo[] {
    return [...this.handlers.values()].map((info) => ({ ...info }))
  }

  take({ debug: { key, handler, host, port, state } }: DebugNotice): void {
    if (key !== this.key) return
    this.set({ handler, host, port, state })
  }

  set(info: DebugInfo): void {
    const { handler, state } = info
    this.handlers.set(handler, info)
    if (state === 'attached') {
      const ready = this.waiting.filter((one) => one.handler === handler)
      this.waiting = this.waiting.filter((one) => one.handler !== handler)
      for (const { resolve } of ready) resolve()
    }
    if (this.tell({ ...info }) || state !== 'waiting') return
    const what = 'command' in info ? `a process: ${info.command}` : `a debugger at ${info.host}:${info.port}`
    process.stderr.write(`${handler} (pool '${this.pool}') waits for ${what}\n`)
  }

  /** Somebody waits for the handler to be attached to. */
  wait(handler: string): void {
    const info = this.handlers.get(handler)
    if (info?.state === 'listening') this.set({ ...info, state: 'waiting' })
  }

  /** Resolves when a debugger has attached to the handler. */
  attached(handler: string): Promise<void> {
    if (this.handlers.get(handler)?.state === 'attached') return Promise.resolve()
    return new Promise((resolve, reject) => this.waiting.push({ handler, resolve, reject }))
  }

  forget(handler: string): void {
    this.handlers.delete(handler)
  }

  /** Whoever waits, for this handler or for any, need not any more. */
  cancel(error: Error, handler?: string): void {
    const waiting = this.waiting.filter((one) => handler === undefined || one.handler === handler)
    this.waiting = this.waiting.filter((one) => !waiting.includes(one))
    for (const { reject } of waiting) reject(error)
  }
}
