import { AsyncLocalStorage } from 'node:async_hooks'
import { decodeJson, encodeJson } from '../codec/json'
import { writeSeed } from '../codec/json-extended'
import { CallbackError, OptionError, PythonError } from '../errors'
import type { Callback } from '../options'
import type { PoolCalls } from './calls'

/** A function that Python may call, until it is removed. */
export interface ExposedCallback extends Disposable {
  readonly name: string
  /** Calls that Python makes from now on fail; those that were made get their answers. */
  remove(): void
}

/** A callback that runs: whose it is, and the number that its answer goes to. */
interface Running {
  readonly calls: PoolCalls
  readonly number: number
  answered: boolean
}

const ASYNC_IN_SYNC =
  'the callback returned a promise, which cannot be settled while the JavaScript thread waits for this call in callSync: ' +
  'return a value, or use call'

function ignore(): void {}

/** How many causes of an error go to Python with it. */
const MOST_CAUSES = 8

/**
 * Knows in which callback a call is made, however many awaits lie between: such calls must not wait for an interpreter
 * that waits for them. Made with the first callback, since promises cost more in a program that has one.
 */
let running: AsyncLocalStorage<Running> | undefined

/** The number of the callback that makes a call to this pool and that Python waits for; 0 where there is none. */
export function callbackAtWork(calls: PoolCalls): number {
  const callback = running?.getStore()
  return callback !== undefined && callback.calls === calls && !callback.answered ? callback.number : 0
}

/** The functions that one pool's Python may call. */
export class Callbacks {
  private readonly functions = new Map<string, Callback>()

  constructor(private readonly calls: PoolCalls) {}

  expose(name: string, callback: Callback): ExposedCallback {
    if (this.functions.has(name)) {
      throw new OptionError([`pool.expose: there is a callback '${name}' already; remove it first`])
    }
    this.functions.set(name, callback)
    const remove = () => {
      if (this.functions.get(name) === callback) this.functions.delete(name)
    }
    return { name, remove, [Symbol.dispose]: remove }
  }

  /** Runs what Python asks for and answers, now or when its promise is settled. */
  run(number: number, request: string | null, specials: boolean): void {
    const task: Running = { calls: this.calls, number, answered: false }
    try {
      if (request === null) throw new CallbackError('the arguments are longer than a JavaScript string can be')
      const [name, ...args] = decodeJson(request, specials) as [string, ...unknown[]]
      const result = this.start(task, this.find(name), args)
      if (isThenable(result) && this.calls.sync.waitsBehind(number)) {
        result.then(ignore, ignore)
        throw new CallbackError(ASYNC_IN_SYNC)
      }
      if (isThenable(result)) {
        result.then(
          (value) => this.succeed(task, value),
          (error) => this.fail(task, error),
        )
      } else {
        this.succeed(task, result)
      }
    } catch (error) {
      this.fail(task, error)
    }
  }

  /** Runs what a Python that is not this pool's asks for; resolves with the answer as JSON for it. */
  async runFor(name: string, args: readonly unknown[]): Promise<{ ok: boolean; text: string }> {
    try {
      return { ok: true, text: writeSeed((await this.find(name)(...args)) ?? null) }
    } catch (error) {
      return { ok: false, text: JSON.stringify(description(error, 0)) }
    }
  }

  private start(task: Running, callback: Callback, args: unknown[]): unknown {
    running ??= new AsyncLocalStorage()
    return running.run(task, function calledByPython() {
      return callback(...args)
    })
  }

  private find(name: string): Callback {
    const callback = this.functions.get(name)
    if (callback !== undefined) return callback
    const known = [...this.functions.keys()].map((one) => `'${one}'`)
    throw new CallbackError(
      `there is no callback '${name}': ${known.length > 0 ? `the pool exposes ${known.join(', ')}` : 'the pool exposes none; pool.expose(name, function) does'}`,
    )
  }

  private succeed(task: Running, value: unknown): void {
    let text: string
    try {
      text = encodeJson([value ?? null])
    } catch (error) {
      this.fail(task, new CallbackError('what the callback returned cannot go to Python', { cause: error }))
      return
    }
    this.answer(task, true, text)
  }

  private fail(task: Running, error: unknown): void {
    this.answer(task, false, JSON.stringify([description(error, 0)]))
  }

  private answer(task: Running, ok: boolean, text: string): void {
    task.answered = true
    this.calls.native.answer(task.number, ok, text, text.length)
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    'then' in value &&
    typeof (value as { then: unknown }).then === 'function'
  )
}

/** An error as data: what `JavaScriptError` in Python is made of. */
function description(error: unknown, depth: number): Record<string, unknown> {
  if (!(error instanceof Error)) return { name: 'Error', message: textOf(error), stack: '' }
  const { code } = error as { code?: unknown }
  const { cause } = error
  return {
    name: textOf(error.name),
    message: textOf(error.message),
    stack: ownFrames(textOf(error.stack ?? '')),
    ...(typeof code === 'string' ? { code } : {}),
    ...(error instanceof PythonError
      ? {
          report: {
            code: error.code,
            type: error.pythonType,
            message: error.pythonMessage,
            traceback: error.pythonTraceback,
            notes: error.notes,
          },
        }
      : {}),
    ...(cause === undefined || depth >= MOST_CAUSES ? {} : { cause: description(cause, depth + 1) }),
  }
}

/** A stack without the frames between Python and the callback. */
function ownFrames(stack: string): string {
  const end = stack.search(/\n *at (\S+\.)?calledByPython /)
  return end < 0 ? stack : stack.slice(0, end)
}

function textOf(value: unknown): string {
  try {
    return String(value)
  } catch {
    return 'a value that has no text'
  }
}
