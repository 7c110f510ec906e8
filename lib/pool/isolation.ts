import { PythonStartError } from '../errors'
import { native } from '../native'
import type { CompletePoolOptions } from '../options'
import type { PythonInfo } from './locate'

/** How a pool's interpreters share the process, and why so. */
export interface IsolationChoice {
  mode: 'shared' | 'namespace'
  reason: string
}

/**
 * The isolation that was asked for, or with `auto` the one that fits.
 *
 * @throws PythonStartError ERR_NAMESPACE where private copies were asked for and the platform has none
 */
export function chooseIsolation({ isolation, size }: CompletePoolOptions, python: PythonInfo): IsolationChoice {
  const obstacle = native().namespaces()
  if (isolation === 'namespace') {
    if (obstacle !== null) throw new PythonStartError('ERR_NAMESPACE', obstacle)
    return { mode: 'namespace', reason: 'asked for' }
  }
  if (isolation === 'shared') return { mode: 'shared', reason: 'asked for' }
  if (python.freeThreaded) return { mode: 'shared', reason: 'this Python runs threads in parallel: it has no GIL' }
  if (size.max === 1) return { mode: 'shared', reason: 'one interpreter needs no isolation' }
  if (obstacle !== null) return { mode: 'shared', reason: obstacle }
  return { mode: 'namespace', reason: 'several interpreters run in parallel as private copies of libpython' }
}
