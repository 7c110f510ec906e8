import { decodeJson } from '../codec/json'
import { writeSeed } from '../codec/json-extended'
import { EncodeError, OptionError, PoolClosedError, SyncCallError } from '../errors'
import { type CompleteHandlerOptions, validateCallOptions } from '../options'
import { pythonRoot } from '../package-root'
import type { CompleteDebugOptions } from './debug'
import { finisher } from './finisher'
import type { CallOptions, CodecName, Handler, HandlerMode, HandlerSpec } from './handler-types'
import { LocalLine } from './local-line'
import type { PendingCall } from './pending'
import type { PythonPool } from './pool'
import { type PythonSpec, parseSpec, specName } from './spec'

/** Of the lines between the two; see python/rxjs_python/serve.py. */
const VERSION = 1

interface Waiting {
  call: PendingCall
  /** The items, as JSON. */
  items: string
}

/** What a process says. */
type Message =
  | { ready: number }
  | { result: number; values: unknown[] }
  | { error: number; report: object }
  | { callback: number; name: string; args: unknown[] }

/**
 * A handler that a process of the user's serves: one that an editor debugs, say. Batches wait while there is none, and one
 * whose process has gone waits for the next: so a fault can be looked at again and again with the same input.
 */
export class LocalHandler<I, O> implements Handler<I, O> {
  readonly name: string
  readonly codec: CodecName
  readonly mode: HandlerMode
  private readonly hello: string
  private readonly line: Promise<LocalLine>
  private opened: LocalLine | undefined
  private readonly calls = new Map<number, Waiting>()
  private nextCall = 1
  private isReady = false
  private closing: Promise<void> | undefined
  private readonly finish: ((value: unknown) => unknown) | undefined

  constructor(
    readonly pool: PythonPool,
    private readonly given: HandlerSpec,
    private readonly options: CompleteHandlerOptions & { debug: CompleteDebugOptions },
  ) {
    const { codec, mode, seed } = options
    if (codec !== 'json' && codec !== 'string') {
      throw new OptionError([`pool.handler: debug 'local' is for codecs 'json' and 'string'; got '${codec}'`])
    }
    this.codec = codec
    this.mode = mode
    this.finish = finisher(mode, codec)
    const spec: PythonSpec = parseSpec(given, pool.path)
    const init = options.init === undefined ? null : parseSpec(options.init, pool.path)
    this.name = specName(spec)
    const handler = JSON.stringify({ spec, init, mode, codec, name: this.name })
    const whole = seed === undefined ? handler : `${handler.slice(0, -1)},"seed":${writeSeed(seed)}}`
    const about = { version: VERSION, python: pythonRoot, path: pool.path, name: pool.name, title: this.name, spec }
    this.hello = `${JSON.stringify(about).slice(0, -1)},"handler":${whole}}`
    this.line = LocalLine.open(options.debug.socket, {
      hello: () => this.hello,
      message: (text) => this.take(text),
      gone: () => {
        this.isReady = false
        this.tell()
      },
    })
    this.line.then(
      (line) => {
        this.opened = line
        if (this.closing !== undefined) line.close()
        this.tell()
      },
      (error) => this.failAll(error),
    )
  }

  call(batch: readonly I[], options?: CallOptions): Promise<O[]> {
    try {
      const { signal } = validateCallOptions(options)
      if (this.closing !== undefined) throw new PoolClosedError(`${this.name}: the handler is closed`)
      if (!Array.isArray(batch)) throw new EncodeError(`call() takes an array of items with codec '${this.codec}'`)
      const items = writeSeed(this.codec === 'string' ? strings(batch) : batch)
      const call = this.pool.calls.create(this.name, batch.length, this.finish)
      this.pool.calls.limit(call, signal === undefined ? {} : { signal })
      if (!call.settled) this.add({ call, items })
      return call.promise as Promise<O[]>
    } catch (error) {
      return Promise.reject(error)
    }
  }

