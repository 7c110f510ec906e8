import { PythonStartError } from '../errors'
import { native } from '../native'
import type { CompletePoolOptions } from '../options'
import type { PythonInfo } from './locate'

/** How interpreters share, or do not share, this process. */
export type IsolationMode = 'shared' | 'namespace' | 'process'

/** How a pool's interpreters share the process, and why so. */
export interface IsolationChoice {
  mode: IsolationMode
  reason: string
}

/**
 * The isolation that was asked for, or with `auto` the one that fits.
 *
 * @throws PythonStartError ERR_NAMESPACE where private copies were asked for and the platform has none
 */
export function chooseIsolation(
  { isolation, size, recycleAfter }: CompletePoolOptions,
  python: PythonInfo,
): IsolationChoice {
  const obstacle = native().namespaces()
  if (isolation === 'namespace' && obstacle !== null) throw new PythonStartError('ERR_NAMESPACE', obstacle)
  if (isolation !== 'auto') return { mode: isolation, reason: 'asked for' }
  if (python.library === null) return { mode: 'process', reason: 'this Python has no shared library' }
  if (recycleAfter !== undefined) {
    return { mode: 'process', reason: 'only an interpreter in a process of its own gives all its memory back' }
  }
  if (python.freeThreaded && !python.gil)
    return { mode: 'shared', reason: 'this Python runs threads in parallel: it has no GIL' }
  if (size.max === 1) return { mode: 'shared', reason: 'one interpreter needs no isolation' }
  if (obstacle !== null) return { mode: 'process', reason: obstacle }
  return { mode: 'namespace', reason: 'several interpreters run in parallel as private copies of libpython' }
}

/**
 * What `auto` takes instead of an isolation that did not start; undefined where there is nothing better than the error.
 * Private copies can fail for lack of room in the C library, which is only known once it is tried.
 */
export function fallback(choice: IsolationChoice, error: unknown): IsolationChoice | undefined {
  if (!(error instanceof PythonStartError) || choice.mode === 'process') return undefined
  if (choice.mode === 'shared' && error.code === 'ERR_PYTHON_CONFLICT') {
    return native().namespaces() === null
      ? { mode: 'namespace', reason: 'another Python already runs in this process' }
      : { mode: 'process', reason: 'another Python already runs in this process' }
  }
  if (choice.mode === 'shared') return undefined
  const [reason] = error.message.split('\n')
  warnOnce(`isolation 'namespace' does not work here, so worker processes are used: ${reason}`)
  return { mode: 'process', reason: `private copies of libpython did not start: ${reason}` }
}

let warned = false

function warnOnce(message: string): void {
  if (warned) return
  warned = true
  process.emitWarning(message, { type: 'RxjsPythonWarning', code: 'RXJS_PYTHON_FALLBACK' })
}
