import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

export const benchFolder = dirname(__dirname)
export const packageFolder = dirname(benchFolder)
export const handlersFolder = join(benchFolder, 'handlers')
export const cacheFolder = join(packageFolder, '.cache', 'bench')
export const resultsFolder = join(benchFolder, 'results')

/** The census file: the one that was asked for, else the one that lies beside the repository, else none. */
export function findCensus(asked: string | undefined): string | undefined {
  if (asked !== undefined) {
    const path = resolve(asked)
    if (!existsSync(path)) throw new Error(`--data: there is no file ${path}`)
    return path
  }
  const path = join(packageFolder, '..', 'shared', 'data', 'adult.data')
  return existsSync(path) ? path : undefined
}