  callSync(): O[] {
    throw new SyncCallError('a handler that another process serves cannot be waited for; use call')
  }

  sizeOf(item: I): number {
    return typeof item === 'string' ? item.length : (JSON.stringify(item)?.length ?? 0)
  }

  variant<R>(mode: HandlerMode, { seed }: { seed?: unknown } = {}): Handler<I, R> {
    const { init, codec, debug } = this.options
    const { socket } = debug
    return this.pool.handler<I, R>(this.given, {
      codec,
      mode,
      debug: socket === undefined ? 'local' : { socket },
      ...(init === undefined ? {} : { init }),
      ...(seed === undefined ? {} : { seed }),
    })
  }

  /** Calls that were made still get their results. */
  close(): Promise<void> {
    this.closing ??= this.leave()
    return this.closing
  }

  /** Fails what was called: the pool is destroyed. */
  destroy(error: Error): void {
    this.closing ??= Promise.resolve()
    this.failAll(error)
    this.end()
  }

  private async leave(): Promise<void> {
    await Promise.allSettled([...this.calls.values()].map(({ call }) => call.promise))
    await this.line.catch(() => {})
    this.end()
  }

  private end(): void {
    this.opened?.close()
    this.pool.left(this)
  }

  private add(waiting: Waiting): void {
    const number = this.nextCall++
    this.calls.set(number, waiting)
    waiting.call.promise
      .catch(() => {})
      .then(() => {
        // Where it was aborted, the other side need not begin with it.
        if (this.calls.delete(number)) this.opened?.send(JSON.stringify({ forget: number }))
        if (this.calls.size === 0) this.opened?.keep(false)
      })
    this.line.then(
      (line) => {
        line.keep(true)
        if (this.isReady) this.send(number, waiting)
        else this.tell()
      },
      (error) => waiting.call.settled || waiting.call.fail(error),
    )
  }

  private send(number: number, { call, items }: Waiting): void {
    if (!call.settled) this.opened?.send(`{"call":${number},"items":${items}}`)
  }

  private take(text: string): void {
    const message = JSON.parse(text) as Message
    if ('ready' in message) {
      this.isReady = true
      this.tell()
      for (const [number, waiting] of this.calls) this.send(number, waiting)
    } else if ('callback' in message) {
      this.answer(message.callback, message.name, decodeJson(JSON.stringify(message.args), true) as unknown[])
    } else {
      const number = 'result' in message ? message.result : message.error
      const call = this.calls.get(number)?.call
      this.calls.delete(number)
      if (call === undefined || call.settled) return
      if ('result' in message) call.succeed(decodeJson(JSON.stringify(message.values), true))
      else call.failReport(JSON.stringify(message.report))
    }
  }

  private async answer(number: number, name: string, args: unknown[]): Promise<void> {
    const { ok, text } = await this.pool.callbacks.runFor(name, args)
    this.opened?.send(`{"answer":${number},"ok":${ok},"value":${text}}`)
  }

  private failAll(error: unknown): void {
    for (const { call } of this.calls.values()) if (!call.settled) call.fail(error)
    this.calls.clear()
  }

  private tell(): void {
    if (this.opened === undefined || this.closing !== undefined) return
    const { path } = this.opened
    const waits = this.calls.size > 0 ? 'waiting' : 'listening'
    const command = `PYTHONPATH=${quoted(pythonRoot)} ${quoted(this.pool.info().python.executable)} -m rxjs_python.serve ${quoted(path)}`
    this.pool.debugged.set({ handler: this.name, socket: path, command, state: this.isReady ? 'attached' : waits })
  }
}

function strings(batch: readonly unknown[]): readonly unknown[] {
  const wrong = batch.findIndex((item) => typeof item !== 'string')
  if (wrong >= 0) throw new EncodeError(`the codec 'string' carries strings, got a ${typeof batch[wrong]}`)
  return batch
}

function quoted(text: string): string {
  return /^[\w./+:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
